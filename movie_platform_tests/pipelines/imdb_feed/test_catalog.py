"""Clean windows in the Glue catalog, for Athena and Redshift Spectrum."""

import uuid
from pathlib import Path

import pytest

from movie_platform.pipelines.imdb_feed import refusals
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, W, deliver


@pytest.fixture
def database() -> str:
    return f"movies_{uuid.uuid4().hex}"


@pytest.fixture
def platform(bucket: str, tmp_path: Path, database: str) -> Platform:
    return Platform(tmp_path, lake=bucket, catalog_database=database)


def test_each_clean_window_becomes_a_partition_and_a_refused_one_does_not(platform: Platform, database: str) -> None:
    import boto3

    deliver(platform.raw, W)
    deliver(platform.raw, NEXT, {f"{NEXT}_type_A.csv": b""})
    for _ in range(2):
        assert not platform.run(W, NEXT).succeeded
    glue = boto3.client("glue")
    found = glue.get_partitions(DatabaseName=database, TableName="imdb_clean")["Partitions"]
    assert [partition["Values"] for partition in found] == [[W]]
    assert found[0]["StorageDescriptor"]["Location"].rstrip("/").endswith(f"partitioned/filetime={W}")


def test_a_catalog_that_does_not_answer_holds_back_no_rows_and_is_owed_the_window(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(platform.raw, W)
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    outcome = platform.run(W)
    assert not outcome.succeeded
    assert outcome.platform_fault
    assert platform.titles()
    refusal = refusals.get(platform.lake, W)
    assert refusal is not None
    assert refusal.transient
    assert "not in the catalog" in refusal.reason
    monkeypatch.delenv("AWS_ENDPOINT_URL_GLUE")
    assert platform.run(W).succeeded
    assert refusals.get(platform.lake, W) is None
