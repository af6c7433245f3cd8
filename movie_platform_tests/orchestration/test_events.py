"""What comes a day at a time is asked for once, as often as it comes with other content."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from movie_platform.orchestration.arrivals import AT_ONCE, daily_sensor, report

from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.settings import load_settings

FIRST = date(2026, 1, 1)


@dataclass(frozen=True)
class Came:
    day: date
    fingerprint: str
    version: str


class Place:
    """What was delivered, and the sensor that looks at it, tick after tick."""

    def __init__(self, folder: Path) -> None:
        self.deliveries: dict[date, Came] = {}
        self.away = False
        self.cursor: str | None = None
        self.instance = dg.DagsterInstance.ephemeral()
        self.store = open_store(folder.as_uri())
        days = dg.DailyPartitionsDefinition(FIRST.isoformat(), end_offset=1)

        @dg.asset(partitions_def=days)
        def target() -> None: ...

        sensor = daily_sensor(
            "arrivals",
            description="What came.",
            target=[target.key],
            raw="raw",
            find=self.find,
            start=FIRST,
            arrival=arrival,
            settings=load_settings(),
        )
        raw = dg.ResourceDefinition.hardcoded_resource(self.store)
        self.repository = dg.Definitions([target], sensors=[sensor], resources={"raw": raw}).get_repository_def()

    def find(self, store: ObjectStore) -> dict[date, Came]:
        if self.away:
            raise WorldUnavailable("the bucket does not answer")
        return self.deliveries

    def deliver(self, day: date, content: str, came: str) -> None:
        self.deliveries[day] = Came(day, content, came)

    def tick(self) -> Any:
        with dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=self.repository, resources={"raw": self.store}
        ) as context:
            found = self.repository.get_sensor_def("arrivals").evaluate_tick(context)
        self.cursor = found.cursor
        return found

    def asked(self) -> list[str | None]:
        return [request.run_key for request in self.tick().run_requests]


def arrival(delivery: Came, store: ObjectStore) -> dg.AssetMaterialization:
    tags = {"dagster/data_version": delivery.fingerprint}
    return dg.AssetMaterialization("files", partition=str(delivery.day), tags=tags)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_content_is_asked_for_once_also_one_that_comes_back(place: Place) -> None:
    asked = []
    for content, came in (("A", "1"), ("B", "2"), ("A", "3")):
        place.deliver(FIRST, content, came)
        asked += place.asked()
        assert place.asked() == []
    assert len(set(asked)) == len(asked) == 3
    place.deliver(FIRST, "A", "4")
    assert place.asked() == []


def test_days_before_the_first_and_after_today_are_left_alone(place: Place) -> None:
    today = datetime.now(UTC).date()
    for day in (FIRST - timedelta(days=1), FIRST, today, today + timedelta(days=2)):
        place.deliver(day, "A", "1")
    assert [request.partition_key for request in place.tick().run_requests] == [str(FIRST), str(today)]


def test_a_tick_asks_for_so_many_days_and_the_next_goes_on(place: Place) -> None:
    for number in range(AT_ONCE + 3):
        place.deliver(FIRST + timedelta(days=number), "A", "1")
    assert [len(place.asked()) for _ in range(3)] == [AT_ONCE, 3, 0]


def test_a_tick_while_the_store_is_away_forgets_nothing(place: Place) -> None:
    place.deliver(FIRST, "A", "1")
    assert len(place.asked()) == 1
    place.away = True
    assert place.tick().skip_message == "Not now: the bucket does not answer"
    place.away = False
    assert place.asked() == []


def test_a_sensor_without_a_memory_asks_for_what_nothing_was_made_from(place: Place) -> None:
    replaced, made, reported, new = (FIRST + timedelta(days=number) for number in range(4))
    for day in (replaced, made, reported):
        place.deliver(day, "A", "1")
    report([arrival(delivery, place.store) for delivery in place.deliveries.values()], place.instance)
    for day in (replaced, made):
        place.instance.report_runless_asset_event(dg.AssetMaterialization("target", partition=str(day)))
    place.deliver(replaced, "B", "2")
    place.deliver(new, "A", "2")
    asked = [request.partition_key for request in place.tick().run_requests]
    assert asked == [str(replaced), str(reported), str(new)]
    assert place.asked() == []


def test_an_arrival_is_reported_once_per_content() -> None:
    def reported() -> Iterator[str | None]:
        for record in instance.fetch_materializations(dg.AssetKey("files"), limit=10, ascending=True).records:
            assert record.asset_materialization is not None
            yield (record.asset_materialization.tags or {})["dagster/data_version"]

    with dg.DagsterInstance.ephemeral() as instance:
        for content in ("A", "A", "B"):
            report([arrival(Came(FIRST, content, "1"), open_store("memory"))], instance)
        assert list(reported()) == ["A", "B"]
        report([], instance)
