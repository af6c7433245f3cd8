"""What one bad object, a full lake or a killed run does to the others: nothing."""

from pathlib import Path

import pytest

from movie_platform.definitions import build_defs
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.runs import run_partitions
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.loading import load
from movie_platform_tests.deliveries.sources import hook
from movie_platform_tests.pipelines.imdb_feed.platform import ALL, Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, W, deliver, triplet


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def run_on(platform: Platform, lake: ObjectStore, *windows: str) -> bool:
    definitions = build_defs(platform.settings, resources={"lake": lake})
    return run_partitions(definitions, ALL, windows, platform.instance).succeeded


def test_a_full_lake_does_not_stop_the_load_of_what_is_already_clean(platform: Platform) -> None:
    deliver(platform.raw, W)
    processing.process(platform.raw, platform.lake, W)  # clean, and not loaded
    deliver(platform.raw, NEXT, triplet(NEXT))

    def full(key: str) -> None:
        raise WorldUnavailable(f"{key}: no space left on device")

    assert not run_on(platform, hook(platform.lake, full), W, NEXT)
    assert {row.partition for row in platform.ledger()} == {W}
    assert run_on(platform, platform.lake, W, NEXT)
    assert {row.partition for row in platform.ledger()} == {W, NEXT}


def test_a_window_that_cannot_be_written_holds_back_no_other_one(platform: Platform) -> None:
    for window in (W, NEXT):
        deliver(platform.raw, window, triplet(window))

    def bad_place(key: str) -> None:
        if W in key:
            raise WorldUnavailable(f"{key} cannot be written")

    assert not run_on(platform, hook(platform.lake, bad_place), W, NEXT)
    assert {row.partition for row in platform.ledger()} == {NEXT}


def test_a_clean_file_that_cannot_be_read_holds_back_no_other_load(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for window in (W, NEXT):
        deliver(platform.raw, window, triplet(window))
        made.append(processing.process(platform.raw, platform.lake, window).provenance)
    open_object = platform.lake.open

    def unreadable(key: str) -> object:
        if W in key:
            raise WorldUnavailable(f"{key} cannot be read")
        return open_object(key)

    monkeypatch.setattr(platform.lake, "open", unreadable)
    loads = load(platform.warehouse, platform.lake, [of for of in made if of], run_id="test")
    assert [result.partition for result in loads.results] == [NEXT]
    assert [(failed.window, "cannot be read" in reason) for failed, reason in loads.failed] == [(W, True)]


def test_the_log_says_what_the_markers_say_as_soon_as_a_killed_runs_successor_has_started(platform: Platform) -> None:
    deliver(platform.raw, W, {"x.csv": b""})
    platform.run(W)
    assert W in platform.lake.read(refusals.LOG).decode()
    refusals.clear(platform.lake, W)  # a run that mended the window was killed before it wrote the log
    seen: list[str] = []

    def before_change(key: str) -> None:
        if key != refusals.LOG:
            seen.append(platform.lake.read(refusals.LOG).decode())

    deliver(platform.raw, NEXT, triplet(NEXT))
    run_on(platform, hook(platform.lake, before_change), NEXT)
    assert seen[0] == ""
