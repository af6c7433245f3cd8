"""What a scan of the raw side finds: everything once, in bounded steps, whatever got lost."""

import os
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from movie_platform.deliveries import reconciled
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import arrivals, processing, refusals
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, ScanResult, Schedule, scan
from movie_platform.pipelines.imdb_feed.loading import load
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span, start_of
from movie_platform.warehouse import Warehouse
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, A, B, W, deliver, triplet

SCHEDULE = Schedule(start=W, grace=timedelta(seconds=61), lookback=timedelta(hours=24), platform="here")
NOW = start_of(W) + timedelta(hours=1, seconds=5)
BROKEN = {B: b"movie_id,person_id\n1\n"}


def windows(of: ScanResult) -> list[str]:
    return [window for request in of.requests for window in request.partitions]


def at(minutes: float) -> datetime:
    return start_of(W) + timedelta(minutes=minutes)


class Sensor:
    """Scans one after the other, each with the cursor of the last one, and runs what they ask for.

    As in Dagster, a request whose key was there before makes no other run.
    """

    def __init__(self, raw: ObjectStore, lake: ObjectStore, schedule: Schedule = SCHEDULE) -> None:
        self.raw, self.lake, self.schedule = raw, lake, schedule
        self.cursor = Cursor()
        self.keys: Counter[str] = Counter()

    def scan(self, now: datetime = NOW, *, run: bool = True) -> ScanResult:
        found = scan(self.raw, self.lake, self.cursor, self.schedule, now)
        self.cursor = Cursor.parse(str(found.new_cursor))
        found = replace(found, requests=tuple(r for r in found.requests if not run or r.key not in self.keys))
        self.keys.update(request.key for request in found.requests)
        if run:
            for window in windows(found):
                processing.process(self.raw, self.lake, window)
        return found

    def owed(self, now: datetime, warehouse: Warehouse | None = None) -> dict[str, str]:
        source = replace(SOURCE, is_waiting=lambda of, then: arrivals.is_awaited(of, self.schedule.grace, then))
        return source.owed(self.raw, self.lake, warehouse, self.schedule.start, now)

    def reconcile(self, now: datetime) -> list[str]:
        """What the hourly job leaves for the sensor."""
        owed = self.owed(now)
        reconciled.write(self.lake, SOURCE, self.schedule.platform, owed, now)
        return list(owed)


@pytest.fixture
def sensor(raw: ObjectStore, lake: ObjectStore) -> Sensor:
    return Sensor(raw, lake)


def test_a_new_window_is_asked_for_once(sensor: Sensor) -> None:
    assert windows(sensor.scan()) == []
    deliver(sensor.raw, W)
    found = sensor.scan()
    assert windows(found) == [W]
    assert [delivery.partition for delivery in found.arrived] == [W]
    assert windows(sensor.scan()) == []


def test_a_scan_works_the_same_in_a_bucket(bucket: str) -> None:
    sensor = Sensor(open_store(bucket + "/raw"), open_store(bucket + "/lake"))
    deliver(sensor.raw, W)
    sensor.raw.write(f"imdb_raw_data/{NEXT}/", b"")  # what a console leaves as a folder
    sensor.raw.write("imdb_raw_data/notes/x.csv", b"")
    found = sensor.scan()
    assert windows(found) == [W]
    assert list(found.listing.rejected_keys) == ["imdb_raw_data/notes"]
    deliver(sensor.raw, NEXT)
    assert windows(sensor.scan()) == [NEXT]
    assert windows(sensor.scan()) == []


def test_content_that_comes_back_is_asked_for_under_another_key(bucket: str) -> None:
    """In S3 the same bytes have the same etag, and a refusal does not bring the window further."""
    sensor = Sensor(open_store(bucket + "/raw"), open_store(bucket + "/lake"))
    broken = {**triplet(W), **BROKEN}
    for files in (triplet(W), broken, triplet(W), broken):
        time.sleep(1.0 if len(sensor.keys) == 3 else 0)  # S3 dates objects to the second
        deliver(sensor.raw, W, files)
        assert windows(sensor.scan()) == [W]
        assert (refusals.get(sensor.lake, W) is not None) == (files is broken)
    assert list(sensor.keys.values()) == [1, 1, 1, 1]
    assert windows(sensor.scan()) == []


def test_windows_that_follow_each_other_run_alone_up_to_twelve_and_as_one_range_beyond(sensor: Sensor) -> None:
    for window in span(W, shift(W, LENGTH * 11)):
        deliver(sensor.raw, window)
    now = at(60 * 24)
    assert [len(request.partitions) for request in sensor.scan(now).requests] == [1] * 12
    second, gap = shift(W, LENGTH * 20), shift(W, LENGTH * 40)
    for window in [*span(second, shift(second, LENGTH * 12)), gap]:
        deliver(sensor.raw, window)
    assert [len(request.partitions) for request in sensor.scan(now).requests] == [13, 1]


def test_an_incomplete_window_is_waited_for_within_the_grace_and_run_after_it(sensor: Sensor) -> None:
    deliver(sensor.raw, W, {A: triplet()[A]}, at=NOW - timedelta(seconds=30))
    found = sensor.scan()
    assert windows(found) == []
    assert found.waiting == {W: "its other files are waited for"}
    assert windows(sensor.scan(NOW + timedelta(seconds=32))) == [W]
    assert "is missing" in str(refusals.get(sensor.lake, W))


def test_a_window_is_run_as_soon_as_its_third_file_is_there(sensor: Sensor) -> None:
    files = triplet()
    deliver(sensor.raw, W, {A: files[A]}, at=NOW)
    sensor.scan()
    deliver(sensor.raw, W, files, at=NOW)
    assert windows(sensor.scan(NOW + timedelta(seconds=1))) == [W]
    assert refusals.get(sensor.lake, W) is None


def test_a_window_that_waits_never_holds_back_another(sensor: Sensor) -> None:
    deliver(sensor.raw, W, {A: triplet()[A]}, at=NOW)
    deliver(sensor.raw, NEXT)
    found = sensor.scan()
    assert windows(found) == [NEXT]
    deliver(sensor.raw, W, at=NOW)
    assert windows(sensor.scan()) == [W]


def test_an_incomplete_window_dated_in_the_future_is_not_waited_for_forever(sensor: Sensor) -> None:
    deliver(sensor.raw, W, {A: triplet()[A]}, at=NOW + timedelta(days=30))
    assert windows(sensor.scan()) == [W]


def test_a_window_ahead_of_the_clock_is_held_until_its_time(sensor: Sensor) -> None:
    ahead = shift(key_of(NOW), LENGTH * 2)
    for known in (False, True):
        found = sensor.scan()
        assert windows(found) == []
        if known:
            assert found.waiting == {ahead: "its time has not come"}
        deliver(sensor.raw, ahead)
    assert windows(sensor.scan(start_of(ahead) - timedelta(seconds=1))) == []
    assert windows(sensor.scan(start_of(ahead))) == [ahead]


def test_a_folder_before_the_feeds_start_or_of_another_name_is_refused_with_a_reason(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    names = [
        "202512312350",
        "202601010005",
        "2026010100",
        "202613010000",
        "20260101000x",
        "notes",
        "２０２６０１０１００１０",
    ]
    for name in names:
        sensor.raw.write(f"imdb_raw_data/{name}/x.csv", b"")
    sensor.raw.write("imdb_raw_data/readme.txt", b"")
    assert windows(sensor.scan()) == [W]
    assert sensor.reconcile(NOW) == []
    rejected = SOURCE.shape.listing(sensor.raw, W, NOW).rejected_keys
    assert rejected.keys() == {f"imdb_raw_data/{name}" for name in (*names, "readme.txt")}
    assert "is before the feed's first window 202601010000" in rejected["imdb_raw_data/202512312350"]
    assert "is no ten-minute window" in rejected["imdb_raw_data/202601010005"]
    assert windows(sensor.scan()) == []


@pytest.mark.parametrize("days", [0, 30], ids=["folders looked into", "folders listed"])
def test_a_history_before_the_feeds_start_never_keeps_a_scan_from_the_feed(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setattr(arrivals, "LIST_AT_MOST", 5)
    for window in span(shift(W, -LENGTH * 12), W):
        deliver(sensor.raw, window)
    assert windows(sensor.scan(NOW + timedelta(days=days))) == [W]


def test_a_late_window_within_the_look_back_is_seen(sensor: Sensor) -> None:
    newest = shift(W, timedelta(hours=20))
    deliver(sensor.raw, newest)
    now = start_of(newest)
    sensor.scan(now)
    deliver(sensor.raw, W)
    assert windows(sensor.scan(now)) == [W]


def test_a_corrected_file_is_seen_and_the_same_content_is_not_asked_for_again(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    sensor.scan()
    corrected = triplet(pairs=[{"movie_id": 1, "person_id": 10}])
    deliver(sensor.raw, W, {B: corrected[B]})
    assert windows(sensor.scan()) == [W]
    assert windows(sensor.scan()) == []
    assert set(sensor.keys.values()) == {1}


def test_a_backlog_is_taken_up_some_at_a_time_and_leaves_nothing_out(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SCAN_AT_MOST", 40)
    every = list(span(W, shift(W, LENGTH * 99)))
    for window in every:
        deliver(sensor.raw, window, {A: b""})
    now = start_of(every[-1]) + timedelta(days=3)
    found = [windows(sensor.scan(now, run=False)) for _ in range(4)]
    assert [len(each) for each in found] == [40, 40, 20, 0]
    assert sorted(chain.from_iterable(found)) == every


def test_a_range_never_holds_more_than_five_hundred_windows() -> None:
    prints = dict.fromkeys(span(W, shift(W, LENGTH * 1100)), "x")
    assert [len(request.partitions) for request in arrivals.requests(prints)] == [500, 500, 101]


@pytest.mark.parametrize("lost", [None, "", "{", "[]", '{"settled": "yesterday"}', '{"of_other_code": 1}'])
def test_a_lost_cursor_asks_for_nothing_that_the_lake_has(sensor: Sensor, lost: str | None) -> None:
    for number, window in enumerate(span(W, shift(W, LENGTH * 29))):
        deliver(sensor.raw, window, BROKEN if number % 5 == 0 else None)
    now = at(60 * 30)
    assert len(windows(sensor.scan(now))) == 30
    corrected = shift(W, LENGTH * 7)
    deliver(sensor.raw, corrected, {f"{corrected}_type_B.csv": b"movie_id,person_id\n1,20\n"})
    sensor.cursor = Cursor.parse(lost)
    assert windows(sensor.scan(now)) == [corrected]
    assert windows(sensor.scan(now)) == []


def test_a_lost_cursor_over_old_history_opens_no_file_of_it(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts say by their names what was processed."""
    for window in span(W, shift(W, LENGTH * 29)):
        deliver(sensor.raw, window, at=start_of(W))
    sensor.scan(at(60 * 30))
    sensor.cursor = Cursor()
    asked: list[str] = []
    real = processing.provenance_of
    monkeypatch.setattr(processing, "provenance_of", lambda lake, window: asked.append(window) or real(lake, window))
    assert windows(sensor.scan(at(60 * 30))) == []
    assert len(asked) <= arrivals.PROBED_AT_MOST


@pytest.mark.parametrize("others", [0, 20], ids=["looked up", "listed"])
def test_a_clean_file_made_again_never_hides_a_later_delivery(sensor: Sensor, others: int) -> None:
    """The later delivery's run got lost, and the clean file is younger than it by days."""
    every = list(span(W, shift(W, LENGTH * others)))
    for window in every:
        deliver(sensor.raw, window, at=start_of(W))
    sensor.scan(at(60 * 30))
    late = every[-1]
    deliver(
        sensor.raw, late, triplet(late, pairs=[{"movie_id": 2, "person_id": 20}]), at=start_of(W) + timedelta(days=1)
    )
    processing.clean_again(sensor.lake, late)
    later = datetime.now(UTC) + timedelta(days=1)
    assert sensor.reconcile(later) == [late]
    sensor.cursor = Cursor()
    assert windows(sensor.scan(later)) == [late]


def test_the_cursor_remembers_no_more_than_the_look_back(sensor: Sensor) -> None:
    every = list(span(W, shift(W, timedelta(days=3))))
    for window in every:
        deliver(sensor.raw, window, {A: b""})
    sensor.scan(start_of(every[-1]), run=False)
    assert sensor.cursor.settled == every[-1]
    assert len(sensor.cursor.seen) == 145
    assert len(str(sensor.cursor)) < 6_000


def test_the_cursor_names_only_windows_that_are_not_processed(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    deliver(sensor.raw, NEXT, {**triplet(NEXT), f"{NEXT}_type_B.csv": b"?"})
    assert windows(sensor.scan()) == [W, NEXT]
    assert set(sensor.cursor.seen) == {W, NEXT}, "taken up a moment ago"
    assert windows(sensor.scan()) == []
    assert set(sensor.cursor.seen) == {NEXT}, "the lake has a receipt of the other one"


def test_a_cursor_that_an_earlier_version_wrote_is_read_and_gets_short(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    (found,) = sensor.scan().arrived
    sensor.cursor = Cursor.parse(f'{{"settled":"{W}","seen":{{"{W}":"{found.fingerprint}"}},"cycle":""}}')
    assert windows(sensor.scan()) == []
    assert sensor.cursor.settled == W
    assert sensor.cursor.seen == {}


@pytest.mark.parametrize("lost", [False, True])
def test_the_good_version_that_comes_back_after_a_refused_one_is_asked_for(sensor: Sensor, lost: bool) -> None:
    for files in (triplet(W), {**triplet(W), **BROKEN}):
        deliver(sensor.raw, W, files)
        sensor.scan()
        sensor.scan()
    assert refusals.get(sensor.lake, W) is not None
    deliver(sensor.raw, W, triplet(W))
    if lost:
        sensor.cursor = Cursor(settled=W)
    assert windows(sensor.scan()) == [W]
    assert refusals.get(sensor.lake, W) is None


def test_a_refusal_that_may_pass_or_is_of_older_code_is_tried_again_once_an_hour(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(sensor.raw, W, {**triplet(), **BROKEN})
    deliver(sensor.raw, NEXT, {**triplet(NEXT), f"{NEXT}_type_B.csv": b"?"})
    started = datetime.now(UTC)
    schedule = Schedule(W, SCHEDULE.grace, timedelta(days=10_000))
    sensor.schedule = schedule
    assert windows(sensor.scan(started)) == [W, NEXT]
    processing.refuse(sensor.lake, W, "the store did not answer", transient=True)
    # Each cycle after the hour asks again; Dagster makes one run of the requests that have one key.
    asked = {
        minute: sensor.scan(started + timedelta(minutes=minute), run=False).requests for minute in range(0, 200, 5)
    }
    assert {window for requests in asked.values() for request in requests for window in request.partitions} == {W}
    launched = {request.key: minute // 60 for minute in sorted(asked, reverse=True) for request in asked[minute]}
    assert sorted(launched.values()) == [1, 2, 3], "a run that got lost is made again an hour later, and no sooner"
    monkeypatch.setattr(processing, "CODE_VERSION", "newer")
    assert windows(sensor.scan(started + timedelta(minutes=210), run=False)) == [W, NEXT]


def test_a_refused_window_outside_the_look_back_runs_again_in_the_cycle_after_its_files_change(sensor: Sensor) -> None:
    deliver(sensor.raw, W, BROKEN)
    sensor.scan()
    newest = shift(W, timedelta(days=3))
    deliver(sensor.raw, newest)
    now = start_of(newest)
    assert windows(sensor.scan(now)) == [newest]
    assert windows(sensor.scan(now + timedelta(minutes=10))) == []
    deliver(sensor.raw, W)
    assert windows(sensor.scan(now + timedelta(minutes=15))) == [], "once a cycle of ten minutes"
    mended = sensor.scan(now + timedelta(minutes=20))
    assert windows(mended) == [W]
    assert [delivery.partition for delivery in mended.arrived] == [W], "its arrival is reported too"
    assert refusals.get(sensor.lake, W) is None
    assert windows(sensor.scan(now + timedelta(minutes=30))) == []


def test_a_run_lost_for_files_that_changed_behind_the_look_back_is_made_again_an_hour_later(sensor: Sensor) -> None:
    deliver(sensor.raw, W, BROKEN)
    sensor.scan()
    refusal = refusals.get(sensor.lake, W)
    assert refusal is not None
    now = datetime.fromisoformat(refusal.last_attempt) + timedelta(days=3)
    sensor.cursor = Cursor(settled=key_of(now))
    deliver(sensor.raw, W, at=now)
    sensor.keys.clear()
    for minutes in range(0, 120, 10):
        assert windows(sensor.scan(now + timedelta(minutes=minutes), run=False)) == [W]
    assert list(sensor.keys.values()) == [6, 6]


def test_many_refused_windows_are_gone_through_some_at_a_time(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "SCAN_AT_MOST", 4)
    every = list(span(W, shift(W, LENGTH * 10)))
    for window in every:
        processing.refuse(sensor.lake, window, "the store did not answer", transient=True)
    later = datetime.now(UTC) + timedelta(hours=2)
    found = [windows(sensor.scan(later, run=False)) for _ in range(4)]
    assert [len(each) for each in found] == [4, 4, 3, 0]
    assert sorted(chain.from_iterable(found)) == every


def test_reconciliation_finds_what_was_left_behind_and_the_sensor_takes_it_up(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    sensor.scan()
    newest = shift(W, timedelta(days=3))
    deliver(sensor.raw, newest)
    now = start_of(newest)
    sensor.scan(now)
    deliver(sensor.raw, NEXT)  # very late
    deliver(sensor.raw, W, triplet(pairs=[{"movie_id": 2, "person_id": 20}]))  # corrected, very late
    assert windows(sensor.scan(now)) == []
    assert sensor.reconcile(now) == [W, NEXT]
    found = sensor.scan(now)
    assert windows(found) == [W, NEXT]
    assert [delivery.partition for delivery in found.arrived] == [W, NEXT], "so that the UI shows them in step"
    assert windows(sensor.scan(now)) == []
    assert sensor.reconcile(now) == []


def test_a_run_that_got_lost_is_asked_for_again_under_another_key(sensor: Sensor) -> None:
    """Dagster ignores a request whose key it has seen, so the reconciliation's must differ."""
    deliver(sensor.raw, W)
    assert windows(sensor.scan(run=False)) == [W]
    sensor.reconcile(NOW)
    assert windows(sensor.scan()) == [W]
    assert len(sensor.keys) == 2


def test_what_is_owed_on_a_large_scale_is_taken_up_some_at_a_time(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SCAN_AT_MOST", 4)
    every = list(span(W, shift(W, LENGTH * 9)))
    for window in every:
        deliver(sensor.raw, window)
    sensor.cursor = Cursor(settled=shift(W, timedelta(days=3)))
    now = start_of(sensor.cursor.settled)
    assert sensor.reconcile(now) == every
    found = [windows(sensor.scan(now, run=False)) for _ in range(4)]
    assert [len(each) for each in found] == [4, 4, 2, 0]
    assert list(chain.from_iterable(found)) == every


def test_reconciliation_asks_for_what_the_lake_lost(sensor: Sensor) -> None:
    for window in (W, NEXT):
        deliver(sensor.raw, window)
    sensor.scan()
    sensor.lake.delete([processing.partitioned_key(NEXT)])
    assert sensor.owed(NOW) == {NEXT: "what was delivered is not processed"}


def test_reconciliation_asks_for_windows_that_are_in_the_lake_and_not_in_the_warehouse(
    sensor: Sensor, tmp_path: Path
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    made = {}
    for window in (W, NEXT):
        deliver(sensor.raw, window)
        made[window] = processing.process(sensor.raw, sensor.lake, window).provenance
    load(warehouse, sensor.lake, [made[W]], run_id="test")
    assert sensor.owed(NOW, warehouse) == {NEXT: "its rows are not loaded"}
    deliver(sensor.raw, W, triplet(pairs=[{"movie_id": 2, "person_id": 20}]))
    processing.process(sensor.raw, sensor.lake, W)
    assert list(sensor.owed(NOW, warehouse)) == [W, NEXT]
    assert sensor.owed(NOW) == {}, "the ledger cannot be asked"


def test_reconciliation_asks_for_a_refused_window_whose_served_version_is_not_in_the_warehouse(
    sensor: Sensor, tmp_path: Path
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    deliver(sensor.raw, W)
    made = processing.process(sensor.raw, sensor.lake, W).provenance
    assert made is not None
    deliver(sensor.raw, W, BROKEN)
    processing.process(sensor.raw, sensor.lake, W)
    assert list(sensor.owed(NOW, warehouse)) == [W]
    load(warehouse, sensor.lake, [made], run_id="test")
    assert sensor.owed(NOW, warehouse) == {}


@pytest.mark.parametrize("report", [b"", b"{", b"[]", b'{"time": "now"}', b'{"time": "now", "partitions": 3}'])
def test_a_report_that_cannot_be_read_is_no_reason_to_stop_scanning(sensor: Sensor, report: bytes) -> None:
    sensor.lake.write(reconciled.key_of(SOURCE.name, "here"), report)
    deliver(sensor.raw, W)
    assert windows(sensor.scan()) == [W]


def test_the_report_of_another_platform_on_the_same_lake_is_left_to_it(sensor: Sensor) -> None:
    deliver(sensor.raw, W)
    assert windows(sensor.scan(run=False)) == [W]
    reconciled.write(sensor.lake, SOURCE, "there", [W], NOW)
    assert windows(sensor.scan()) == []
    assert list(reconciled.read(sensor.lake, SOURCE.name, "there").owed) == [W]


class DeliveriesAndScans(RuleBasedStateMachine):
    """Deliveries, corrections, scans, lost cursors and reconciliations in any order, against a model.

    The model knows each window's content; at the end everything delivered and due was run on exactly its content.
    """

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.sensor = Sensor(open_store((root / "raw").as_uri()), open_store((root / "lake").as_uri()))
        self.content: dict[str, int] = {}
        self.ran: Counter[tuple[str, int]] = Counter()
        self.now = start_of(W) + timedelta(minutes=5)
        self.version = 0
        self.lost = False

    def _scan(self) -> None:
        found = self.sensor.scan(self.now)
        for window in windows(found):
            assert window <= key_of(self.now)
            self.ran[window, self.content[window]] += 1

    @rule(number=st.integers(0, 40), broken=st.booleans())
    def delivers(self, number: int, broken: bool) -> None:
        window = shift(W, LENGTH * number)
        self.version += 1
        self.content[window] = self.version
        people = b"id,imdb_person_id,full_name\n10,nm10,Version %d\n" % self.version
        name = f"{window}_type_C.csv"
        deliver(self.sensor.raw, window, {**triplet(window), name: b"?" if broken else people})
        path = self.sensor.raw.local_path(f"imdb_raw_data/{window}/{name}")
        assert path is not None
        # Deliveries are a second apart, so that each has its own etag.
        moment = datetime(2026, 1, 1, tzinfo=UTC).timestamp() + self.version
        os.utime(path, (moment, moment))

    @rule()
    def scans(self) -> None:
        self._scan()

    @rule(minutes=st.sampled_from([1, 10, 300]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def loses_the_cursor(self) -> None:
        self.sensor.cursor = Cursor()

    @rule()
    def reconciles(self) -> None:
        self.sensor.reconcile(self.now)

    @invariant()
    def nothing_ran_twice_on_the_same_content(self) -> None:
        assert all(times == 1 for times in getattr(self, "ran", Counter()).values())

    @invariant()
    def the_cursor_stays_small(self) -> None:
        if hasattr(self, "sensor"):
            assert len(str(self.sensor.cursor)) < 6_000

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.now += timedelta(days=1)
            self.sensor.reconcile(self.now)
            self._scan()
            self._scan()
            self.nothing_ran_twice_on_the_same_content()
            for window, version in self.content.items():
                assert self.ran[window, version] == 1
            self.folder.cleanup()


TestDeliveriesAndScans = DeliveriesAndScans.TestCase
TestDeliveriesAndScans.settings = hypothesis_settings(max_examples=80, stateful_step_count=20, deadline=None)
