"""Which files are a day's delivery."""

import os
from datetime import UTC, datetime

import boto3
import pytest

from movie_platform.deliveries import Listing
from movie_platform.deliveries.days import DailyFiles
from movie_platform.deliveries.delivery import NAMED_AT_MOST
from movie_platform.deliveries.source import Source
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines.movies_dataset import publication as movies_dataset
from movie_platform.pipelines.quality_movies import archive as quality_movies
from movie_platform.pipelines.user_behavior import archive as user_behavior
from movie_platform_tests.deliveries.daily_sources import file_name

START = "2026-01-01"
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def put(raw: ObjectStore, key: str, at: datetime = NOW) -> None:
    raw.write(key, b"a\n1\n")
    path = raw.local_path(key)
    assert path is not None
    os.utime(path, (at.timestamp(), at.timestamp()))


def listing(source: Source, raw: ObjectStore, now: datetime = NOW) -> Listing:
    return source.shape.listing(raw, START, now)


def test_a_folder_names_its_day(source: Source, raw: ObjectStore) -> None:
    put(raw, f"{source.prefix}2026-03-01/{file_name(source)}")
    found = listing(source, raw)
    assert list(found.deliveries) == ["2026-03-01"]
    assert found.rejected_keys == {}


def test_a_day_is_all_its_files_whatever_the_case_of_their_ending(raw: ObjectStore) -> None:
    put(raw, "x/2026-03-01/a.csv")
    put(raw, "x/2026-03-01/B.CSV")
    found = DailyFiles("x/").listing(raw, START, NOW)
    assert len(found.deliveries["2026-03-01"].files) == 2


def test_what_a_console_leaves_as_a_folder_is_no_file(source: Source, bucket: str) -> None:
    for folder in ("", "2026-03-01/"):
        boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=f"{source.prefix}{folder}", Body=b"")
    found = listing(source, open_store(bucket))
    assert (found.deliveries, found.rejected_keys) == ({}, {})


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), "2026-02-28"),
        (datetime(2026, 3, 1, 0, 0, 0, tzinfo=UTC), "2026-03-01"),
    ],
)
def test_a_file_without_a_folder_is_of_the_day_that_it_came(
    source: Source, raw: ObjectStore, at: datetime, day: str
) -> None:
    put(raw, f"{source.prefix}{file_name(source)}", at)
    assert list(listing(source, raw).deliveries) == [day]


def test_on_s3_a_file_without_a_folder_is_of_the_day_it_was_put_there(source: Source, bucket: str) -> None:
    raw, before = open_store(bucket), datetime.now(UTC).date().isoformat()
    raw.write(f"{source.prefix}{file_name(source)}", b"a\n1\n")
    now = datetime.now(UTC)
    assert set(listing(source, raw, now).deliveries) <= {before, now.date().isoformat()}
    assert len(listing(source, raw, now).deliveries) == 1


def test_both_kinds_of_files_are_one_day(raw: ObjectStore) -> None:
    put(raw, "x/2026-03-02/a.csv")
    put(raw, "x/b.csv", NOW)
    (day,) = DailyFiles("x/").listing(raw, START, NOW).deliveries.values()
    assert sorted(day.files) == ["x/2026-03-02/a.csv", "x/b.csv"]


@pytest.mark.parametrize(
    "shape", [DailyFiles("x/", one_file="a.csv"), DailyFiles("x/", distinct_names=True)], ids=["one file", "names"]
)
def test_of_two_files_of_one_name_the_one_in_the_days_folder_counts_and_the_other_is_named(
    raw: ObjectStore, shape: DailyFiles
) -> None:
    put(raw, "x/a.csv", NOW)
    put(raw, "x/2026-03-02/a.csv")
    found = shape.listing(raw, START, NOW)
    assert list(found.deliveries["2026-03-02"].files) == ["x/2026-03-02/a.csv"]
    assert found.rejected_keys == {"x/a.csv": "x/2026-03-02/a.csv is the file of this name for 2026-03-02"}


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("2026-13-01/", "no day"),
        ("20260301/", "no day"),
        ("2026-03-01/deeper/", "no day"),
        ("2026-03-03/", "has not come"),
        ("2025-12-31/", "before the first day"),
    ],
)
def test_a_file_in_a_folder_that_is_no_day_is_named_and_left_alone(
    source: Source, raw: ObjectStore, folder: str, reason: str
) -> None:
    key = f"{source.prefix}{folder}{file_name(source)}"
    put(raw, key)
    found = listing(source, raw)
    assert found.deliveries == {}
    assert reason in found.rejected_keys[key]


@pytest.mark.parametrize(
    ("shape", "name", "reason"),
    [
        (quality_movies.FILES, "readme.txt", "no .csv file"),
        (user_behavior.FILES, "x.csv.gz", "no .csv file"),
        (movies_dataset.FILES, "The-Movies-Dataset.zip", "its name is not the-movies-dataset.zip"),
        (movies_dataset.FILES, "other.zip", "its name is not the-movies-dataset.zip"),
    ],
)
@pytest.mark.parametrize("folder", ["", "2026-03-01/"])
def test_a_file_of_another_name_is_named_and_left_alone(
    raw: ObjectStore, shape: DailyFiles, name: str, reason: str, folder: str
) -> None:
    key = f"{shape.prefix}{folder}{name}"
    put(raw, key)
    found = shape.listing(raw, START, NOW)
    assert found.deliveries == {}
    assert reason in found.rejected_keys[key]


def test_of_many_rejected_keys_so_many_are_named_and_all_are_counted(source: Source, raw: ObjectStore) -> None:
    for number in range(NAMED_AT_MOST + 5):
        raw.write(f"{source.prefix}{number}.txt", b"")
    found = listing(source, raw)
    assert (len(found.rejected_keys), found.rejected) == (NAMED_AT_MOST, NAMED_AT_MOST + 5)


def test_a_file_from_before_the_first_day_is_left_alone(source: Source, raw: ObjectStore) -> None:
    key = f"{source.prefix}{file_name(source)}"
    put(raw, key, datetime(2025, 6, 1, tzinfo=UTC))
    assert "before the first day" in listing(source, raw).rejected_keys[key]


def test_a_replaced_file_is_another_delivery_whatever_its_time(source: Source, raw: ObjectStore) -> None:
    key = f"{source.prefix}2026-03-01/{file_name(source)}"
    put(raw, key, datetime(2026, 3, 1, 5, 0, tzinfo=UTC))
    before = listing(source, raw).deliveries["2026-03-01"]
    put(raw, key, datetime(2026, 2, 1, 7, 0, tzinfo=UTC))
    after = listing(source, raw).deliveries["2026-03-01"]
    assert before.fingerprint != after.fingerprint


def test_a_raw_side_without_anything_has_no_days(source: Source, tmp_path: object) -> None:
    assert listing(source, LocalStore(f"file://{tmp_path}/nothing")).deliveries == {}
