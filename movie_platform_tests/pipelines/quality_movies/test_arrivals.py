"""The sensor's thinking: everything new once, in bounded steps, whatever was forgotten."""

import json
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from movie_platform.pipelines.quality_movies.arrivals import Cursor, Look, look, note_not_loaded

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.quality_movies import arrivals, deliveries
from movie_platform.pipelines.quality_movies.day_records import record_key
from movie_platform.pipelines.quality_movies.evaluation import judge_day
from movie_platform_tests.pipelines.quality_movies.conftest import delivery, movie, rules_of

START = date(2026, 1, 1)
NOW = datetime.now(UTC)


def seen(raw: ObjectStore, lake: ObjectStore, cursor: str = "", now: datetime = NOW) -> Look:
    return look(raw, lake, Cursor.parse(cursor), START, now)


def put(raw: ObjectStore, day: str, title: str = "A") -> None:
    raw.write(f"input_data/{day}/movies.csv", delivery(movie(title)))


def judge(raw: ObjectStore, lake: ObjectStore, day: str) -> None:
    judge_day(raw, lake, day, deliveries.look(raw, START, NOW).days[day], rules_of())


def days(found: Look) -> list[str]:
    return [request.day for request in found.requests]


def test_a_delivery_is_asked_for_once(raw: ObjectStore, local_lake: ObjectStore) -> None:
    put(raw, "2026-03-01")
    first = seen(raw, local_lake)
    assert days(first) == ["2026-03-01"]
    assert [delivery.day for delivery in first.arrived] == ["2026-03-01"]
    assert days(seen(raw, local_lake, str(first.cursor))) == []


def test_a_replaced_file_is_asked_for_again_under_another_key(raw: ObjectStore, local_lake: ObjectStore) -> None:
    put(raw, "2026-03-01")
    first = seen(raw, local_lake)
    put(raw, "2026-03-01", "B")
    second = seen(raw, local_lake, str(first.cursor))
    assert days(second) == ["2026-03-01"]
    assert first.requests[0].key != second.requests[0].key


def test_content_that_comes_back_is_asked_for_under_another_key(bucket: str, local_lake: ObjectStore) -> None:
    raw, cursor, keys = open_store(bucket), "", []
    for title in ("A", "B", "A"):
        put(raw, "2026-03-01", title)
        found = seen(raw, local_lake, cursor)
        keys += [request.key for request in found.requests]
        cursor = str(found.cursor)
        time.sleep(1.1)  # a bucket tells whole seconds
    assert len(set(keys)) == len(keys) == 3


def test_a_second_file_and_a_late_day_are_asked_for(raw: ObjectStore, local_lake: ObjectStore) -> None:
    put(raw, "2026-03-05")
    first = seen(raw, local_lake)
    put(raw, "2026-01-15")
    raw.write("input_data/2026-03-05/more.csv", delivery(movie("More")))
    assert days(seen(raw, local_lake, str(first.cursor))) == ["2026-01-15", "2026-03-05"]


def test_a_file_that_goes_away_asks_for_nothing(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write("input_data/2026-03-01/a.csv", delivery(movie("A")))
    raw.write("input_data/2026-03-01/b.csv", delivery(movie("B")))
    first = seen(raw, local_lake)
    raw.delete(["input_data/2026-03-01/a.csv"])
    assert days(seen(raw, local_lake, str(first.cursor))) == []


def test_without_its_memory_it_asks_for_nothing_that_was_judged(raw: ObjectStore, local_lake: ObjectStore) -> None:
    for day in ("2026-03-01", "2026-03-02"):
        put(raw, day)
    judge(raw, local_lake, "2026-03-01")
    assert days(seen(raw, local_lake)) == ["2026-03-02"]


def test_one_look_takes_up_so_many_days_and_the_next_goes_on(
    raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "LOOK_AT_MOST", 3)
    wanted = [f"2026-03-{number:02}" for number in range(1, 9)]
    for day in wanted:
        put(raw, day)
    asked, cursor = [], ""
    for _ in range(4):
        found = seen(raw, local_lake, cursor)
        assert len(found.requests) <= 3
        asked += days(found)
        cursor = str(found.cursor)
    assert asked == wanted


def test_the_memory_does_not_grow_and_days_beyond_it_are_still_noticed(
    raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "DAYS_REMEMBERED", 2)
    for day in ("2026-01-10", "2026-01-11", "2026-01-12", "2026-01-13"):
        put(raw, day)
        judge(raw, local_lake, day)
    found = seen(raw, local_lake)
    assert days(found) == []
    assert list(json.loads(str(found.cursor))["seen"]) == ["2026-01-12", "2026-01-13"]
    assert days(seen(raw, local_lake, str(found.cursor))) == []
    put(raw, "2026-01-10", "Corrected")
    later = seen(raw, local_lake, str(found.cursor))
    assert days(later) == ["2026-01-10"]


def test_a_day_whose_run_came_to_nothing_is_asked_for_again_an_hour_later(
    raw: ObjectStore, local_lake: ObjectStore
) -> None:
    put(raw, "2026-03-01")
    cursor, asked = "", []
    for minutes in (0, 1, 61, 62, 122):
        found = seen(raw, local_lake, cursor, NOW + timedelta(minutes=minutes))
        asked.append(days(found))
        cursor = str(found.cursor)
        if minutes == 62:
            judge(raw, local_lake, "2026-03-01")
    assert asked == [["2026-03-01"], [], ["2026-03-01"], [], []]


def test_days_whose_record_is_of_a_superseded_delivery_are_asked_for_again_some_in_an_hour(
    raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "LOOK_AT_MOST", 2)
    wanted = ["2026-03-01", "2026-03-02", "2026-03-03"]
    records = {}
    for day in wanted:
        put(raw, day)
        judge(raw, local_lake, day)
        records[day] = local_lake.read(record_key(day))
        put(raw, day, "Corrected")
        judge(raw, local_lake, day)
    cursor, asked = str(seen(raw, local_lake).cursor), []
    for day in ("2026-03-01", "2026-03-03"):
        local_lake.write(record_key(day), records[day])  # as a run leaves it that began before the correction
    for hour in (1, 1, 2, 3):
        found = seen(raw, local_lake, cursor, NOW + timedelta(hours=hour))
        asked.append(days(found))
        cursor = str(found.cursor)
        for day in days(found):
            judge(raw, local_lake, day)
    assert asked == [["2026-03-01"], [], ["2026-03-03"], []]


def test_days_that_the_warehouse_lacks_are_asked_for_some_in_an_hour_and_once(
    raw: ObjectStore, local_lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "LOOK_AT_MOST", 2)
    cursor, asked = str(seen(raw, local_lake).cursor), []
    before_the_start = "2025-12-31"
    note_not_loaded(local_lake, [before_the_start, "2026-03-01", "2026-03-02"], NOW)
    for hour in (0, 1, 1, 2, 3):
        found = seen(raw, local_lake, cursor, NOW + timedelta(hours=hour))
        asked.append(days(found))
        cursor = str(found.cursor)
    assert asked == [[], ["2026-03-01"], [], ["2026-03-02"], []]


@pytest.mark.parametrize("report", [b"", b"[]", b'{"time": "now"}'])
def test_a_report_that_cannot_be_read_is_no_reason_to_stop_looking(
    raw: ObjectStore, local_lake: ObjectStore, report: bytes
) -> None:
    local_lake.write(arrivals.RECONCILIATION, report)
    first = seen(raw, local_lake)
    later = seen(raw, local_lake, str(first.cursor), NOW + timedelta(hours=1))
    assert days(later) == []
    put(raw, "2026-03-01")
    assert days(seen(raw, local_lake, str(later.cursor), NOW + timedelta(hours=2))) == ["2026-03-01"]


def test_what_is_strange_is_named(raw: ObjectStore, local_lake: ObjectStore) -> None:
    raw.write("input_data/notes.txt", b"x")
    assert list(seen(raw, local_lake).strange) == ["input_data/notes.txt"]


def test_on_s3_a_file_without_a_folder_is_of_the_day_it_was_put_there(bucket: str, local_lake: ObjectStore) -> None:
    raw = open_store(bucket)
    raw.write("input_data/movies.csv", delivery(movie("A")))
    first = seen(raw, local_lake, now=datetime.now(UTC))
    today = first.arrived[0].version[:10]
    assert days(first) == [today]
    judged = judge_day(raw, local_lake, today, first.arrived[0], rules_of())
    assert judged is not None
    assert judged.record.good == 1
    assert days(seen(raw, local_lake, now=datetime.now(UTC))) == []
