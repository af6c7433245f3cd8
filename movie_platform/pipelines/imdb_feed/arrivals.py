"""What is new on the raw side, and what is to be tried again: the sensor's thinking, without the sensor.

A look lists only what lies behind the settled window less the look-back. What was seen is remembered by fingerprint as
far as the look-back reaches, so late and corrected deliveries are noticed and nothing is asked for twice. Should the
memory be lost, what the lake says of a window takes its place.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, processing, refusals
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX, Delivery
from movie_platform.pipelines.imdb_feed.windows import is_window, key_of, shift, stretches

RECONCILIATION = "reconciliation/imdb_feed.json"
ALONE_AT_MOST = 12
"""More windows than these in a row are asked for as one range."""
RANGE_AT_MOST = 500
LOOK_AT_MOST = 500
"""Windows that one look takes up; the next look goes on where it stopped."""
RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Cursor:
    """What a look remembers for the next one."""

    settled: str = ""
    """Every window up to this one was taken up; later looks start here less the look-back."""
    seen: dict[str, str] = field(default_factory=dict)
    """Fingerprints of the windows within the look-back that were taken up."""
    cycle: str = ""
    """The ten minutes in which the refused windows were last gone through to the end."""
    retried: str = ""
    """How far the refused windows were gone through in the cycle under way."""
    reconciled: str = ""
    """`<time of the reconciliation>/<how many of its windows were taken up>`."""

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        return cls(**json.loads(text)) if text else cls()

    def __str__(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))


@dataclass(frozen=True)
class Request:
    """Windows that follow each other, for one run. The key holds the content: an equal key is an equal request."""

    windows: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Look:
    """What one look found."""

    arrived: tuple[Delivery, ...]
    requests: tuple[Request, ...]
    held: dict[str, str]
    """Windows that wait, and for what."""
    strange: dict[str, str]
    """Folders that are refused for their name or their time, and why."""
    cursor: Cursor


@dataclass(frozen=True)
class Schedule:
    """When windows are due, by the settings."""

    start: str
    grace: timedelta
    lookback: timedelta


def look(raw: ObjectStore, lake: ObjectStore, cursor: Cursor, schedule: Schedule, now: datetime) -> Look:
    """One bounded look at the raw side and at what the lake still owes."""
    floor = _floor(cursor, schedule)
    held: dict[str, str] = {}
    strange: dict[str, str] = {}
    arrived: list[Delivery] = []
    seen = dict(cursor.seen)
    settled, is_settling = cursor.settled, True
    recorded: _Recorded | None = None
    for folder, objects in _folders(raw, floor):
        if reason := strangeness(folder, schedule.start):
            strange[folder] = reason
            continue
        if folder > key_of(now):
            held[folder] = "its time has not come"
            break
        delivery = deliveries.of(folder, objects)
        if delivery is None:
            continue
        if seen.get(folder) != delivery.fingerprint:
            if not delivery.is_complete and now - delivery.first_file_at < schedule.grace:
                held[folder] = "its other files are waited for"
                is_settling = False
                continue
            recorded = recorded or _Recorded(lake, floor)
            if recorded.fingerprint(folder) != delivery.fingerprint:
                if len(arrived) == LOOK_AT_MOST:
                    break
                arrived.append(delivery)
            seen[folder] = delivery.fingerprint
        if is_settling:
            settled = max(settled, folder)
    taken = replace(cursor, settled=settled)
    new_floor = _floor(taken, schedule)
    taken = replace(taken, seen={window: print_ for window, print_ in seen.items() if window >= new_floor})

    again, taken = _due_again(raw, lake, taken, new_floor, now)
    left_behind, taken = _left_behind(raw, lake, taken, {delivery.window for delivery in arrived})
    arrived += left_behind
    arrived.sort(key=lambda delivery: delivery.window)
    prints = {delivery.window: delivery.fingerprint for delivery in arrived} | again
    return Look(tuple(arrived), tuple(requests(prints)), held, strange, taken)


def strangeness(folder: str, start: str) -> str:
    """Why a folder of the raw side is no window of the feed; empty where it is one."""
    if not is_window(folder):
        return "the name is no ten-minute window (YYYYMMDDHHMM in UTC, at a full ten minutes)"
    if folder < start:
        return f"it lies before the feed's first window {start} (MOVIE_PLATFORM_FEED_START)"
    return ""


def requests(fingerprints: dict[str, str]) -> Iterator[Request]:
    """One run a window, or one for a longer stretch of windows without a gap."""
    for stretch in stretches(sorted(fingerprints), RANGE_AT_MOST):
        runs = [stretch] if len(stretch) > ALONE_AT_MOST else [[window] for window in stretch]
        for windows in runs:
            name = windows[0] if len(windows) == 1 else f"{windows[0]}-{windows[-1]}"
            digest = deliveries.fingerprint_of({window: fingerprints[window] for window in windows})
            yield Request(tuple(windows), f"imdb_feed/{name}/{digest}")


def reconcile(raw: ObjectStore, lake: ObjectStore, schedule: Schedule, now: datetime) -> list[str]:
    """Compare everything on the raw side with everything processed, and leave a list of what is missing for the sensor.

    Lists both sides whole; a clean file is opened only where the raw side changed after it was written.
    """
    clean = {_window_of(info.key): info.modified for info in lake.objects("clean_files/")}
    refused = {refusal.window: refusal for refusal in refusals.every(lake)}
    missing = []
    for folder, objects in _folders(raw, ""):
        if strangeness(folder, schedule.start) or folder > key_of(now):
            continue
        delivery = deliveries.of(folder, objects)
        if delivery is None or (not delivery.is_complete and now - delivery.first_file_at < schedule.grace):
            continue
        if folder in refused:
            is_done = refused[folder].fingerprint == delivery.fingerprint
        elif folder in clean and max(info.modified for info in delivery.files.values()) <= clean[folder]:
            is_done = True
        else:
            provenance = processing.provenance_of(lake, folder) if folder in clean else None
            is_done = provenance is not None and provenance.fingerprint == delivery.fingerprint
        if not is_done:
            missing.append(folder)
    report = {"time": now.astimezone(UTC).isoformat(timespec="microseconds"), "windows": missing}
    lake.write(RECONCILIATION, json.dumps(report).encode())
    return missing


class _Recorded:
    """What the lake has already made of deliveries, by fingerprint; listed once, opened only where asked."""

    def __init__(self, lake: ObjectStore, floor: str) -> None:
        self.lake = lake
        self.refused = set(refusals.windows(lake, after=floor))
        self.processed = set(processing.processed_windows(lake, after=floor))

    def fingerprint(self, window: str) -> str | None:
        refusal = refusals.get(self.lake, window) if window in self.refused else None
        if refusal:
            return refusal.fingerprint
        provenance = processing.provenance_of(self.lake, window) if window in self.processed else None
        return provenance.fingerprint if provenance else None


def _floor(cursor: Cursor, schedule: Schedule) -> str:
    return shift(cursor.settled, -schedule.lookback) if cursor.settled else ""


def _folders(raw: ObjectStore, floor: str) -> Iterator[tuple[str, list[ObjectInfo]]]:
    """The raw side's folders from the floor on, with their files."""
    listed = raw.objects(RAW_PREFIX, after=RAW_PREFIX + floor if floor else "")
    for folder, objects in groupby(listed, key=lambda info: info.key.removeprefix(RAW_PREFIX).split("/", 1)[0]):
        yield folder, list(objects)


def _due_again(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, floor: str, now: datetime
) -> tuple[dict[str, str], Cursor]:
    """Once a cycle, the refused windows whose files changed; once an hour also those that may now go through.

    Files of windows within the look-back are watched by the listing.
    """
    cycle = key_of(now)
    if cursor.cycle == cycle:
        return {}, cursor
    due: dict[str, str] = {}
    waiting = refusals.windows(lake, after=cursor.retried)
    for window in waiting[:LOOK_AT_MOST]:
        refusal = refusals.get(lake, window)
        if refusal is None:
            continue
        may_pass = refusal.passing or refusal.code_version != processing.CODE_VERSION
        if may_pass and now - datetime.fromisoformat(refusal.last_attempt) >= RETRY_AFTER:
            due[window] = f"{refusal.fingerprint} attempt {refusal.attempts + 1}"
        elif window < floor and not refusal.passing:
            delivery = deliveries.find(raw, window)
            if delivery and delivery.fingerprint != refusal.fingerprint:
                due[window] = delivery.fingerprint
    if len(waiting) > LOOK_AT_MOST:
        return due, replace(cursor, retried=waiting[LOOK_AT_MOST - 1])
    return due, replace(cursor, cycle=cycle, retried="")


def _left_behind(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, already: set[str]
) -> tuple[list[Delivery], Cursor]:
    """The next windows that the last reconciliation found missing."""
    try:
        report = json.loads(lake.read(RECONCILIATION))
    except ObjectMissing:
        return [], cursor
    time, _, count = cursor.reconciled.partition("/")
    position = int(count) if time == report["time"] else 0
    windows = report["windows"][position : position + LOOK_AT_MOST]
    if not windows:
        lake.delete([RECONCILIATION])
        return [], replace(cursor, reconciled="")
    found = [deliveries.find(raw, window) for window in windows if window not in already]
    return [d for d in found if d], replace(cursor, reconciled=f"{report['time']}/{position + len(windows)}")


def _window_of(clean_key: str) -> str:
    return clean_key.removeprefix("clean_files/").removesuffix(".parquet")
