"""Kills before any of Dagster's events, anywhere in a sensor's tick, and of all processes half-way a backfill."""

import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from bench.scale.year import backfilled
from movie_platform.orchestration.runs import instance
from movie_platform.pipelines.imdb_feed.arrivals import Cursor
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform_tests.deliveries.sources import Feed
from movie_platform_tests.faults.kills import Boundaries, Place, difference, settled
from movie_platform_tests.faults.processes import Processes
from movie_platform_tests.pipelines.imdb_feed.platform import ALL, Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver

WINDOWS = [shift(W, LENGTH * number) for number in range(5)]
SENSOR = "imdb_feed_arrivals"
WRITES = {
    "event_log_storage": ("store_event",),
    "run_storage": ("add_run", "handle_run_event", "add_run_tags"),
    "schedule_storage": ("create_tick", "update_tick", "add_instigator_state", "update_instigator_state"),
}

pytestmark = pytest.mark.soak


def announce(on: dg.DagsterInstance, boundaries: Boundaries) -> None:
    """Each write to the instance's databases is a boundary."""
    for storage, writes in WRITES.items():
        for write in writes:
            _announce(getattr(on, storage), write, boundaries)


def _announce(storage: Any, write: str, boundaries: Boundaries) -> None:
    real = getattr(storage, write)

    def announced(*arguments: Any, **options: Any) -> Any:
        event = getattr(arguments[0], "dagster_event", None) if arguments else None
        boundaries.before(f"{write} {event.event_type_value if event else ''}".strip())
        return real(*arguments, **options)

    setattr(storage, write, announced)


def killed_at_each(
    forked: Processes,
    names: list[str],
    places: tuple[Place, Place],
    work: Callable[..., Any],
    then: Callable[[Place], dict[str, object]],
    expected: dict[str, object],
) -> list[str]:
    """Where the work was killed and ended otherwise: each time it begins with what the first place holds."""
    ready, now = places
    wrong = []
    for at, name in enumerate(names, 1):
        ready.copied_to(now.folder)
        forked.start(work, now, at)
        assert forked.wait().code == -signal.SIGKILL
        if found := difference(forked.run(then, now), expected):
            wrong.append(f"{name}: {found}")
    return wrong


# A run


def delivered(place: Place, *windows: str) -> None:
    platform = Platform(place.folder)
    for window in windows:
        deliver(platform.raw, window)
    with instance(place.folder / "dagster"):
        pass


def run(place: Place, at: int = 0) -> list[str]:
    platform, boundaries = Platform(place.folder), Boundaries(at)
    with instance(place.folder / "dagster") as on:
        announce(on, boundaries)
        platform.instance = on
        outcome = platform.run(W)
    assert outcome.succeeded, outcome.message
    return boundaries.names


def run_again(place: Place) -> dict[str, object]:
    """What is there after it, in lake, warehouse and UI."""
    run(place)
    platform = Platform(place.folder)
    with instance(place.folder / "dagster") as on:
        platform.instance = on
        shown = {name: platform.statuses(name, W) for name in ALL}
        # A load that is skipped has the reason too, that the rows are there already.
        newest = {name: platform.materializations(name, W)[0].keys() - {"reason"} for name in ALL}
        return {**settled(place), "shown": shown, "newest": newest, "checks": platform.shown()}


def test_a_run_killed_before_any_event_of_dagster_and_run_again_ends_as_if_it_never_was(
    tmp_path: Path, forked: Processes
) -> None:
    ready, now = Place(Feed, tmp_path / "ready"), Place(Feed, tmp_path / "now")
    forked.run(delivered, ready, W)
    ready.copied_to(now.folder)
    names = forked.run(run, now)
    expected = forked.run(run_again, now)
    wrong = killed_at_each(forked, names, (ready, now), run, run_again, expected)
    print(f"Dagster's events of a run: {len(names)} kills, {len(wrong)} ended otherwise")
    assert wrong == []
    assert names.count("store_event ASSET_MATERIALIZATION") == len(ALL)


# A daemon in the middle of a tick


def tick(place: Place, at: int = 0) -> list[str]:
    """One turn of the sensor daemon over the platform's own code location."""
    os.environ.update(
        DAGSTER_HOME=str(place.folder / "dagster"),
        MOVIE_PLATFORM_RAW_URI=(place.folder / "raw").as_uri(),
        MOVIE_PLATFORM_LAKE_URI=(place.folder / "lake").as_uri(),
        MOVIE_PLATFORM_WAREHOUSE=f"duckdb:///{place.folder}/warehouse.duckdb",
        MOVIE_PLATFORM_FEED_START=W,
        MOVIE_PLATFORM_SENSOR_INTERVAL="1s",
    )
    boundaries = Boundaries(at)
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="movie_platform.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="movie_platform")
    with (
        instance(place.folder / "dagster") as on,
        WorkspaceProcessContext(on, InProcessWorkspaceLoadTarget(origin)) as context,
    ):
        (location,) = context.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        for sensor in repository.get_sensors():
            if sensor.name != SENSOR:
                on.stop_sensor(sensor.get_remote_origin_id(), sensor.selector_id, sensor)
        announce(on, boundaries)
        for error in execute_sensor_iteration(context, logging.getLogger("daemon"), None, None):
            assert error is None, error
    return boundaries.names


def asked(place: Place) -> dict[str, object]:
    """After three more turns: the runs by window, what was reported as arrived, and how far the cursor is."""
    for _ in range(3):
        time.sleep(1.1)  # the sensor's interval
        tick(place)
    with instance(place.folder / "dagster") as on:
        runs = Counter(run.tags["dagster/partition"] for run in on.get_runs())
        arrived = on.get_materialized_partitions(dg.AssetKey(SOURCE.raw_asset))
        (state,) = [of for of in on.all_instigator_state() if of.name == SENSOR]
        assert isinstance(state.instigator_data, SensorInstigatorData)
        cursor = Cursor.parse(state.instigator_data.cursor)
        return {"runs": runs, "arrived": arrived, "settled": cursor.settled, "seen": cursor.seen}


def test_a_daemon_killed_anywhere_in_a_tick_asks_for_each_window_once(tmp_path: Path, forked: Processes) -> None:
    ready, now = Place(Feed, tmp_path / "ready"), Place(Feed, tmp_path / "now")
    forked.run(delivered, ready, *WINDOWS)
    ready.copied_to(now.folder)
    names = forked.run(tick, now)
    expected = forked.run(asked, now)
    assert expected["runs"] == dict.fromkeys(WINDOWS, 1)
    assert names.count("add_run") == len(WINDOWS)
    wrong = killed_at_each(forked, names, (ready, now), tick, asked, expected)
    print(f"a sensor's tick: {len(names)} kills, {len(wrong)} ended otherwise")
    assert wrong == []


# A backfill


def test_a_backfill_of_200_windows_of_which_all_processes_are_killed_half_way_ends_whole(tmp_path: Path) -> None:
    account = backfilled(tmp_path, 200, 3, kill=True)
    assert account.is_whole, account
