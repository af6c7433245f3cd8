"""A delivery is published alike on disk and on S3."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.publication import Publication, publish_delivery, read_publication
from movie_platform.pipelines.movies_dataset.ruleset_evaluation import judge, ruleset_files
from movie_platform.progress import LogProgress
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of

DAY = "2026-03-01"


def publish(store: ObjectStore, day: str = DAY) -> Publication:
    with DuckDBEngine() as engine:
        told = publish_delivery(
            engine, LogProgress(), raw=store.uri, lake=store.uri, day=day, max_bytes=10**9, max_ratio=200.0
        )
    return Publication.parse(told)


def test_tables_rejects_and_report_lie_in_the_lake(store: ObjectStore, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [movie(1, runtime="90"), movie("x")]})
    store.upload(f"project-data/{DAY}/the-movies-dataset.zip", archive)
    published = publish(store)
    assert published == read_publication(store, DAY)
    (part,) = published.tables["movies_master"]
    assert (part.key, part.rows) == (f"movie_data_output/{DAY}/movies_master.parquet", 1)
    with store.open(part.key) as file:
        assert pq.read_table(file)["runtime"].to_pylist() == [90.0]
    with store.open(f"rejects/movies_dataset/{DAY}/movies_metadata.parquet") as file:
        assert pq.read_table(file)["reason"].to_pylist() == ["not an integer"]
    evaluation = judge(store, published.tables["movies_master"], ruleset_files()["movies_master"])
    assert [outcome.rule.claim for outcome in evaluation.outcomes if not outcome.passed] == []


def test_every_ruleset_can_be_read() -> None:
    assert {name: file.problem for name, file in ruleset_files().items() if file.ruleset is None} == {}


def test_nothing_is_written_for_a_zip_that_is_refused(store: ObjectStore) -> None:
    store.write(f"project-data/{DAY}/the-movies-dataset.zip", b"PK\x03\x04 and then nothing")
    with pytest.raises(InputRefused, match="truncated or no zip"):
        publish(store)
    with pytest.raises(InputRefused, match="has no delivery for 2026-03-09"):
        publish(store, "2026-03-09")
    assert [info.key for info in store.objects() if not info.key.startswith("project-data/")] == []
