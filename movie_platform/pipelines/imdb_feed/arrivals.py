"""What is new on the raw side, and what is to be tried again: the sensor's thinking, without the sensor.

A look lists only what lies behind the settled window less the look-back, and nothing before the feed's start. What was
seen is remembered by fingerprint as far as the look-back reaches, so late and corrected deliveries are noticed and
nothing is asked for twice. Should the memory be lost, what the lake says of a window takes its place.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, takewhile

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, processing, refusals
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX, Delivery
from movie_platform.pipelines.imdb_feed.windows import LENGTH, is_window, key_of, shift, span, start_of, stretches

RECONCILIATION = "reconciliation/imdb_feed.json"
ALONE_AT_MOST = 12
"""More windows than these in a row are asked for as one range."""
RANGE_AT_MOST = 500
LOOK_AT_MOST = 500
"""Windows that one look takes up, and clean files that it opens; the next look goes on where it stopped."""
LIST_AT_MOST = 20_000
"""New folders that one look goes through: 60 pages of a bucket's listing."""
PROBED_AT_MOST = 12
"""More windows than these are compared with the lake by a listing of it."""
LOOKED_INTO_AT_MOST = 2_000
"""Folders on disk that a look tries one by one before a listing of all names is cheaper: two weeks of windows."""
RETRY_AFTER = timedelta(hours=1)
CLOCKS_APART = timedelta(hours=1)
"""An archive this much younger than a delivery was made from it, however the clocks of two stores differ."""


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
        """A cursor that cannot be read is a lost one: the lake knows what was processed."""
        try:
            cursor = cls(**json.loads(text or "{}"))
        except (ValueError, TypeError):
            return cls()
        return cursor if not cursor.settled or is_window(cursor.settled) else cls()

    def __str__(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))


@dataclass(frozen=True)
class Request:
    """Windows that follow each other, for one run. An equal key is an equal request."""

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
    arrived, held, strange, taken = _new(raw, lake, cursor, schedule, now)
    again, taken = _due_again(raw, lake, taken, schedule, now)
    left_behind, taken = _left_behind(raw, lake, taken, {delivery.window for delivery in arrived}, now)
    # With the time it came: content that comes a second time, after other content, is another request.
    prints = {delivery.window: f"{delivery.fingerprint} {delivery.version}" for delivery in arrived} | again
    for delivery in left_behind:
        # A run that was asked for earlier may have got lost, so the request must differ from that one.
        prints[delivery.window] = f"{delivery.fingerprint} reconciliation {taken.reconciled.partition('/')[0]}"
    arrived = sorted([*arrived, *left_behind], key=lambda delivery: delivery.window)
    return Look(tuple(arrived), tuple(requests(prints)), held, strange, taken)


def _new(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, schedule: Schedule, now: datetime
) -> tuple[list[Delivery], dict[str, str], dict[str, str], Cursor]:
    """Deliveries behind the floor whose content was not seen: those to run, those that wait, and strange folders."""
    recorded = _Recorded(lake)
    arrived: list[Delivery] = []
    held: dict[str, str] = {}
    strange: dict[str, str] = {}
    seen = dict(cursor.seen)
    settled, is_settling, gone_through = cursor.settled, True, 0
    for folder, objects in _folders(raw, _floor(cursor, schedule), now):
        gone_through += folder > cursor.settled
        if gone_through > LIST_AT_MOST:
            break
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
            if _is_awaited(delivery, schedule, now):
                held[folder] = "its other files are waited for"
                is_settling = False
                continue
            if len(arrived) == LOOK_AT_MOST or recorded.opened >= LOOK_AT_MOST:
                break
            if not recorded.holds(delivery):
                arrived.append(delivery)
            seen[folder] = delivery.fingerprint
        if is_settling:
            settled = max(settled, folder)
    taken = replace(cursor, settled=settled)
    floor = _floor(taken, schedule)
    within = {window: fingerprint for window, fingerprint in seen.items() if window >= floor}
    return arrived, held, strange, replace(taken, seen=within)


def _is_awaited(delivery: Delivery, schedule: Schedule, now: datetime) -> bool:
    """Whether the delivery's other files may still come. A file from the future is not waited for any longer."""
    return not delivery.is_complete and abs(now - delivery.first_file_at) < schedule.grace


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


@dataclass(frozen=True)
class Loaded:
    """The last load of a window that the warehouse's ledger knows."""

    digest: str
    version: str
    ended: datetime


@dataclass(frozen=True)
class Reconciliation:
    """What was left behind, for the sensor to take up, and the folders that are no window of the feed."""

    missing: tuple[str, ...]
    strange: dict[str, str]


def reconcile(
    raw: ObjectStore,
    lake: ObjectStore,
    schedule: Schedule,
    now: datetime,
    loaded: Mapping[str, Loaded] | None = None,
) -> Reconciliation:
    """Compare everything on the raw side with everything processed and, where the ledger can be asked, loaded; leave a
    list of what is missing for the sensor.

    Lists both sides whole; a clean file is opened only where ages do not settle the question.
    """
    clean = processing.clean_files(lake)
    archived = dict(processing.archived(lake))
    refused = {refusal.window: refusal for refusal in refusals.every(lake)}
    strange: dict[str, str] = {}
    missing = []
    for folder, objects in _folders(raw, "", now):
        if reason := strangeness(folder, schedule.start):
            strange[folder] = reason
            continue
        delivery = deliveries.of(folder, objects)
        if folder > key_of(now) or delivery is None or _is_awaited(delivery, schedule, now):
            continue
        if folder in refused:
            if refused[folder].passing:
                continue  # it is tried again every hour anyway
            is_done = refused[folder].fingerprint == delivery.fingerprint
        else:
            is_done = folder in clean and (
                _is_archived_since(delivery, archived.get(folder), clean[folder]) or _is_made_from(lake, delivery)
            )
        # A window that is refused may still owe the load of the version that it serves.
        if is_done and folder in clean and loaded is not None:
            is_done = _is_loaded(lake, clean[folder], folder, loaded.get(folder), now)
        if not is_done:
            missing.append(folder)
    report = {"time": now.astimezone(UTC).isoformat(timespec="microseconds"), "windows": missing}
    lake.write(RECONCILIATION, json.dumps(report).encode())
    return Reconciliation(tuple(missing), strange)


def _is_archived_since(delivery: Delivery, archived: datetime | None, clean: ObjectInfo) -> bool:
    """Whether ages prove that the clean file was made from the delivery.

    Its own age does not: it may have been made again from the archive of an earlier delivery.
    """
    return archived is not None and delivery.newest_file_at + CLOCKS_APART <= archived <= clean.modified


def _is_made_from(lake: ObjectStore, delivery: Delivery) -> bool:
    """Whether the clean file says so itself."""
    provenance = processing.provenance_of(lake, delivery.window)
    return provenance is not None and provenance.fingerprint == delivery.fingerprint


def _is_loaded(lake: ObjectStore, clean: ObjectInfo, window: str, last: Loaded | None, now: datetime) -> bool:
    if now - clean.modified < RETRY_AFTER:
        return True  # its run may be under way
    if last is None:
        return False
    if clean.modified + CLOCKS_APART <= last.ended:
        return True
    made = processing.provenance_of(lake, window)
    return made is None or made.digest == last.digest or made.version < last.version


class _Recorded:
    """What the lake has already made of deliveries: a few are looked up one by one, more by a listing."""

    def __init__(self, lake: ObjectStore) -> None:
        self.lake = lake
        self.asked = 0
        self.opened = 0
        self.refused: set[str] | None = None
        self.clean: dict[str, ObjectInfo] = {}
        self.archived: dict[str, datetime] = {}

    def holds(self, delivery: Delivery) -> bool:
        """Whether this very content was processed or refused."""
        window = delivery.window
        self.asked += 1
        if self.refused is None and self.asked > PROBED_AT_MOST:
            self.refused = set(refusals.windows(self.lake, since=window))
            self.clean = processing.clean_files(self.lake, since=window)
            until = shift(window, LENGTH * LIST_AT_MOST)
            self.archived = dict(takewhile(lambda of: of[0] <= until, processing.archived(self.lake, since=window)))
        if self.refused is None or window in self.refused:
            self.opened += 1
            if refusal := refusals.get(self.lake, window):
                return refusal.fingerprint == delivery.fingerprint
        if self.refused is not None:
            if window not in self.clean:
                return False
            if _is_archived_since(delivery, self.archived.get(window), self.clean[window]):
                return True
        self.opened += 1
        return _is_made_from(self.lake, delivery)


def _floor(cursor: Cursor, schedule: Schedule) -> str:
    """Where a look starts: never before the feed does, however much else lies there."""
    return max(shift(cursor.settled, -schedule.lookback), schedule.start) if cursor.settled else schedule.start


def _folders(raw: ObjectStore, floor: str, now: datetime) -> Iterator[tuple[str, list[ObjectInfo]]]:
    """The raw side's folders from the floor on, with their files.

    On this machine's disk a folder's names come all or none: behind a floor it is cheaper to look into each folder that
    can be there, an hour ahead of the clock included. Folders of another name then show in the daily reconciliation
    alone, as do those before the feed's start.
    """
    if floor and raw.local_path(RAW_PREFIX) and now - start_of(floor) <= LENGTH * LOOKED_INTO_AT_MOST:
        for window in span(floor, key_of(now + timedelta(hours=1))):
            if objects := list(raw.objects(f"{RAW_PREFIX}{window}/")):
                yield window, objects
        return
    listed = raw.objects(RAW_PREFIX, after=RAW_PREFIX + floor if floor else "")
    for folder, found in groupby(listed, key=lambda info: info.key.removeprefix(RAW_PREFIX).split("/", 1)[0]):
        yield folder, list(found)


def _due_again(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, schedule: Schedule, now: datetime
) -> tuple[dict[str, str], Cursor]:
    """Once a cycle, the refused windows whose files changed; once an hour also those that may now go through.

    Files of windows within the look-back are watched by the listing. A request whose run got lost is made again an hour
    later: its key counts the hours, since Dagster ignores a request whose key it has seen.
    """
    cycle, floor = key_of(now), _floor(cursor, schedule)
    if cursor.cycle == cycle:
        return {}, cursor
    due: dict[str, str] = {}
    waiting = refusals.windows(lake, since=cursor.retried)
    for window in waiting[:LOOK_AT_MOST]:
        refusal = refusals.get(lake, window)
        if refusal is None or strangeness(window, schedule.start):
            continue
        may_pass = refusal.passing or refusal.code_version != processing.CODE_VERSION
        hours = (now - datetime.fromisoformat(refusal.last_attempt)) // RETRY_AFTER
        if may_pass and hours >= 1:
            due[window] = f"{refusal.fingerprint} attempt {refusal.attempts + 1}, {hours} hours on"
        elif window < floor and (refusal.files or not refusal.passing):
            delivery = deliveries.find(raw, window)
            if delivery and delivery.fingerprint != refusal.fingerprint and not _is_awaited(delivery, schedule, now):
                hours = (now - delivery.newest_file_at) // RETRY_AFTER
                due[window] = f"{delivery.fingerprint} attempt {refusal.attempts + 1}, {hours} hours on"
    if len(waiting) > LOOK_AT_MOST:
        return due, replace(cursor, retried=waiting[LOOK_AT_MOST])
    return due, replace(cursor, cycle=cycle, retried="")


def _left_behind(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, already: set[str], now: datetime
) -> tuple[list[Delivery], Cursor]:
    """The next windows that the last reconciliation found missing."""
    try:
        report = json.loads(lake.read(RECONCILIATION))
        reported_at, missing = str(report["time"]), list(report["windows"])
    except ObjectMissing:
        return [], cursor
    except (ValueError, TypeError, KeyError):  # not written by this platform: the next reconciliation will be
        return [], cursor
    time, _, count = cursor.reconciled.partition("/")
    position = int(count) if time == reported_at else 0
    windows = missing[position : position + LOOK_AT_MOST]
    if not windows:
        lake.delete([RECONCILIATION])
        return [], replace(cursor, reconciled="")
    found = [deliveries.find(raw, window) for window in windows if window not in already and is_window(window)]
    due = [
        delivery
        for delivery in found
        # What was asked for a moment ago is not left behind: its run is under way.
        if delivery
        and (cursor.seen.get(delivery.window) != delivery.fingerprint or now - delivery.newest_file_at >= RETRY_AFTER)
    ]
    return due, replace(cursor, reconciled=f"{reported_at}/{position + len(windows)}")
