"""Athena and Spectrum find the tables and answers under their names, at the newest delivery."""

import uuid
from pathlib import Path
from typing import Any

import boto3

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS
from movie_platform.pipelines.movies_dataset.cataloguing import register
from movie_platform.pipelines.movies_dataset.publication import Publication, publish_delivery
from movie_platform.progress import LogProgress
from movie_platform.warehouse.catalog import Catalog
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of


def publish(store: ObjectStore, folder: Path, day: str, title: str) -> Publication:
    archive = zip_of(folder / f"{title}.zip", {"movies_metadata.csv": [movie(1, title)]})
    store.upload(f"project-data/{day}/the-movies-dataset.zip", archive)
    with DuckDBEngine() as engine:
        found = publish_delivery(
            engine, LogProgress(), raw=store.uri, lake=store.uri, day=day, max_bytes=10**9, max_ratio=200.0
        )
    return Publication.parse(found)


def described(catalog: Catalog) -> dict[str, Any]:
    return {
        found["Name"]: found for found in boto3.client("glue").get_tables(DatabaseName=catalog.database)["TableList"]
    }


def test_each_table_moves_to_the_new_delivery_by_a_change_of_its_location(bucket: str, tmp_path: Path) -> None:
    store = open_store(bucket)
    catalog = Catalog(f"movies_{uuid.uuid4().hex}", store)
    locations = []
    for day, title in (("2026-03-01", "Old"), ("2026-03-02", "New")):
        published = publish(store, tmp_path, day, title)
        for _ in range(2):
            register(catalog, store, published)
        tables = described(catalog)
        assert set(tables) == {"movies_master", "movies_aggregated", *(question.view for question in QUESTIONS)}
        answer = tables["genre_profit_by_year"]["StorageDescriptor"]
        found = store.read(f"{answer['Location'].removeprefix(f'{store.uri}/')}files.txt").decode()
        assert found == f"{store.uri}/movie_data_output/{day}/answers/genre_profit_by_year.parquet\n"
        storage = tables["movies_master"]["StorageDescriptor"]
        types = {column["Name"]: column["Type"] for column in storage["Columns"]}
        assert (types["budget"], types["genres"]) == ("bigint", "array<struct<id:bigint,name:string>>")
        assert "Symlink" in storage["InputFormat"]
        locations.append(storage["Location"])
        key = storage["Location"].removeprefix(f"{store.uri}/")
        listed = store.read(f"{key}files.txt").decode().splitlines()
        assert listed == [f"{store.uri}/movie_data_output/{day}/movies_master.parquet"]
    assert len(set(locations)) == 2
