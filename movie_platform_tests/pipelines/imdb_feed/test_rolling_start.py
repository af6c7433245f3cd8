"""A start that is so many days ago: where it begins, and what its move to another month leaves as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterDefinitionChangedDeserializationError
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.asset_backfill import _check_target_partitions_subset_is_valid
from dagster._core.test_utils import freeze_time
from dagster._grpc.impl import core_execute_run

from movie_platform import feed_start
from movie_platform.deliveries import reconciled
from movie_platform.feed_start import FeedStart, rolling
from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.arrivals import Cursor
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.report.feed import windows_of
from movie_platform.report.sources import Inputs
from movie_platform.settings import load_settings
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import deliver, movie, triplet

BEFORE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
AFTER = BEFORE + timedelta(minutes=2)
JOB = "imdb_feed_job"
OLD, KEPT = "202610310000", "202611150000"
"""Partitions of the definitions of before the move; after it only the second one."""


@pytest.mark.parametrize(
    ("days", "now", "start"),
    [
        (90, datetime(2026, 11, 25, tzinfo=UTC), "202608010000"),
        (90, datetime(2026, 11, 29, 23, 59, tzinfo=UTC), "202608010000"),
        (90, datetime(2026, 11, 30, tzinfo=UTC), "202609010000"),
        (1, datetime(2027, 1, 1, tzinfo=UTC), "202612010000"),
        (30, datetime(2026, 3, 2, 23, tzinfo=UTC), "202601010000"),
    ],
)
def test_it_is_the_first_window_of_the_month_of_so_many_days_ago(days: int, now: datetime, start: str) -> None:
    assert rolling(timedelta(days=days), now) == start
    east = now.astimezone(datetime.fromisoformat("2026-01-01T00:00+13:00").tzinfo)
    assert rolling(timedelta(days=days), east) == start


def test_a_window_is_a_start_as_it_is_and_nothing_older_is_a_delivery() -> None:
    start = load_settings(feed_start="202603010010").feed_start
    assert (start, start.first_delivery, start.first_run, start.is_rolling) == (start, start, start, False)
    assert start.with_older_runs() is start


@contextmanager
def at(now: datetime) -> Iterator[None]:
    """The settings and Dagster see this time."""
    with mock.patch.object(feed_start, "datetime", mock.Mock(wraps=datetime)) as clock, freeze_time(now):
        clock.now.return_value = now
        clock.strptime = datetime.strptime
        yield


class Deployment:
    """Code locations that come and go over one instance, raw side, lake and warehouse."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.variables = {
            "RAW_URI": (folder / "raw").as_uri(),
            "LAKE_URI": (folder / "lake").as_uri(),
            "WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
            "FEED_START": "30d",
            "NOTIFY": "log",
        }
        for name, value in self.variables.items():
            monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", value)
        monkeypatch.setenv("DAGSTER_HOME", str(folder / "dagster"))
        self.raw = open_store(self.variables["RAW_URI"])
        self.instance = dg.DagsterInstance.ephemeral()
        self.code = ReconstructableRepository.for_module("movie_platform.definitions", "defs", str(folder))

    def code_server(self, now: datetime) -> Any:
        """The repository of a code server that starts now, loaded as Dagster's own does."""
        with at(now):
            DefinitionsLoadContext.set(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION))
            from movie_platform.definitions import defs

            defs()
            return self.code.get_definition()

    def plan(self, repository: Any, **tags: str) -> dg.DagsterRun:
        """A run that this code server planned, and nothing has executed yet."""
        job = repository.get_job(JOB)
        tags = {f"dagster/{name}": value for name, value in tags.items()}
        return self.instance.create_run_for_job(
            job,
            create_execution_plan(job, tags=tags, repository_load_data=repository.repository_load_data),
            tags=tags,
            job_code_origin=self.code.get_reconstructable_job(JOB).get_python_origin(),
        )

    def execute(self, run: dg.DagsterRun, now: datetime) -> bool:
        """Dagster's own entry of a run's process, which loads the definitions anew."""
        with at(now):
            DefinitionsLoadContext._instance = None
            list(core_execute_run(self.code.get_reconstructable_job(JOB), run, self.instance, False))
        ended = self.instance.get_run_by_id(run.run_id)
        return ended is not None and ended.is_success


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    loading = DefinitionsLoadContext._instance
    yield Deployment(tmp_path, monkeypatch)
    DefinitionsLoadContext._instance = loading


RANGE = {"asset_partition_range_start": OLD, "asset_partition_range_end": "202610310010"}


def test_runs_that_were_planned_before_the_move_are_executed_after_it(deployment: Deployment) -> None:
    before = deployment.code_server(BEFORE)
    runs = [deployment.plan(before, partition=OLD), deployment.plan(before, **RANGE)]
    deployment.code_server(AFTER)
    for run in runs:
        deliver(deployment.raw, OLD, triplet(OLD, movies=[movie(1, title=run.run_id)]))
        assert deployment.execute(run, AFTER)
        loaded = deployment.instance.get_latest_materialization_event(dg.AssetKey("imdb_movies"))
        assert loaded is not None
        assert (loaded.run_id, loaded.asset_materialization.partition) == (run.run_id, OLD)


def test_a_retry_that_is_planned_after_the_move_fails_and_names_the_window(deployment: Deployment) -> None:
    deliver(deployment.raw, OLD)
    run = deployment.plan(deployment.code_server(AFTER), **RANGE)
    assert not deployment.execute(run, AFTER)
    failures = deployment.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert any(OLD in str(of.dagster_event and of.dagster_event.event_specific_data) for of in failures)


def test_a_backfill_under_way_goes_on_unless_the_move_took_windows_of_it(deployment: Deployment) -> None:
    before, after = (deployment.code_server(now).asset_graph for now in (BEFORE, AFTER))
    key = dg.AssetKey("imdb_movies")
    with at(AFTER):
        for window in (KEPT, OLD):
            stored = before.get(key).partitions_def.subset_with_partition_keys([window]).to_serializable_subset()
            taken = dg.deserialize_value(dg.serialize_value(stored))
            if window == KEPT:
                _check_target_partitions_subset_is_valid(key, after, taken, mock.Mock())
            else:
                with pytest.raises(DagsterDefinitionChangedDeserializationError, match=rf"were removed: .*{OLD}"):
                    _check_target_partitions_subset_is_valid(key, after, taken, mock.Mock())


def test_what_the_ui_shows_begins_with_the_new_start_and_keeps_what_it_knew(deployment: Deployment) -> None:
    key = dg.AssetKey("imdb_movies")
    for window in (OLD, KEPT):
        deployment.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=window))
    for now, first, shown in ((BEFORE, "202610010000", [OLD, KEPT]), (AFTER, "202611010000", [KEPT])):
        windows = deployment.code_server(now).asset_graph.get(key).partitions_def
        with at(now):
            assert windows.get_first_partition_key() == first
            known = deployment.instance.get_status_by_partition(key, windows.get_partition_keys(), windows) or {}
        assert [window for window, status in known.items() if status] == shown


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path, feed_start=FeedStart("202611010000", is_rolling=True))


def test_older_windows_are_deliveries_that_the_sensor_leaves_alone(platform: Platform) -> None:
    for window in (OLD, KEPT):
        deliver(platform.raw, window)
    tick = platform.tick()
    assert [request.partition_key for request in tick.run_requests] == [KEPT]
    assert not [event for event in tick.asset_events if "rejected keys" in event.metadata]
    start = platform.settings.feed_start
    status = feed_status(platform.raw, platform.lake, start.first_delivery, AFTER)
    assert (status.waiting, status.rejected.rejected) == ((OLD, KEPT), 0)


def test_older_windows_are_in_the_report(tmp_path: Path) -> None:
    earlier = Platform(tmp_path, feed_start=FeedStart("202610010000", is_rolling=True))
    deliver(earlier.raw, OLD)
    assert earlier.run(OLD).succeeded
    later = load_settings(feed_start=FeedStart("202611010000", is_rolling=True))
    assert windows_of(Inputs(earlier.lake, later, AFTER, mock.Mock())).served == [OLD]


def test_a_cursor_from_before_the_move_asks_for_nothing_again(tmp_path: Path) -> None:
    earlier = Platform(tmp_path, feed_start=FeedStart("202610010000", is_rolling=True))
    later = Platform(tmp_path, feed_start=FeedStart("202611010000", is_rolling=True))
    deliver(earlier.raw, OLD)
    tick = earlier.tick()
    assert [request.partition_key for request in tick.run_requests] == [OLD]
    assert Cursor.parse(tick.cursor).settled == OLD
    after = later.tick(tick.cursor)
    assert after.run_requests == []
    deliver(later.raw, KEPT)
    assert [request.partition_key for request in later.tick(after.cursor).run_requests] == [KEPT]


def test_the_reconciliation_names_what_is_owed_before_the_start_and_the_command_that_runs_it(
    platform: Platform, capfd: pytest.CaptureFixture[str]
) -> None:
    for window in (OLD, KEPT):
        deliver(platform.raw, window)
    job = platform.definitions.resolve_job_def("imdb_feed_reconciliation")
    assert job.execute_in_process(instance=platform.instance).success
    assert f"movie-platform run feed --from {OLD} --to {OLD}" in capfd.readouterr().err
    report = reconciled.read(platform.lake, "imdb_feed", platform.settings.platform_name)
    assert list(report.owed) == [KEPT]
    assert list(report.since) == [OLD, KEPT], "it counts as owed, so that notices are sent of it"
    assert report.rejected.rejected == 0
