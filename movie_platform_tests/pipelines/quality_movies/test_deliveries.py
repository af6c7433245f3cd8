"""Which files are a day's delivery."""

import os
from datetime import UTC, date, datetime

import pytest
from movie_platform.pipelines.quality_movies.deliveries import Listing

from movie_platform.lake import LocalStore, ObjectStore
from movie_platform.pipelines.quality_movies import deliveries

START = date(2026, 1, 1)
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def put(raw: ObjectStore, key: str, at: datetime = NOW) -> None:
    raw.write(key, b"a\n1\n")
    path = raw.local_path(key)
    assert path is not None
    os.utime(path, (at.timestamp(), at.timestamp()))


def look(raw: ObjectStore) -> Listing:
    return deliveries.look(raw, START, NOW)


def test_a_folder_names_its_day(raw: ObjectStore) -> None:
    put(raw, "input_data/2026-03-01/a.csv")
    put(raw, "input_data/2026-03-01/B.CSV")
    found = look(raw)
    assert list(found.days) == ["2026-03-01"]
    assert len(found.days["2026-03-01"].files) == 2
    assert found.strange == {}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), "2026-02-28"),
        (datetime(2026, 3, 1, 0, 0, 0, tzinfo=UTC), "2026-03-01"),
    ],
)
def test_a_file_without_a_folder_is_of_the_day_that_it_came(raw: ObjectStore, at: datetime, day: str) -> None:
    put(raw, "input_data/movies.csv", at)
    assert list(look(raw).days) == [day]


def test_both_kinds_of_files_are_one_day(raw: ObjectStore) -> None:
    put(raw, "input_data/2026-03-02/a.csv")
    put(raw, "input_data/b.csv", NOW)
    (day,) = look(raw).days.values()
    assert sorted(day.files) == ["input_data/2026-03-02/a.csv", "input_data/b.csv"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("input_data/2026-03-01/readme.txt", "no .csv file"),
        ("input_data/2026-13-01/a.csv", "no day"),
        ("input_data/20260301/a.csv", "no day"),
        ("input_data/2026-03-01/deeper/a.csv", "no day"),
        ("input_data/2026-03-03/a.csv", "has not come"),
        ("input_data/2025-12-31/a.csv", "before the first day"),
    ],
)
def test_what_is_no_delivery_is_named_and_left_alone(raw: ObjectStore, key: str, reason: str) -> None:
    put(raw, key)
    found = look(raw)
    assert found.days == {}
    assert reason in found.strange[key]


def test_a_file_from_before_the_first_day_is_left_alone(raw: ObjectStore) -> None:
    put(raw, "input_data/old.csv", datetime(2025, 6, 1, tzinfo=UTC))
    assert "before the first day" in look(raw).strange["input_data/old.csv"]


def test_a_replaced_file_is_another_delivery_and_a_later_version(raw: ObjectStore) -> None:
    put(raw, "input_data/2026-03-01/a.csv", datetime(2026, 3, 1, 5, 0, tzinfo=UTC))
    before = look(raw).days["2026-03-01"]
    put(raw, "input_data/2026-03-01/a.csv", datetime(2026, 3, 1, 7, 0, tzinfo=UTC))
    after = look(raw).days["2026-03-01"]
    assert before.fingerprint != after.fingerprint
    assert before.version < after.version


def test_a_raw_side_without_anything_has_no_days(tmp_path: object) -> None:
    assert look(LocalStore(f"file://{tmp_path}/nothing")).days == {}
