"""What is new on the raw side, and what is to be tried again: the sensor's thinking, without the sensor.

A scan lists only what is behind the settled window less the look-back, and nothing before the feed's start. What was
processed is read from the lake's receipts; what was taken up and is not processed, or is refused, is remembered by
fingerprint as far as the look-back reaches. So late and corrected deliveries are noticed and nothing is asked for
twice, and the memory is a few windows long. Should it be lost, what the lake says of a window takes its place.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from movie_platform.deliveries import Delivery, Listing, fingerprint_of, receipts, reconciled
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.watching import Request
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import deliveries, processing, refusals
from movie_platform.pipelines.imdb_feed.deliveries import NAME, RAW_PREFIX, folders, is_complete, why_rejected
from movie_platform.pipelines.imdb_feed.windows import contiguous_runs, is_window, key_of, shift

ALONE_AT_MOST = 12
"""More windows than these in a row are asked for as one range."""
RANGE_AT_MOST = 500
SCAN_AT_MOST = 500
"""Windows that one scan takes up, and clean files that it opens; the next scan goes on where it stopped."""
LIST_AT_MOST = 20_000
"""New folders that one scan goes through: 60 pages of a bucket's listing."""
PROBED_AT_MOST = 12
"""More windows than these are compared with the lake by a listing of it."""
RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Cursor:
    """What a scan remembers for the next one."""

    settled: str = ""
    """Every window up to this one was taken up; later scans start here less the look-back."""
    seen: dict[str, str] = field(default_factory=dict)
    """Fingerprints of the windows within the look-back that were taken up and that no receipt names as processed."""
    cycle: str = ""
    """The ten minutes in which the refused windows were last gone through to the end."""
    retried: str = ""
    """How far the refused windows were gone through in the cycle under way."""
    reconciled: str = ""
    """`<time of the reconciliation>/<how many of its windows were taken up>`."""
    rejected: str = ""
    """A digest of the rejected folders that were last reported."""
    judged: str = ""
    """A digest of what the checks were last compared with."""

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """A cursor that cannot be read is a lost one: the lake knows what was processed."""
        try:
            cursor = cls(**json.loads(text or "{}"))
        except (ValueError, TypeError):
            return cls()
        texts = tuple(text for name, text in vars(cursor).items() if name != "seen")
        if not isinstance(cursor.seen, dict) or not all(isinstance(text, str) for text in texts):
            return cls()
        return cursor if not cursor.settled or is_window(cursor.settled) else cls()

    def __str__(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))


@dataclass(frozen=True)
class ScanResult:
    """What one scan found."""

    arrived: tuple[Delivery, ...]
    requests: tuple[Request, ...]
    waiting: dict[str, str]
    """Windows that wait, and for what."""
    listing: Listing
    """The folders that are refused for their name or their time, and why."""
    rejected_is_news: bool
    new_cursor: Cursor


@dataclass(frozen=True)
class Schedule:
    """When windows are due, by the settings, and what this platform is called on its lake."""

    start: str
    grace: timedelta
    lookback: timedelta
    platform: str = ""


def scan(raw: ObjectStore, lake: ObjectStore, cursor: Cursor, schedule: Schedule, now: datetime) -> ScanResult:
    """One bounded look at the raw side and at what the lake still owes."""
    processed = _ProcessedIndex(lake, since=_floor(cursor, schedule))
    arrived, waiting, listing, taken = _new(raw, processed, cursor, schedule, now)
    report = reconciled.read(lake, NAME, schedule.platform)
    listing = _with_reported(listing, report.rejected)
    retries, taken = _due_again(raw, lake, taken, schedule, now)
    left_behind, taken = _left_behind(raw, lake, taken, schedule, report, {delivery.partition for delivery in arrived})
    # With how far the window had come and when the files did: content that comes back after other content is another
    # request, also where the other one was refused and the window came no further.
    prints = {d.partition: f"{d.fingerprint} {processed.come(d.partition)} {d.delivered_at}" for d in arrived}
    prints |= {window: f"{fingerprint} {attempt}" for window, (fingerprint, attempt, _) in retries.items()}
    for window in left_behind:
        # A run that was asked for earlier may have got lost, so the request must differ from that one.
        prints[window] = f"owed {taken.reconciled.partition('/')[0]}"
    mended = [delivery for _, _, delivery in retries.values() if delivery]
    reported = {delivery.partition: delivery for delivery in [*mended, *left_behind.values(), *arrived]}
    rejected = fingerprint_of(listing.rejected_keys) if listing.rejected else ""
    return ScanResult(
        tuple(reported[window] for window in sorted(reported)),
        tuple(requests(prints)),
        waiting,
        listing,
        rejected != cursor.rejected,
        replace(taken, rejected=rejected),
    )


def _with_reported(found: Listing, reported: Listing) -> Listing:
    """What a scan saw itself, and what the last reconciliation saw of the whole raw side."""
    for key, why in found.rejected_keys.items():
        if key not in reported.rejected_keys:
            reported.reject(key, why)
    return reported


def _new(
    raw: ObjectStore, processed: "_ProcessedIndex", cursor: Cursor, schedule: Schedule, now: datetime
) -> tuple[list[Delivery], dict[str, str], Listing, Cursor]:
    """Deliveries behind the floor whose content was not seen: those to run, those that wait, and rejected folders."""
    arrived: list[Delivery] = []
    waiting: dict[str, str] = {}
    listing = Listing()
    seen = dict(cursor.seen)
    settled, is_settling, gone_through = cursor.settled, True, 0
    for folder, objects in folders(raw, _floor(cursor, schedule), now, listing.reject):
        gone_through += folder > cursor.settled
        if gone_through > LIST_AT_MOST:
            break
        if reason := why_rejected(folder, schedule.start):
            listing.reject(RAW_PREFIX + folder, reason)
            continue
        if folder > key_of(now):
            waiting[folder] = "its time has not come"
            break
        delivery = deliveries.of(folder, objects)
        if delivery is None:
            continue
        if processed.has_receipt_of(delivery):
            seen.pop(folder, None)
        elif seen.get(folder) != delivery.fingerprint:
            if is_awaited(delivery, schedule.grace, now):
                waiting[folder] = "its other files are waited for"
                is_settling = False
                continue
            if len(arrived) == SCAN_AT_MOST or processed.opened >= SCAN_AT_MOST:
                break
            if not processed.holds(delivery):
                arrived.append(delivery)
            seen[folder] = delivery.fingerprint
        if is_settling:
            settled = max(settled, folder)
    taken = replace(cursor, settled=settled)
    floor = _floor(taken, schedule)
    within = {window: fingerprint for window, fingerprint in seen.items() if window >= floor}
    return arrived, waiting, listing, replace(taken, seen=within)


def is_awaited(delivery: Delivery, grace: timedelta, now: datetime) -> bool:
    """Whether the delivery's other files may still come. A file from the future is not waited for any longer."""
    return not is_complete(delivery) and abs(now - delivery.first_file_at) < grace


def requests(prints: Mapping[str, str]) -> Iterator[Request]:
    """One run a window, or one for many windows that follow each other without a gap."""
    for together in contiguous_runs(sorted(prints), RANGE_AT_MOST):
        runs = [together] if len(together) > ALONE_AT_MOST else [[window] for window in together]
        for windows in runs:
            name = windows[0] if len(windows) == 1 else f"{windows[0]}-{windows[-1]}"
            digest = fingerprint_of({window: prints[window] for window in windows})
            yield Request(tuple(windows), f"{NAME}/{name}/{digest}")


class _ProcessedIndex:
    """What the lake has made of deliveries from a window on: by its receipts and refusals, or, of windows that an
    earlier version processed without a receipt, by their clean files; of these a few are looked up one by one."""

    def __init__(self, lake: ObjectStore, since: str) -> None:
        self.lake = lake
        self.standings = receipts.standings(lake, NAME, since=since)
        self.refused = set(refusals.windows(lake, since=since))
        self.clean: set[str] | None = None
        self.asked = 0
        self.opened = 0

    def come(self, window: str) -> int:
        """How far the window has come."""
        standing = self.standings.get(window, Standing())
        return max(standing.archived, standing.sequence)

    def has_receipt_of(self, delivery: Delivery) -> bool:
        """Whether this very content was processed last. After a refusal it is not: its run ends the refusal."""
        window = delivery.partition
        return window not in self.refused and self._has_processed(delivery)

    def holds(self, delivery: Delivery) -> bool:
        """Whether this very content was processed or refused."""
        window = delivery.partition
        if window in self.refused:
            self.opened += 1
            if refusal := refusals.get(self.lake, window):
                return refusal.fingerprint == delivery.fingerprint
        if window in self.standings:
            return self._has_processed(delivery)
        self.asked += 1
        if self.clean is None and self.asked > PROBED_AT_MOST:
            self.clean = set(processing.processed_windows(self.lake, since=window))
        if self.clean is not None and window not in self.clean:
            return False
        self.opened += 1
        return was_made(self.lake, delivery)

    def _has_processed(self, delivery: Delivery) -> bool:
        return self.standings.get(delivery.partition, Standing()).has_processed(delivery.fingerprint)


def was_made(lake: ObjectStore, delivery: Delivery) -> bool:
    """Whether the window's clean file says that it was made from this delivery, where there is no receipt."""
    provenance = processing.provenance_of(lake, delivery.partition)
    return provenance is not None and provenance.fingerprint == delivery.fingerprint


def _floor(cursor: Cursor, schedule: Schedule) -> str:
    """Where a scan starts: never before the feed does, however much else is there."""
    return max(shift(cursor.settled, -schedule.lookback), schedule.start) if cursor.settled else schedule.start


def _due_again(
    raw: ObjectStore, lake: ObjectStore, cursor: Cursor, schedule: Schedule, now: datetime
) -> tuple[dict[str, tuple[str, str, Delivery | None]], Cursor]:
    """Once a cycle, the refused windows whose files changed; once an hour also those that may now go through: of each
    the fingerprint, the attempt, and the delivery where it is another one.

    Files of windows within the look-back are watched by the listing. A request whose run got lost is made again an hour
    later: its key counts the hours, since Dagster ignores a request whose key it has seen.
    """
    cycle, floor = key_of(now), _floor(cursor, schedule)
    if cursor.cycle == cycle:
        return {}, cursor
    due: dict[str, tuple[str, str, Delivery | None]] = {}
    refused = refusals.windows(lake, since=cursor.retried)
    for window in refused[:SCAN_AT_MOST]:
        refusal = refusals.get(lake, window)
        if refusal is None or why_rejected(window, schedule.start):
            continue
        may_pass = refusal.transient or refusal.code_version != processing.CODE_VERSION
        hours = (now - datetime.fromisoformat(refusal.last_attempt)) // RETRY_AFTER
        attempt = f"attempt {refusal.attempts + 1}, {hours} hours on"
        if may_pass and hours >= 1:
            due[window] = (refusal.fingerprint, attempt, None)
        elif window < floor and (refusal.files or not refusal.transient):
            delivery = deliveries.find(raw, window)
            if (
                delivery
                and delivery.fingerprint != refusal.fingerprint
                and not is_awaited(delivery, schedule.grace, now)
            ):
                due[window] = (delivery.fingerprint, attempt, delivery)
    if len(refused) > SCAN_AT_MOST:
        return due, replace(cursor, retried=refused[SCAN_AT_MOST])
    return due, replace(cursor, cycle=cycle, retried="")


def _left_behind(
    raw: ObjectStore,
    lake: ObjectStore,
    cursor: Cursor,
    schedule: Schedule,
    report: reconciled.Report,
    already: Iterable[str],
) -> tuple[dict[str, Delivery], Cursor]:
    """The next windows that the last reconciliation found owed; those that this scan has not come to yet are left to
    it. A window without files is owed too: what is archived of it is not processed or loaded."""
    windows, taken = report.next(cursor.reconciled, SCAN_AT_MOST)
    asked = set(already)
    due = {
        window: deliveries.find(raw, window) or Delivery(window, {})
        for window, come in windows.items()
        if window not in asked
        and is_window(window)
        and schedule.start <= window <= cursor.settled
        and reconciled.is_still_owed(_standing(lake, window), come)
    }
    return due, replace(cursor, reconciled=taken)


def _standing(lake: ObjectStore, window: str) -> Standing:
    standing, refusal = receipts.standing(lake, NAME, window), refusals.get(lake, window)
    return replace(standing, refused=(*standing.refused, refusal.fingerprint)) if refusal else standing
