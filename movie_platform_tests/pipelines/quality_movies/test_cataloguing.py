"""Athena finds what was delivered, what is bad, and how the rules came out."""

import json
import uuid
from typing import Any

import boto3
import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.quality_movies.cataloguing import register
from movie_platform.pipelines.quality_movies.evaluation import judge_day
from movie_platform.warehouse.catalog import Catalog
from movie_platform_tests.pipelines.quality_movies.conftest import delivery, movie, rules_of

DAY = "2026-03-01"


@pytest.fixture
def both(bucket: str) -> ObjectStore:
    """Raw side and lake in one bucket."""
    return open_store(bucket)


@pytest.fixture
def catalog(both: ObjectStore) -> Catalog:
    return Catalog(f"movies_{uuid.uuid4().hex}", both)


def judge(both: ObjectStore, *ratings: str, day: str = DAY) -> None:
    rows = [movie(f"rated {rating}", rating) for rating in ratings]
    both.write(f"input_data/{day}/x.csv", delivery(*rows))
    judge_day(both, both, day, rules_of())


def described(catalog: Catalog, name: str) -> Any:
    return boto3.client("glue").get_table(DatabaseName=catalog.database, Name=name)["Table"]


def test_the_tables_are_registered_and_registering_again_changes_nothing(catalog: Catalog, both: ObjectStore) -> None:
    judge(both, "9.0", "8.0")
    for _ in range(2):
        register(catalog, both, both)
    bad = described(catalog, "quality_movies_bad_records")
    types = {column["Name"]: column["Type"] for column in bad["StorageDescriptor"]["Columns"]}
    assert types["source"] == "string"
    assert types["record"] == "bigint"
    assert types["dataqualityrulesfail"] == "array<string>"
    assert "Symlink" in bad["StorageDescriptor"]["InputFormat"]
    outcomes = described(catalog, "quality_movies_rule_outcome")
    assert "Json" in outcomes["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    delivered = described(catalog, "quality_movies_input_data")
    assert delivered["StorageDescriptor"]["Location"] == f"{both.uri}/input_data/"
    assert delivered["Parameters"]["skip.header.line.count"] == "1"


def test_the_lists_name_exactly_the_files_that_are_there(catalog: Catalog, both: ObjectStore) -> None:
    judge(both, "9.0", "8.0")
    judge(both, "8.0", day="2026-03-02")
    register(catalog, both, both)
    listed = both.read("manifests/quality_movies_bad_records/files.txt").decode().splitlines()
    assert listed == [f"{both.uri}/bad-records/quality_movies/{day}.parquet" for day in (DAY, "2026-03-02")]
    judge(both, "9.0")
    register(catalog, both, both)
    listed = both.read("manifests/quality_movies_bad_records/files.txt").decode().splitlines()
    assert listed == [f"{both.uri}/bad-records/quality_movies/2026-03-02.parquet"]


def test_the_outcomes_are_a_line_a_rule_with_the_columns_of_the_table(catalog: Catalog, both: ObjectStore) -> None:
    judge(both, "9.0", "8.0")
    register(catalog, both, both)
    (line,) = both.read(f"rule_outcome/{DAY}.jsonl").decode().splitlines()
    columns = described(catalog, "quality_movies_rule_outcome")["StorageDescriptor"]["Columns"]
    assert [name.lower() for name in json.loads(line)] == [column["Name"] for column in columns]
    assert json.loads(line)["Outcome"] == "Failed"
