"""What a scan of a daily source asks for: everything new once, in bounded steps, whatever was forgotten."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from movie_platform.deliveries import receipts, reconciled, watching
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.watching import ASKED_AT_MOST, Cursor, Place, ScanResult, scan
from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectStore, open_store
from movie_platform_tests.deliveries.daily_sources import process, put

START = "2026-01-01"
NOW = datetime.now(UTC)
DAY, NEXT = "2026-03-01", "2026-03-02"


class Watch:
    """Scans one after the other, each with the cursor of the last one as a sensor keeps it."""

    def __init__(self, source: Source, raw: ObjectStore, lake: ObjectStore) -> None:
        self.source, self.raw, self.lake = source, raw, lake
        self.cursor: str | None = None
        self.platform = "here"

    def scan(self) -> ScanResult:
        found = scan(self.source, self.raw, self.lake, Cursor.parse(self.cursor), Place(START, self.platform, NOW))
        self.cursor = str(found.new_cursor)
        return found

    def asks(self) -> list[str]:
        return [day for request in self.scan().requests for day in request.partitions]

    def owed(self) -> dict[str, str]:
        return self.source.owed(self.raw, self.lake, None, START, NOW, last=NEXT)

    def keys(self) -> list[str]:
        return [request.key for request in self.scan().requests]

    def process(self, *days: str) -> None:
        for day in days:
            delivery = self.source.shape.find(self.raw, day, NOW)
            assert delivery is not None
            process(self.source, self.lake, delivery)

    def put(self, day: str, content: str = "A") -> str:
        return put(self.source, self.raw, day, content)


@pytest.fixture
def watch(source: Source, raw: ObjectStore, lake: ObjectStore) -> Watch:
    return Watch(source, raw, lake)


def march(count: int) -> list[str]:
    return [(date(2026, 3, 1) + timedelta(days=number)).isoformat() for number in range(count)]


def test_a_delivery_is_asked_for_once(watch: Watch) -> None:
    watch.put(DAY)
    first = watch.scan()
    assert [request.partitions for request in first.requests] == [(DAY,)]
    assert [delivery.partition for delivery in first.arrived] == [DAY]
    second = watch.scan()
    assert (second.requests, second.arrived) == ((), ())


def test_a_replaced_file_is_asked_for_again_under_another_key(watch: Watch) -> None:
    watch.put(DAY)
    first = watch.keys()
    watch.put(DAY, "B")
    second = watch.keys()
    assert len({*first, *second}) == 2


def test_content_that_comes_back_is_asked_for_under_another_key(source: Source, bucket: str, lake: ObjectStore) -> None:
    watch, keys = Watch(source, open_store(bucket), lake), []
    for content in ("A", "B", "A"):
        watch.put(DAY, content)
        keys += watch.keys()
        watch.process(DAY)
        assert watch.asks() == []
    assert len(set(keys)) == len(keys) == 3


def test_the_same_content_written_again_is_no_news_in_a_bucket(source: Source, bucket: str, lake: ObjectStore) -> None:
    watch = Watch(source, open_store(bucket), lake)
    watch.put(DAY)
    watch.asks()
    watch.process(DAY)
    watch.put(DAY)
    assert watch.asks() == []


def test_a_late_day_is_asked_for(watch: Watch) -> None:
    watch.put(NEXT)
    watch.asks()
    watch.put(DAY)
    assert watch.asks() == [DAY]


def test_files_that_go_away_ask_for_nothing(watch: Watch) -> None:
    key = watch.put(DAY)
    if watch.source.command != "dataset":
        watch.raw.write(f"{watch.source.prefix}{DAY}/more.csv", b"B")
    watch.asks()
    watch.process(DAY)
    watch.raw.delete([key])
    assert watch.asks() == []
    watch.cursor = None
    assert watch.asks() == []


@pytest.mark.parametrize("lost", [None, "", "{", "[]", "3", '{"asked": [1]}', '{"asked": {"x": 1}}', '{"seen": {}}'])
def test_without_its_memory_it_asks_for_nothing_that_was_processed(watch: Watch, lost: str | None) -> None:
    watch.put(DAY)
    watch.put(NEXT)
    watch.asks()
    watch.process(DAY)
    watch.cursor = lost
    assert watch.asks() == [NEXT]
    assert watch.asks() == []


def test_without_its_memory_what_is_under_way_is_asked_for_under_the_same_key(watch: Watch) -> None:
    watch.put(DAY)
    before = watch.keys()
    watch.cursor = None
    assert watch.keys() == before


def test_one_scan_asks_for_so_many_days_and_the_next_goes_on(watch: Watch) -> None:
    wanted = march(ASKED_AT_MOST + 3)
    for day in wanted:
        watch.put(day)
    asked = [watch.asks() for _ in range(3)]
    assert [len(days) for days in asked] == [ASKED_AT_MOST, 3, 0]
    assert [*asked[0], *asked[1]] == wanted


def test_the_memory_holds_what_is_not_done_and_no_more_than_so_many_days(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "REMEMBERED", 2)
    for day in march(4):
        watch.put(day)
    keys = watch.keys()
    assert list(json.loads(str(watch.cursor))["asked"]) == march(4)[2:]
    assert watch.keys() == keys[:2], "days beyond the memory are asked for under the key that Dagster has seen"
    watch.process(*march(4))
    assert watch.asks() == []
    assert json.loads(str(watch.cursor))["asked"] == {}
    watch.put(DAY, "Corrected")
    assert watch.asks() == [DAY]


def test_a_refused_delivery_is_not_tried_again_and_its_correction_is(watch: Watch) -> None:
    watch.put(DAY)
    (delivery,) = watch.scan().arrived
    refused = InputRefused("it holds nothing", rule="has_rows")
    receipts.refuse(watch.lake, watch.source.name, DAY, delivery.fingerprint, refused)
    watch.cursor = None
    assert watch.asks() == []
    assert watch.owed() == {}
    watch.put(DAY, "Corrected")
    assert watch.asks() == [DAY]


def test_what_an_earlier_version_processed_is_given_its_receipt_and_not_asked_for(watch: Watch) -> None:
    watch.source = replace(watch.source, was_made=lambda _raw, _lake, _delivery: True)
    watch.put(DAY)
    assert watch.asks() == []
    watch.source = replace(watch.source, was_made=lambda _raw, _lake, _delivery: False)
    assert watch.asks() == []
    watch.put(DAY, "Corrected")
    assert watch.asks() == [DAY]


def test_a_day_whose_run_got_lost_is_owed_and_asked_for_again_under_another_key(watch: Watch) -> None:
    watch.put(DAY)
    first = watch.keys()
    owed = watch.owed()
    assert owed == {DAY: "what was delivered is not processed"}
    reconciled.write(watch.lake, watch.source, "here", owed, NOW)
    second = watch.keys()
    assert len({*first, *second}) == 2
    assert watch.keys() == []
    watch.process(DAY)
    assert watch.owed() == {}


def test_a_day_whose_products_were_replaced_or_deleted_is_owed(watch: Watch) -> None:
    watch.put(DAY)
    product = f"{watch.source.made[0]}{DAY}/x"
    watch.lake.write(product, b"made of it")
    watch.process(DAY)
    assert watch.owed() == {}
    watch.lake.write(product, b"made of something else")
    assert list(watch.owed()) == [DAY]
    watch.process(DAY)
    watch.lake.delete([product])
    assert list(watch.owed()) == [DAY]


def test_what_is_owed_is_taken_up_some_at_a_time_and_once(watch: Watch) -> None:
    days = march(ASKED_AT_MOST + 3)
    reconciled.write(watch.lake, watch.source, "here", days, NOW)
    asked = [watch.asks() for _ in range(3)]
    assert [len(of) for of in asked] == [ASKED_AT_MOST, 3, 0]
    assert [*asked[0], *asked[1]] == days
    reconciled.write(watch.lake, watch.source, "here", days[:1], NOW + timedelta(hours=1))
    assert watch.asks() == days[:1], "a later report says that the run for the earlier one did not do it"


def test_what_another_platform_owes_is_left_to_it(watch: Watch) -> None:
    reconciled.write(watch.lake, watch.source, "there", [DAY], NOW)
    assert watch.asks() == []
    watch.platform = "there"
    assert watch.asks() == [DAY]


@pytest.mark.parametrize("report", [b"", b"[]", b'{"time": "now"}', b'{"time": "now", "partitions": 3}'])
def test_a_report_that_cannot_be_read_is_no_reason_to_stop_scanning(watch: Watch, report: bytes) -> None:
    watch.lake.write(reconciled.key_of(watch.source.name, "here"), report)
    assert watch.asks() == []
    watch.put(DAY)
    assert watch.asks() == [DAY]


def test_rejected_keys_are_named_and_are_news_when_others_come(watch: Watch) -> None:
    def news() -> tuple[Sequence[str], bool]:
        found = watch.scan()
        return list(found.listing.rejected_keys), found.rejected_is_news

    notes = f"{watch.source.prefix}notes.txt"
    watch.raw.write(notes, b"x")
    assert news() == ([notes], True)
    assert news() == ([notes], False)
    other = f"{watch.source.prefix}yesterday/{DAY}.csv"
    watch.raw.write(other, b"x")
    assert news() == ([notes, other], True)


def test_days_before_the_first_and_after_today_are_left_alone(watch: Watch) -> None:
    today = NOW.date().isoformat()
    for day in ("2025-12-31", START, today, (NOW + timedelta(days=2)).date().isoformat()):
        watch.put(day)
    assert watch.asks() == [START, today]
