"""Athena and Redshift Spectrum find the lake's Parquet through the Glue catalog."""

import uuid
from typing import Any

import boto3
import pyarrow as pa
import pytest

from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.settings import load_settings
from movie_platform.table import Column, Table
from movie_platform.warehouse.catalog import Catalog, open_catalog
from movie_platform_tests.warehouse.test_values import NESTED

CLEAN = Table(
    "imdb_clean",
    (Column("movie_id", pa.int64(), "the movie's number", nullable=False), Column("title", pa.string())),
    description="One row per movie and director.",
)


@pytest.fixture
def catalog(bucket: str) -> Catalog:
    return Catalog(f"movies_{uuid.uuid4().hex}", open_store(bucket))


def folders(*windows: str) -> dict[str, str]:
    return {window: f"partitioned/filetime={window}/" for window in windows}


def table(catalog: Catalog, name: str = "imdb_clean") -> Any:
    return boto3.client("glue").get_table(DatabaseName=catalog.database, Name=name)["Table"]


def locations(catalog: Catalog) -> dict[str, str]:
    pages = (
        boto3.client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=catalog.database, TableName="imdb_clean")
    )
    return {p["Values"][0]: p["StorageDescriptor"]["Location"] for page in pages for p in page["Partitions"]}


def test_database_table_and_partitions_are_made_on_first_use(catalog: Catalog) -> None:
    assert catalog.register(CLEAN, folders("202601010000", "202601010010"), partition_key="filetime") == 2
    found = table(catalog)
    assert found["TableType"] == "EXTERNAL_TABLE"
    assert [(c["Name"], c["Type"]) for c in found["PartitionKeys"]] == [("filetime", "string")]
    columns = [(c["Name"], c["Type"], c.get("Comment")) for c in found["StorageDescriptor"]["Columns"]]
    assert columns == [("movie_id", "bigint", "the movie's number"), ("title", "string", None)]
    assert "parquet" in found["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert locations(catalog) == {
        window: f"{catalog.lake.uri}/partitioned/filetime={window}/" for window in ("202601010000", "202601010010")
    }


def test_registering_again_changes_nothing(catalog: Catalog) -> None:
    catalog.register(CLEAN, folders("202601010000"), partition_key="filetime")
    assert catalog.register(CLEAN, folders("202601010000"), partition_key="filetime") == 0
    assert catalog.register(CLEAN, folders("202601010000", "202601010010"), partition_key="filetime") == 1
    assert len(locations(catalog)) == 2


def test_hundreds_of_windows_go_in_batches(catalog: Catalog) -> None:
    windows = [f"20260101{n:04}" for n in range(230)]
    assert catalog.register(CLEAN, folders(*windows), partition_key="filetime") == 230
    assert sorted(locations(catalog)) == windows


def test_a_partition_that_moved_is_found_where_it_is(catalog: Catalog) -> None:
    catalog.register(CLEAN, {"202601010000": "partitioned/old/"}, partition_key="filetime")
    assert catalog.register(CLEAN, folders("202601010000"), partition_key="filetime") == 1
    assert locations(catalog)["202601010000"].endswith("/partitioned/filetime=202601010000/")


def test_a_new_column_of_the_description_appears(catalog: Catalog) -> None:
    catalog.register(CLEAN, folders("202601010000"), partition_key="filetime")
    wider = Table("imdb_clean", (*CLEAN.columns, Column("gross", pa.decimal128(18, 2))))
    catalog.register(wider, folders("202601010000"), partition_key="filetime")
    assert table(catalog)["StorageDescriptor"]["Columns"][-1]["Type"] == "decimal(18,2)"


def test_a_table_without_partitions_is_one_folder_with_nested_columns(catalog: Catalog) -> None:
    catalog.register_folder(NESTED, "movie_data_output/2026-01-01/order/")
    found = table(catalog, "order")
    assert found.get("PartitionKeys", []) == []
    assert {c["Name"]: c["Type"] for c in found["StorageDescriptor"]["Columns"]} == {
        "movie_id": "bigint",
        "genres": "array<struct<id:bigint,name:string>>",
        "cast": "struct<order:bigint,character:string>",
        "tags": "array<string>",
    }


def test_another_partition_key_is_refused_with_the_way_out(catalog: Catalog) -> None:
    catalog.register(CLEAN, folders("202601010000"), partition_key="filetime")
    with pytest.raises(PlatformError, match=r"partitioned by \['filetime'\], and not by day\. Drop it there"):
        catalog.register(CLEAN, folders("202601010010"), partition_key="day")


def test_it_is_off_unless_configured_and_needs_s3(bucket: str, lake: ObjectStore) -> None:
    assert open_catalog(load_settings(), lake) is None
    settings = load_settings(catalog_database="movies")
    configured = open_catalog(settings, open_store(bucket))
    assert configured is not None
    assert configured.database == "movies"
    with pytest.raises(SettingsError, match="describes S3, and MOVIE_PLATFORM_LAKE_URI is file:///"):
        open_catalog(settings, lake)


def test_what_glue_refuses_is_named(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(WorldUnavailable, match=rf"database {catalog.database} could not be reached"):
        catalog.register(CLEAN, folders("202601010000"), partition_key="filetime")
