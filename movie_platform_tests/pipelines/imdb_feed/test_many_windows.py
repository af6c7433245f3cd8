"""Ten years of windows before the sensor at once, and a thousand windows that are refused at once; for `make soak`."""

import resource
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from movie_platform.lake import ObjectInfo, ObjectStore, open_store
from movie_platform.lake.s3 import S3Store
from movie_platform.lake.store import LeftOut, ignored
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.arrivals import SCAN_AT_MOST, Cursor, Schedule, scan
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.pipelines.imdb_feed.tables import TRIPLET
from movie_platform.pipelines.imdb_feed.verification import file_name
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span, start_of
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver

PREFIXES = 500_000
LOOKBACK = timedelta(hours=24)
REFUSED = 1_000
COME = datetime(2020, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.soak


class MadeUp(S3Store):
    """A bucket of windows whose names are made up when they are listed; it counts them."""

    def __init__(self, windows: list[str]) -> None:
        super().__init__("s3://made-up")
        self.windows = windows
        self.listed = 0

    def objects(self, prefix: str = "", *, after: str = "", left_out: LeftOut = ignored) -> Iterator[ObjectInfo]:
        first = after.removeprefix(RAW_PREFIX) if after else prefix.removeprefix(RAW_PREFIX).rstrip("/")
        for window in self.windows[max(bisect_right(self.windows, first) - 1, 0) :]:
            for kind in TRIPLET:
                key = f"{RAW_PREFIX}{window}/{file_name(window, kind)}"
                if key > after and key.startswith(prefix):
                    self.listed += 1
                    yield ObjectInfo(key, 1, key, COME)
            if not f"{RAW_PREFIX}{window}/".startswith(prefix):
                return


def test_ten_years_of_windows_are_asked_for_once_each_a_bounded_number_a_tick(aws: str, tmp_path: Path) -> None:
    windows = list(span(W, shift(W, LENGTH * (PREFIXES - 1))))
    raw, lake = MadeUp(windows), open_store((tmp_path / "lake").as_uri())
    now = start_of(windows[-1]) + timedelta(minutes=5)
    schedule = Schedule(W, timedelta(seconds=61), LOOKBACK)
    asked: Counter[str] = Counter()
    cursor, ticks, longest, most = Cursor(), 0, 0.0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    while True:
        start, listed = time.process_time(), raw.listed
        found = scan(raw, lake, Cursor.parse(str(cursor)), schedule, now)
        longest, most = max(longest, time.process_time() - start), max(most, raw.listed - listed)
        if not found.requests:
            break
        ticks += 1
        for request in found.requests:
            asked.update(request.partitions)
        cursor = found.new_cursor
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{PREFIXES:,} windows: {ticks:,} ticks, {raw.listed:,} names listed, at most {most:,} a tick; processor time "
        f"{time.process_time() - began:.0f} s, at most {longest:.3f} s a tick; {grown:.0f} MB more memory"
    )
    assert asked.keys() == set(windows)
    assert set(asked.values()) == {1}
    assert ticks == PREFIXES / SCAN_AT_MOST
    # The look-back, what is taken up, and the window at which the tick stops.
    assert most <= (LOOKBACK // LENGTH + SCAN_AT_MOST + 3) * len(TRIPLET)
    assert cursor.settled == windows[-1]
    assert len(cursor.seen) <= LOOKBACK // LENGTH + 1


def test_a_thousand_windows_that_are_refused_at_once_are_recorded_and_mended(store: ObjectStore) -> None:
    raw = lake = store
    windows = list(span(W, shift(W, LENGTH * (REFUSED - 1))))
    for window in windows:
        deliver(raw, window, {file_name(window, kind): b"\xff\xfe" for kind in TRIPLET})
    began, used = time.monotonic(), time.process_time()
    outcomes = list(processing.process_all(raw, lake, windows))
    refused = time.monotonic() - began
    began = time.monotonic()
    refusals.rebuild_log(lake)
    logged, used = time.monotonic() - began, time.process_time() - used
    print(
        f"{REFUSED:,} refused windows on {type(store).__name__}: {refused:.1f} s, the log {logged:.1f} s; processor "
        f"time, the server's included, {used:.1f} s"
    )
    assert all(outcome.refusal and not outcome.refusal.transient for outcome in outcomes)
    assert refusals.windows(lake) == windows
    assert len(lake.read(refusals.LOG).splitlines()) == REFUSED

    for window in windows:
        deliver(raw, window)
    schedule = Schedule(W, timedelta(0), LOOKBACK)
    now = datetime.now(UTC)
    asked: Counter[str] = Counter()
    cursor = Cursor()
    while (found := scan(raw, lake, cursor, schedule, now)).requests:
        cursor = found.new_cursor
        for request in found.requests:
            asked.update(request.partitions)
    assert asked == dict.fromkeys(windows, 1)
    assert all(outcome.clean for outcome in processing.process_all(raw, lake, windows))
    refusals.rebuild_log(lake)
    assert lake.read(refusals.LOG) == b""
    status = feed_status(raw, lake, W, now)
    assert (len(status.processed), status.refused) == (REFUSED, ())
