"""A file that is too large to be held in memory is refused by its size in the listing, before it is read."""

from pathlib import Path

import pytest

from movie_platform.lake import LocalStore, ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.deliveries import MAX_BYTES
from movie_platform.pipelines.imdb_feed.processing import process, process_all
from movie_platform.settings import load_settings
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, A, W, deliver, everything, triplet


class NeverRead(LocalStore):
    """A raw side of which nothing may be read."""

    def read_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        raise AssertionError(f"{key} was read")


def test_a_file_beyond_the_limit_is_refused_and_not_read(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    assert isinstance(raw, LocalStore)
    with Path(raw.root / f"imdb_raw_data/{W}/{A}").open("r+b") as file:
        file.truncate(10**12)  # sparse: it takes no room on the disk
    outcome = process(NeverRead(raw.uri), lake, W)
    assert outcome.refusal is not None
    assert outcome.refusal.reason == (
        f"size: {A} has 1,000,000,000,000 bytes, and at most 100,000,000 are allowed: deliver it smaller, or raise "
        "MOVIE_PLATFORM_FEED_MAX_BYTES and run the window again"
    )
    assert not outcome.refusal.transient
    assert refusals.get(lake, W) == outcome.refusal
    assert everything(lake, "archive/") == {}


def test_the_limit_is_the_settings_and_a_window_that_is_run_again_below_a_higher_one_is_processed(
    raw: ObjectStore, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_FEED_MAX_BYTES", str(len(triplet()[A]) - 1))
    deliver(raw, W)
    refused, nothing = process_all(raw, lake, [W, NEXT], max_bytes=load_settings().feed_max_bytes)
    assert refused.refusal is not None
    assert refused.refusal.rules == ("size",)
    assert nothing.refusal is None
    monkeypatch.delenv("MOVIE_PLATFORM_FEED_MAX_BYTES")
    (done,) = process_all(raw, lake, [W], max_bytes=load_settings().feed_max_bytes)
    assert (done.refusal, refusals.get(lake, W), load_settings().feed_max_bytes) == (None, None, MAX_BYTES)
    assert done.clean is not None


def test_a_file_that_is_no_part_of_the_window_may_have_any_size(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    raw.write(f"imdb_raw_data/{W}/notes.txt", b"x" * 5_000)
    outcome = process(raw, lake, W, max_bytes=4_000)
    assert outcome.refusal is not None
    assert outcome.refusal.rules == ("three_files",)


@pytest.mark.parametrize("end", [b"", b"1,2\n"], ids=["sound", "faulty"])
def test_a_large_file_fares_as_a_small_one_does(
    end: bytes, store: ObjectStore, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = triplet()
    deliver(store, W, {**files, A: files[A] + end})
    monkeypatch.setattr("movie_platform.pipelines.imdb_feed.deliveries.REMEMBERED_BYTES", 10)
    large = process(store, lake, W)
    monkeypatch.undo()
    small = process(store, lake, W)
    assert small.rules == large.rules
    assert (small.refusal and small.refusal.reason) == (large.refusal and large.refusal.reason)
    assert bool(large.clean) == (end == b"")
