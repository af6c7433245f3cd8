"""What Dagster is told: arrivals, keys that are no delivery, and why a run ended as it did."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.deliveries.source import Source
from movie_platform.errors import InputRefused, LoadRefused, PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.events import PLATFORM_FAULT, errors_for_dagster, report_arrivals
from movie_platform.settings import load_settings
from movie_platform_tests.deliveries.daily_sources import DAILY, put

DAY = "2026-03-01"
NOW = datetime.now(UTC)


class Place:
    """A daily source's raw side, and its sensor tick after tick."""

    def __init__(self, folder: Path, source: Source) -> None:
        settings = load_settings(
            raw_uri=(folder / "raw").as_uri(),
            lake_uri=(folder / "lake").as_uri(),
            warehouse=f"duckdb:///{folder}/warehouse.duckdb",
        )
        self.source, self.raw, self.lake = source, open_store(settings.raw_uri), open_store(settings.lake_uri)
        self.repository = build_defs(settings).get_repository_def()
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None

    def tick(self, raw: ObjectStore | None = None) -> Any:
        name = "movie_review_arrivals" if self.source.command == "behavior" else f"{self.source.name}_arrivals"
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            resources={f"raw_{self.source.command}": raw or self.raw, "lake": self.lake},
        ) as context:
            found = self.repository.get_sensor_def(name).evaluate_tick(context)
        self.cursor = found.cursor
        return found


@pytest.fixture(params=DAILY, ids=lambda source: source.name)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place(tmp_path, request.param)


def test_an_arrival_is_asked_for_and_reported_once_with_what_came(place: Place) -> None:
    key = put(place.source, place.raw, DAY)
    tick = place.tick()
    assert [request.partition_key for request in tick.run_requests] == [DAY]
    event, _ = tick.asset_events
    assert (event.asset_key, event.partition) == (dg.AssetKey(place.source.raw_asset), DAY)
    assert event.metadata["dagster/uri"].value == place.raw.uri_of(key)
    assert event.metadata["files (bytes)"].value == {key: 1}
    assert event.metadata["delivered"].value
    again = place.tick()
    assert (again.run_requests, again.asset_events) == ([], [])
    assert again.skip_message == "Nothing new."


def test_a_tick_while_the_store_is_away_forgets_nothing(place: Place, aws: str) -> None:
    put(place.source, place.raw, DAY)
    place.tick()
    before = place.cursor
    away = place.tick(open_store("s3://a-bucket-that-is-not-there"))
    assert away.skip_message.startswith("Not now: s3://a-bucket-that-is-not-there/")
    assert place.cursor == before
    assert place.tick().run_requests == []


def test_keys_that_are_no_delivery_are_named_in_one_event_until_others_come(place: Place) -> None:
    def observed() -> list[dict[str, str]]:
        tables = [event.metadata["rejected keys"] for event in place.tick().asset_events]
        return [{record.data["key"]: record.data["reason"] for record in table.records} for table in tables]

    first, second = f"{place.source.prefix}yesterday/x", f"{place.source.prefix}z"
    place.raw.write(first, b"x")
    assert [list(found) for found in observed()] == [[first]]
    assert observed() == []
    place.raw.write(second, b"x")
    assert [list(found) for found in observed()] == [[first, second]]


def test_an_arrival_is_reported_once_per_content(place: Place) -> None:
    def reported() -> Iterator[str]:
        key = dg.AssetKey(place.source.raw_asset)
        for record in place.instance.fetch_materializations(key, limit=10, ascending=True).records:
            assert record.asset_materialization is not None
            yield (record.asset_materialization.tags or {})["dagster/data_version"]

    fingerprints = []
    for content in ("A", "B"):
        put(place.source, place.raw, DAY, content)
        delivery = place.source.shape.find(place.raw, DAY, NOW)
        assert delivery is not None
        fingerprints.append(delivery.fingerprint)
        for _ in range(2):
            report_arrivals(place.source, [delivery], place.raw, place.instance)
    report_arrivals(place.source, [], place.raw, place.instance)
    assert list(reported()) == fingerprints


@pytest.mark.parametrize("error", [InputRefused("no header", rule="has_rows"), LoadRefused("most rows would go")])
def test_refused_data_fails_for_good_and_is_no_fault_of_the_platform(error: PlatformError) -> None:
    with pytest.raises(dg.Failure, match=str(error)) as raised, errors_for_dagster():
        raise error
    assert raised.value.metadata[PLATFORM_FAULT].value is False
    assert not raised.value.allow_retries


def test_a_world_that_is_away_is_tried_again_and_everything_else_fails_loudly() -> None:
    with pytest.raises(dg.RetryRequested), errors_for_dagster():
        raise WorldUnavailable("the bucket does not answer")
    with pytest.raises(PlatformError, match="a fault"), errors_for_dagster():
        raise PlatformError("a fault")
