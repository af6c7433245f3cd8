"""A window's way through the lake: whole, repeatable, and with a reason where it ends early."""

import io
import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from movie_platform.deliveries import manifests, receipts
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import processing, refusals, transforms
from movie_platform.pipelines.imdb_feed.deliveries import NAME, Windows
from movie_platform.pipelines.imdb_feed.processing import Outcome, process, process_all
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform_tests.pipelines.imdb_feed.triplets import (
    LATER,
    NEXT,
    A,
    B,
    C,
    W,
    deliver,
    everything,
    movie,
    pair,
    person,
    products,
    triplet,
)

WITH_FAULTS = triplet(movies=[movie(1), movie(2), movie(3), movie(4, imdb_rating=11)])
SERVED = (f"clean_files/{W}.parquet", f"partitioned/filetime={W}/{W}.parquet")


def titles(lake: ObjectStore, key: str = SERVED[0]) -> list[str]:
    return pq.read_table(io.BytesIO(lake.read(key)))["title"].to_pylist()


def listed(lake: ObjectStore) -> list[dict[str, object]]:
    refusals.rebuild_log(lake)
    return [json.loads(line) for line in lake.read("unprocessed.log").decode().splitlines()]


class FailingStore(LocalStore):
    """A disk that fails at the n-th change and at every later one, as a killed process leaves it."""

    def __init__(self, uri: str, changes: int) -> None:
        super().__init__(uri)
        self.left = changes

    def _change(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def write(self, key: str, data: bytes) -> str:
        self._change()
        return super().write(key, data)

    def create(self, key: str, data: bytes) -> bool:
        self._change()
        return super().create(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._change()
            super().delete([key])


class UnreachableStore(LocalStore):
    """A store that does not answer for some keys."""

    def __init__(self, uri: str, *unreachable: str) -> None:
        super().__init__(uri)
        self.unreachable = unreachable

    def read_with_info(self, key: str):
        self._refuse(key)
        return super().read_with_info(key)

    def write(self, key: str, data: bytes) -> str:
        self._refuse(key)
        return super().write(key, data)

    def _refuse(self, key: str) -> None:
        if any(part in key for part in self.unreachable):
            raise WorldUnavailable(f"{self.uri_of(key)} could not be reached: timed out")


def test_a_good_window_is_archived_byte_for_byte_and_cleaned(store: ObjectStore, lake: ObjectStore) -> None:
    deliver(store, W)
    outcome = process(store, lake, W)
    assert outcome.provenance is not None
    assert everything(lake, "archive/") == {f"archive/{W}/{name}": data for name, data in triplet().items()}
    own = f"deliveries/imdb_feed/{W}/"
    assert sorted(everything(lake)) == sorted([*everything(lake, "archive/"), *everything(lake, own), *SERVED])
    receipt, manifest = everything(lake, own)
    assert manifest == f"{own}000000001.json"
    assert receipt.startswith(f"{own}000000001.")
    assert receipt.endswith(".receipt")
    assert lake.read(SERVED[0]) == lake.read(SERVED[1])
    assert titles(lake) == ["Movie 1", "Movie 2"]


def test_what_was_left_out_lies_beside_with_source_record_and_reason(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, WITH_FAULTS)
    outcome = process(raw, lake, W)
    assert outcome.clean is not None
    assert (outcome.clean.rows, outcome.clean.rejected, outcome.clean.quarantined) == (2, 1, 1)
    (reject,) = pq.read_table(io.BytesIO(lake.read(f"rejects/imdb_feed/{W}.parquet"))).to_pylist()
    assert (reject["source"], reject["record"], reject["reason"]) == (A, 3, "it has no director in type_B")
    (bad,) = pq.read_table(io.BytesIO(lake.read(f"bad-records/imdb_feed/{W}.parquet"))).to_pylist()
    assert (bad["source"], bad["record"], bad["rules"]) == (A, 4, ["imdb_rating_between_0_and_10"])


def test_the_clean_file_says_what_it_was_made_from(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    process(raw, lake, W)
    found = processing.provenance_of(lake, W)
    assert found is not None
    assert found.files.keys() == {A, B, C}
    assert found.files[A].etag == next(i.etag for i in raw.objects(f"imdb_raw_data/{W}/") if i.key.endswith(A))
    assert (found.files[C].rows, found.clean_rows, found.code_version) == (3, 2, processing.CODE_VERSION)


def test_a_window_without_files_is_no_fault(raw: ObjectStore, lake: ObjectStore) -> None:
    assert process(raw, lake, W) == Outcome(W)
    assert everything(lake) == {}


def test_a_refused_window_leaves_nothing_but_its_reason(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, {**triplet(), B: b"movie_id,person_id\n1\n"})
    outcome = process(raw, lake, W)
    assert outcome.refusal is not None
    assert list(everything(lake)) == [f"unprocessed/{W}.json"]
    (line,) = listed(lake)
    assert list(line) == ["window", "reason", "attempts", "first_seen", "last_attempt"]
    assert (line["window"], line["attempts"]) == (W, 1)
    assert line["reason"] == f"records: {B} record 1 (line 2) has 1 fields where the header names 2"


def test_attempts_are_counted_and_a_window_that_becomes_good_leaves_the_log(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    deliver(raw, W, {**triplet(), C: b""})
    process(raw, lake, W)
    first = listed(lake)[0]["first_seen"]
    process(raw, lake, W)
    (line,) = listed(lake)
    assert (line["attempts"], line["first_seen"]) == (2, first)
    deliver(raw, W)
    outcome = process(raw, lake, W)
    assert outcome.cleared is not None
    assert listed(lake) == []
    assert lake.read("unprocessed.log") == b""


def test_a_corrected_delivery_replaces_its_window_everywhere_and_removes_what_is_stale(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    deliver(raw, W, WITH_FAULTS)
    process(raw, lake, W)
    corrected = triplet(movies=[movie(1, title="Corrected")])
    deliver(raw, W, corrected)
    process(raw, lake, W)
    assert titles(lake, SERVED[0]) == titles(lake, SERVED[1]) == ["Corrected"]
    assert everything(lake, "archive/") == {f"archive/{W}/{name}": data for name, data in corrected.items()}
    assert everything(lake, "rejects/") == everything(lake, "bad-records/") == {}


def test_a_good_window_delivered_again_broken_keeps_serving_and_is_listed_so(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    deliver(raw, W)
    made = process(raw, lake, W).provenance
    before = everything(lake)
    deliver(raw, W, {**triplet(), A: b""})
    outcome = process(raw, lake, W)
    assert made is not None
    assert outcome.refusal is not None
    assert outcome.refusal.serves == made.delivered_at
    assert f"has_rows: {A} is empty (the version delivered at {made.delivered_at} is served)" in str(listed(lake)[0])
    assert {key: data for key, data in everything(lake).items() if not key.startswith("unprocessed")} == before


def test_a_refused_window_whose_files_are_taken_away_stays_listed(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, {A: b""})
    process(raw, lake, W)
    raw.delete([f"imdb_raw_data/{W}/{A}"])
    process(raw, lake, W)
    assert "nothing is in the window's folder any more" in str(listed(lake)[0]["reason"])


def test_the_same_delivery_gives_the_same_bytes(raw: ObjectStore, lake: ObjectStore, tmp_path: Path) -> None:
    deliver(raw, W, WITH_FAULTS)
    process(raw, lake, W)
    other = open_store((tmp_path / "other").as_uri())
    process(raw, other, W)
    process(raw, other, W)
    assert products(other) == products(lake)
    assert manifests.latest_sequence(other, NAME, W) == 1


def test_local_disk_and_s3_give_the_same_objects(bucket: str, raw: ObjectStore, lake: ObjectStore) -> None:
    s3_raw, s3_lake = open_store(bucket + "/raw"), open_store(bucket + "/lake")
    windows = list(span(W, shift(W, LENGTH * 3)))
    deliveries = [WITH_FAULTS, triplet(windows[1]), {**triplet(windows[2]), "x.csv": b"?"}, triplet(windows[3])]
    for one_raw, one_lake in ((raw, lake), (s3_raw, s3_lake)):
        for window, files in zip(windows, deliveries, strict=True):
            deliver(one_raw, window, files)
        list(process_all(one_raw, one_lake, windows))
        refusals.rebuild_log(one_lake)
    assert (
        receipts.standings(lake, NAME).keys() == receipts.standings(s3_lake, NAME).keys() == {W, windows[1], windows[3]}
    )
    on_disk, in_bucket = products(lake), products(s3_lake)
    assert on_disk.keys() == in_bucket.keys()
    for key, data in on_disk.items():
        if key.endswith(".parquet"):
            assert pq.read_table(io.BytesIO(data)).equals(pq.read_table(io.BytesIO(in_bucket[key]))), key
        elif key.startswith("archive/"):
            assert data == in_bucket[key]
        else:
            assert [_timeless(line) for line in data.splitlines()] == [
                _timeless(x) for x in in_bucket[key].splitlines()
            ]


def _timeless(line: bytes) -> str:
    """A line of a marker or the log without times and etags, which differ from store to store."""
    if line.startswith(b'{"window"'):
        return str({k: v for k, v in json.loads(line).items() if k not in ("first_seen", "last_attempt")})
    return "" if any(key in line for key in (b"first_seen", b"last_attempt", b'.csv": ')) else line.decode()


def test_a_run_that_dies_between_any_two_changes_converges_when_it_runs_again(
    raw: ObjectStore, lake: ObjectStore, tmp_path: Path
) -> None:
    """From a window with rejects and a marker to a corrected one without."""
    deliver(raw, W, WITH_FAULTS)
    process(raw, lake, W)
    deliver(raw, W, {**triplet(), B: b""})
    process(raw, lake, W)
    start = everything(lake)
    deliver(raw, W, triplet(movies=[movie(1, title="Corrected"), movie(2)]))
    process(raw, lake, W)
    goal = products(lake)
    died = 0
    for changes in range(100):
        uri = (tmp_path / f"lake-{changes}").as_uri()
        torn = open_store(uri)
        for key, data in start.items():
            torn.write(key, data)
        try:
            process(raw, FailingStore(uri, changes), W)
        except KeyboardInterrupt:
            died += 1
            whole = {"Movie 1", "Corrected"}
            assert all(titles(torn, key)[0] in whole for key in SERVED), "a reader never sees half a window"
        else:
            break
        process(raw, torn, W)
        assert products(torn) == goal, f"died at change {changes + 1}"
        (delivery,) = Windows().listing(raw, W, LATER, W).deliveries.values()
        made = receipts.made_in(torn, SOURCE.made)[W]
        assert receipts.standing(torn, NAME, W).has_processed(delivery.fingerprint, made)
    # Three archived files and their manifest, two stale objects, two clean files, the receipt, the one that it
    # replaces, the marker.
    assert died == 11


def test_a_store_that_does_not_answer_for_one_window_never_holds_back_another(tmp_path: Path) -> None:
    raw = UnreachableStore((tmp_path / "raw").as_uri(), f"{NEXT}_type_B")
    lake = open_store((tmp_path / "lake").as_uri())
    windows = list(span(W, shift(W, LENGTH * 4)))
    for window in windows:
        for name, data in triplet(window).items():
            LocalStore.write(raw, f"imdb_raw_data/{window}/{name}", data)
    outcomes = list(process_all(raw, lake, windows))
    assert [outcome.window for outcome in outcomes] == windows
    assert [o.window for o in outcomes if o.refusal] == [NEXT]
    refusal = refusals.get(lake, NEXT)
    assert refusal is not None
    assert refusal.transient
    assert "could not be reached" in refusal.reason


def test_a_lake_that_fails_for_one_window_makes_it_a_transient_refusal(raw: ObjectStore, tmp_path: Path) -> None:
    lake = UnreachableStore((tmp_path / "lake").as_uri(), f"clean_files/{NEXT}")
    for window in (W, NEXT):
        deliver(raw, window)
    good, bad = process_all(raw, lake, [W, NEXT])
    assert good.clean is not None
    assert bad.refusal is not None
    assert bad.refusal.transient


def test_a_fault_of_ours_stays_with_its_window_and_is_told(
    raw: ObjectStore, lake: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(triplet_: object) -> object:
        return 1 / 0 if triplet_.window == NEXT else real(triplet_)  # type: ignore[attr-defined,arg-type]

    real = transforms.clean
    monkeypatch.setattr(transforms, "clean", faulty)
    for window in (W, NEXT):
        deliver(raw, window)
    good, bad = process_all(raw, lake, [W, NEXT])
    assert good.clean is not None
    assert bad.refusal is not None
    assert bad.refusal.reason == "a fault of the platform: ZeroDivisionError: division by zero"
    assert "Traceback" in caplog.text


def test_clean_files_are_made_again_from_the_archive_alone(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, WITH_FAULTS)
    process(raw, lake, W)
    before = products(lake)
    raw.delete([info.key for info in raw.objects()])
    lake.delete([f"partitioned/filetime={W}/{W}.parquet", f"rejects/imdb_feed/{W}.parquet"])
    outcome = processing.clean_again(lake, W)
    assert outcome.clean is not None
    assert products(lake) == before
    assert receipts.standing(lake, NAME, W).receipts[0].made == receipts.made_in(lake, SOURCE.made)[W]


def test_clean_files_made_again_leave_the_refusal_of_a_later_delivery(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    process(raw, lake, W)
    deliver(raw, W, {C: b""})
    refusal = process(raw, lake, W).refusal
    outcome = processing.clean_again(lake, W)
    assert outcome.clean is not None
    assert outcome.cleared is None
    assert refusals.get(lake, W) == refusal
    assert listed(lake)[0]["reason"].startswith(f"has_rows: {C} is empty")  # type: ignore[attr-defined]


def test_clean_files_made_again_clear_the_refusal_of_their_own_delivery(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    made = process(raw, lake, W).provenance
    assert made is not None
    etags = {name: facts.etag for name, facts in made.files.items()}
    owed = processing.refuse(lake, W, "it is not in the catalog", transient=True, files=etags)
    assert processing.clean_again(lake, W).cleared == owed
    assert listed(lake) == []


def test_an_archive_alone_leaves_the_clean_file_as_it_was(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    process(raw, lake, W, until_archive=True)
    archived = [f"archive/{W}/{name}" for name in (A, B, C)]
    assert sorted(everything(lake)) == [*archived, f"deliveries/imdb_feed/{W}/000000001.json"]
    assert [outcome.clean.rows for outcome in processing.clean_all_again(lake, [W, NEXT]) if outcome.clean] == [2]


def test_a_window_whose_movies_are_all_rejected_is_processed_with_no_rows(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, triplet(pairs=[pair(99, 10)], people=[person(10)]))
    outcome = process(raw, lake, W)
    assert outcome.clean is not None
    assert (outcome.clean.rows, outcome.clean.rejected) == (0, 2)


def test_a_file_that_is_not_ours_among_the_clean_ones_is_no_window(lake: ObjectStore) -> None:
    lake.write("clean_files/notes.txt", b"hello")
    lake.write(f"clean_files/{W}.parquet", b"hello")
    assert processing.processed_windows(lake) == [W]
    assert processing.provenance_of(lake, W) is None


def test_concurrent_runs_leave_a_log_that_is_right(lake: ObjectStore) -> None:
    """Each run marks or clears its own windows and rebuilds the log; the last to look leaves it right."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    windows = [shift(W, LENGTH * n) for n in range(24)]

    def run(mine: list[str]) -> None:
        for turn, window in enumerate(mine * 2):
            processing.refuse(lake, window, f"turn {turn}, {now - timedelta(days=1)}")
            refusals.rebuild_log(lake)
            if turn % 3:
                refusals.clear(lake, window)
                refusals.rebuild_log(lake)

    threads = [threading.Thread(target=run, args=(windows[n::6],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logged = [json.loads(line)["window"] for line in lake.read("unprocessed.log").decode().splitlines()]
    assert logged == refusals.windows(lake)


def test_a_marker_that_cannot_be_read_is_listed_and_tried_again(lake: ObjectStore) -> None:
    lake.write(f"unprocessed/{W}.json", b"{")
    lake.write(f"unprocessed/{NEXT}.json", b'{"window": "x", "of_later_code": 1}')
    assert [line["window"] for line in listed(lake)] == [W, NEXT]
    assert all(refusal.transient for refusal in refusals.every(lake))


def test_the_raw_side_is_never_written(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    deliver(raw, NEXT, {"x": b""})
    folder = Path(urlsplit(raw.uri).path) / "imdb_raw_data"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    list(process_all(raw, lake, [W, NEXT]))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_each_other_content_takes_the_next_sequence_and_the_same_content_keeps_it(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    sequences, titles_then = [], []
    for title in ("A", "A", "B", "A"):
        deliver(raw, W, triplet(movies=[movie(1, title=title)]))
        made = process(raw, lake, W).provenance
        assert made is not None
        sequences.append(made.sequence)
        titles_then += titles(lake)
    assert sequences == [1, 1, 2, 3]
    assert titles_then == ["A", "A", "B", "A"]


def test_a_correction_with_an_older_time_is_the_current_delivery(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W, at=LATER)
    process(raw, lake, W)
    deliver(raw, W, triplet(movies=[movie(1, title="Restored")]), at=LATER - timedelta(days=30))
    made = process(raw, lake, W).provenance
    assert made is not None
    assert made.sequence == 2
    assert titles(lake) == ["Restored"]


def test_files_that_go_away_change_nothing(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    process(raw, lake, W)
    before = products(lake)
    for name in (A, B, C):
        raw.delete([f"imdb_raw_data/{W}/{name}"])
        assert process(raw, lake, W).refusal is None
        assert products(lake) == before


def test_clean_files_are_never_made_from_an_archive_that_a_run_tore(raw: ObjectStore, lake: ObjectStore) -> None:
    """A run that dies at its second archived file of a correction leaves a triplet that nobody delivered."""
    deliver(raw, W, triplet(movies=[movie(1, title="First")]))
    process(raw, lake, W)
    corrected = triplet(movies=[movie(1, title="Corrected")], people=[person(10, full_name="Corrected")])
    deliver(raw, W, corrected)
    with pytest.raises(KeyboardInterrupt):
        process(raw, FailingStore(lake.uri, 1), W)
    refusal = processing.clean_again(lake, W).refusal
    assert refusal is not None
    assert "is not whole" in refusal.reason
    assert titles(lake) == ["First"]
    assert process(raw, lake, W).refusal is None
    assert titles(lake) == ["Corrected"]
    assert everything(lake, "archive/") == {f"archive/{W}/{name}": data for name, data in corrected.items()}
