"""What Dagster makes of every source alike: sensor, reconciliation, arrivals. The example is one of them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetKey, DagsterInstance

from movie_platform.definitions import build_defs
from movie_platform.deliveries import reconciled
from movie_platform.lake import open_store
from movie_platform.notify import Notifier
from movie_platform.orchestration.runs import run_partitions
from movie_platform.pipelines import PIPELINES
from movie_platform.pipelines.imdb_feed.windows import key_of
from movie_platform.settings import load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform_tests.deliveries.sources import SUBJECTS, OnePurchase, Subject

SENSORS = {"user_behavior": "movie_review_arrivals"}


class Platform:
    """All sources, the example included, over a folder of their own."""

    def __init__(self, kind: type[Subject], folder: Path) -> None:
        self.settings = load_settings(
            raw_uri=(folder / "raw").as_uri(),
            lake_uri=(folder / "lake").as_uri(),
            warehouse=f"duckdb:///{folder}/warehouse.duckdb",
            warehouse_wait="0.3",
            dagster_home=folder / "dagster",
        )
        self.source = kind.source
        raw, lake = open_store(self.settings.raw_uri), open_store(self.settings.lake_uri)
        self.subject = kind(raw, lake, open_warehouse(self.settings))
        self.definitions = build_defs(
            self.settings,
            resources={"purchase_source": OnePurchase()},
            pipelines=[*PIPELINES, "examples.box_office"],
        )
        self.instance = DagsterInstance.ephemeral()

    def tick(self, cursor: str | None = None) -> Any:
        repository = self.definitions.get_repository_def()
        name = SENSORS.get(self.source.name, f"{self.source.name}_arrivals")
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources={
                f"raw_{self.source.command}": self.subject.raw,
                "lake": self.subject.lake,
                "notifier": Notifier([]),
            },
        ) as context:
            return repository.get_sensor_def(name).evaluate_tick(context)

    def reconcile(self) -> bool:
        job = self.definitions.resolve_job_def(f"{self.source.name}_reconciliation")
        return job.execute_in_process(instance=self.instance, raise_on_error=False).success

    def run(self, partitions: Sequence[str]) -> bool:
        return run_partitions(self.definitions, self.source.assets, partitions, self.instance).succeeded


@pytest.fixture(params=SUBJECTS, ids=lambda kind: kind.source.name)
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    return Platform(request.param, tmp_path)


def keys(tick: Any) -> list[str]:
    return [request.run_key for request in tick.run_requests or []]


def test_a_delivery_is_reported_and_asked_for_once(platform: Platform) -> None:
    platform.subject.deliver(1)
    first = platform.tick()
    assert len(keys(first)) == 1
    arrival, seen = first.asset_events
    assert isinstance(seen, dg.AssetObservation), "what lineage shows as the latest event of an external asset"
    assert (seen.asset_key, seen.partition, seen.tags) == (arrival.asset_key, arrival.partition, arrival.tags)
    assert arrival.asset_key == AssetKey(platform.source.raw_asset)
    assert arrival.partition == platform.subject.partition
    again = platform.tick(first.cursor)
    assert keys(again) == []
    assert again.asset_events == []


@pytest.mark.parametrize("cursor", ["", "not json", "[]", "{}", '{"seen": 5}', '{"asked": [1]}', '"text"', "null", "7"])
def test_a_cursor_that_is_lost_or_cannot_be_read_asks_for_nothing_twice(platform: Platform, cursor: str) -> None:
    platform.subject.deliver(1)
    asked = keys(platform.tick())
    assert keys(platform.tick(cursor)) == asked, "the same key: Dagster answers with the run that it has"
    platform.subject.run()
    assert keys(platform.tick(cursor)) == []


def test_the_memory_does_not_grow_with_what_is_done(platform: Platform) -> None:
    platform.subject.deliver(1)
    cursor = platform.tick().cursor
    platform.subject.run()
    cursor = platform.tick(cursor).cursor
    assert "asked" not in json.loads(cursor) or json.loads(cursor)["asked"] == {}


def test_a_key_that_is_no_delivery_is_named_in_the_tick_and_in_the_ui_once(platform: Platform) -> None:
    for name in platform.subject.names:
        platform.subject.raw.write(name, b"x")
    assert platform.reconcile()
    # A feed that is under way looks into its newest windows only, and sees none of these itself.
    under_way = json.dumps({"settled": key_of(datetime.now(UTC))}) if platform.source.partition == "window" else None
    first = platform.tick(under_way)
    (observation,) = first.asset_events
    assert observation.asset_key == AssetKey(platform.source.raw_asset)
    named = {record.data["key"] for record in observation.metadata["rejected keys"].records}
    assert len(named) == len(platform.subject.names)
    assert all(any(name.startswith(key) for key in named) for name in platform.subject.names)
    assert "3 keys are no delivery" in first.skip_message
    again = platform.tick(first.cursor)
    assert again.asset_events == []
    assert "3 keys are no delivery" in again.skip_message


def test_what_a_lost_run_left_behind_is_found_by_the_reconciliation_and_asked_for_by_the_sensor(
    platform: Platform,
) -> None:
    platform.subject.deliver(1)
    first = platform.tick()
    platform.subject.process()  # the run ended before it had loaded
    second = platform.tick(first.cursor)
    assert keys(second) == []
    assert platform.reconcile()
    assert list(reconciled.read(platform.subject.lake, platform.source.name, platform.settings.platform_name).owed) == [
        platform.subject.partition
    ]
    third = platform.tick(second.cursor)
    assert len(keys(third)) == 1
    assert keys(third) != keys(first)
    assert keys(platform.tick(third.cursor)) == []
    assert platform.run([platform.subject.partition])
    assert platform.subject.loaded() == 1
    assert platform.reconcile()
    assert (
        list(reconciled.read(platform.subject.lake, platform.source.name, platform.settings.platform_name).owed) == []
    )


def test_a_run_of_all_assets_ends_as_delivered_and_corrected(platform: Platform) -> None:
    for content in (1, 2):
        platform.subject.deliver(content)
        assert platform.run([platform.subject.partition])
        assert platform.subject.loaded() == content
        assert platform.subject.owed() == {}


def test_the_example_is_no_part_of_the_platform() -> None:
    names = {key.to_user_string() for key in build_defs(load_settings()).resolve_asset_graph().get_all_asset_keys()}
    assert "imdb_movies" in names
    assert "box_office" not in names
