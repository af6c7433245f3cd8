"""Whoever is to be told hears how each run ended, once, and which checks failed in it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.notify import Notice, Notifier
from movie_platform.orchestration.run_notices import NOTIFIED, notify_of_run, run_sensors

DAYS = dg.DailyPartitionsDefinition("2026-01-01")


@dg.multi_asset(
    specs=[dg.AssetSpec("movies", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("rated", asset="movies"), dg.AssetCheckSpec("titled", asset="movies")],
    partitions_def=DAYS,
)
def movies(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield dg.MaterializeResult("movies")
    yield dg.AssetCheckResult(
        check_name="rated",
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="3 of 10 rows do not meet the rule",
        metadata={"metric Column.rating.Compliance": 0.7, "outcome": "Failed"},
    )
    yield dg.AssetCheckResult(check_name="titled", passed=True)


@dg.asset(partitions_def=DAYS)
def refused() -> None:
    raise dg.Failure("the delivery is blocked by RowCount > 10", allow_retries=False)


class Pager:
    name = "pager"

    def __init__(self) -> None:
        self.heard: list[Notice] = []
        self.is_broken = False

    def send(self, notice: Notice) -> None:
        if self.is_broken:
            raise PlatformError("the pager has no battery")
        self.heard.append(notice)

    def examine(self) -> str:
        return "rings"


@pytest.fixture
def pager() -> Pager:
    return Pager()


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


@pytest.fixture
def notifier(pager: Pager) -> Notifier:
    return Notifier([pager], ui="http://ui")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def run_of(asset: dg.AssetsDefinition, instance: dg.DagsterInstance) -> str:
    done = dg.materialize([asset], partition_key="2026-01-05", instance=instance, raise_on_error=False)
    return done.run_id


def test_a_green_run_with_failed_checks_says_which_and_by_how_much(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    run_id = run_of(movies, instance)
    notify_of_run(instance, run_id, notifier, lake)
    (notice,) = pager.heard
    assert notice.subject.startswith("Succeeded with 1 failed checks: ")
    assert "rated on movies" in notice.body
    assert "Column.rating.Compliance 0.7" in notice.body
    assert "1 of 2 passed" in notice.body
    assert f"http://ui/runs/{run_id}" in notice.body
    assert "2026-01-05" in notice.body


def test_a_failed_run_says_why(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    notify_of_run(instance, run_of(refused, instance), notifier, lake)
    (notice,) = pager.heard
    assert notice.subject.startswith("FAILED")
    assert "blocked by RowCount > 10" in notice.body


def test_a_run_is_told_once(instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore) -> None:
    run_id = run_of(movies, instance)
    for _ in range(3):
        notify_of_run(instance, run_id, notifier, lake)
    assert len(pager.heard) == 1
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[NOTIFIED] == "pager"


def test_a_run_that_is_started_again_is_not_told(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    run_id = run_of(refused, instance)
    instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    notify_of_run(instance, run_id, notifier, lake)
    assert pager.heard == []


def test_only_a_failed_run_that_dagster_does_not_start_again_is_notified(
    notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    overrides = {"run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": True}}
    with dg.instance_for_test(overrides=overrides) as instance:
        first = run_of(refused, instance)
        notify_of_run(instance, first, notifier, lake)
        assert pager.heard == []
        last = dg.materialize(
            [refused],
            partition_key="2026-01-05",
            instance=instance,
            raise_on_error=False,
            tags={"dagster/max_retries": "0"},
        )
        notify_of_run(instance, last.run_id, notifier, lake)
    assert [notice.subject.partition(":")[0] for notice in pager.heard] == ["FAILED"]


def test_a_run_says_what_it_loaded_and_which_views_it_refreshed(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    @dg.asset(partitions_def=DAYS)
    def loaded() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"load": "loaded", "refreshed": "movies.year_aggregated"})

    notify_of_run(instance, run_of(loaded, instance), notifier, lake)
    assert "Load:       loaded 2026-01-05 loaded, movies.year_aggregated refreshed" in pager.heard[0].body


def test_a_notifier_that_is_not_reached_shows_in_the_sensor_and_is_told_by_the_next_call(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    run_id = run_of(movies, instance)
    pager.is_broken = True
    with pytest.raises(PlatformError, match="no battery"):
        notify_of_run(instance, run_id, notifier, lake)
    pager.is_broken = False
    notify_of_run(instance, run_id, notifier, lake)
    assert len(pager.heard) == 1


def test_the_sensors_tell_of_runs_that_failed_and_that_succeeded(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    for sensor, asset, event in zip(
        sorted(run_sensors(), key=lambda sensor: sensor.name),
        (refused, movies),
        (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS),
        strict=True,
    ):
        run_id = run_of(asset, instance)
        run = instance.get_run_by_id(run_id)
        assert run is not None
        (record,) = instance.get_records_for_run(run_id, of_type=event).records
        context = dg.build_run_status_sensor_context(
            sensor.name,
            record.event_log_entry.get_dagster_event(),
            instance,
            run,
            resources={"notifier": notifier, "lake": lake},
        )
        sensor(context)
    assert [json.loads(json.dumps(dict(notice.detail)))["state"] for notice in pager.heard] == ["FAILED", "SUCCEEDED"]


def test_bad_news_is_logged_as_a_warning(
    instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture, lake: ObjectStore
) -> None:
    from movie_platform.notify import open_notifier

    with caplog.at_level(logging.INFO, "movie_platform.notify"):
        notify_of_run(instance, run_of(refused, instance), open_notifier(["log"]), lake)
    assert [record.levelname for record in caplog.records if record.name == "movie_platform.notify"] == ["WARNING"]


def test_a_partition_that_fails_again_in_the_same_way_is_notified_once(
    instance: dg.DagsterInstance, notifier: Notifier, pager: Pager, lake: ObjectStore
) -> None:
    for _ in range(3):
        notify_of_run(instance, run_of(refused, instance), notifier, lake)
    assert len(pager.heard) == 1
