"""The hourly job of each source: what it finds owed it leaves for the sensor, and what is under way to its run."""

import uuid
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from movie_platform.definitions import build_defs
from movie_platform.deliveries import reconciled
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.reconciliation import partitions_under_way
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform.settings import Settings, load_settings
from movie_platform_tests.deliveries.daily_sources import put
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver

SOURCES = [source_of(pipeline) for pipeline in PIPELINES]


class Place:
    def __init__(self, folder: Path, source: Source) -> None:
        self.source = source
        self.settings: Settings = load_settings(
            raw_uri=(folder / "raw").as_uri(),
            lake_uri=(folder / "lake").as_uri(),
            warehouse=f"duckdb:///{folder}/warehouse.duckdb",
            feed_start=W,
        )
        self.raw: ObjectStore = open_store(self.settings.raw_uri)
        self.lake: ObjectStore = open_store(self.settings.lake_uri)
        self.definitions = build_defs(self.settings)
        self.instance = dg.DagsterInstance.ephemeral()
        is_feed = source.partition == "window"
        self.first, self.second, self.third = (
            [shift(W, LENGTH * number) for number in range(3)] if is_feed else [f"2026-03-0{n}" for n in (1, 2, 3)]
        )

    def deliver(self, partition: str) -> None:
        if self.source.partition == "window":
            deliver(self.raw, partition)
        else:
            put(self.source, self.raw, partition)

    def add_run(self, status: DagsterRunStatus, asset: str, **tags: str) -> None:
        run = dg.DagsterRun(
            "__ASSET_JOB",
            run_id=str(uuid.uuid4()),
            status=status,
            asset_selection=frozenset({dg.AssetKey(asset)}),
            tags={f"dagster/{name}": value for name, value in tags.items()},
        )
        self.instance.add_run(run)

    def reconcile(self) -> list[str]:
        """What the job leaves for the sensor, of the three windows or days."""
        job = self.definitions.resolve_job_def(f"{self.source.name}_reconciliation")
        quiet: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        assert job.execute_in_process(instance=self.instance, run_config=quiet).success
        owed = list(reconciled.read(self.lake, self.source.name, self.settings.platform_name).owed)
        return [partition for partition in owed if partition <= self.third]


@pytest.fixture(params=SOURCES, ids=lambda source: source.name)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place(tmp_path, request.param)


def test_what_was_delivered_and_not_processed_is_left_for_the_sensor(place: Place) -> None:
    assert place.reconcile() == []
    place.deliver(place.first)
    place.deliver(place.third)
    assert place.reconcile() == [place.first, place.third]


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED])
def test_what_a_run_is_under_way_for_is_left_to_it(place: Place, status: DagsterRunStatus) -> None:
    for partition in (place.first, place.second, place.third):
        place.deliver(partition)
    place.add_run(status, place.source.assets[0], partition=place.second)
    assert place.reconcile() == [place.first, place.third]
    place.add_run(
        status,
        place.source.assets[-1],
        asset_partition_range_start=place.first,
        asset_partition_range_end=place.second,
    )
    assert partitions_under_way(place.instance, place.source) == [
        (place.first, place.second),
        (place.second, place.second),
    ]
    assert place.reconcile() == [place.third]


def test_a_run_that_has_ended_or_is_of_other_assets_holds_nothing_back(place: Place) -> None:
    place.deliver(place.first)
    for status in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS):
        place.add_run(status, place.source.assets[0], partition=place.first)
    place.add_run(DagsterRunStatus.STARTED, "of_another_source", partition=place.first)
    assert place.reconcile() == [place.first]
