"""A delivery is published alike on disk and on S3."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from movie_platform.deliveries import manifests, receipts
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset import build
from movie_platform.pipelines.movies_dataset.publication import NAME, Publication, publish_delivery, read_publication
from movie_platform.pipelines.movies_dataset.report import BuildReport
from movie_platform.pipelines.movies_dataset.ruleset_evaluation import judge, ruleset_files
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.progress import LogProgress
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of

DAY = "2026-03-01"


def publish(store: ObjectStore, day: str = DAY, **options: Any) -> Publication:
    with DuckDBEngine() as engine:
        told = publish_delivery(
            engine, LogProgress(), raw=store.uri, lake=store.uri, day=day, max_bytes=10**9, max_ratio=200.0, **options
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


def test_further_formats_lie_under_prefixes_of_their_own_and_go_when_they_are_no_longer_asked_for(
    store: ObjectStore, tmp_path: Path
) -> None:
    archive = zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [movie(1, '=1+1, "two"\nlines', overview="")]})
    store.upload(f"project-data/{DAY}/the-movies-dataset.zip", archive)
    publish(store, formats=("parquet", "csv", "json"))
    (row,) = csv.DictReader(io.StringIO(store.read(f"movie_data_csv/{DAY}/movies_master.csv").decode(), newline=""))
    assert (row["id"], row["title"], row["runtime"]) == ("1", '=1+1, "two"\nlines', "")
    assert json.loads(store.read(f"movie_data_json/{DAY}/movies_master.json"))["title"] == row["title"]
    named = {info.key.rpartition(".")[2] for info in store.objects(f"movie_data_output/{DAY}/")}
    assert named == {"parquet", "json", "jsonl"}  # report.json, errors.jsonl
    (receipt,) = receipts.standing(store, NAME, DAY).receipts
    assert receipt.made == receipts.made_in(store, SOURCE.made)[DAY]
    publish(store)
    assert not any(store.objects("movie_data_csv/"))
    assert not any(store.objects("movie_data_json/"))


def test_every_ruleset_can_be_read() -> None:
    assert {name: file.problem for name, file in ruleset_files().items() if file.ruleset is None} == {}


def test_nothing_is_written_for_a_zip_that_is_refused(store: ObjectStore) -> None:
    store.write(f"project-data/{DAY}/the-movies-dataset.zip", b"PK\x03\x04 and then nothing")
    with pytest.raises(InputRefused, match="truncated or no zip"):
        publish(store)
    with pytest.raises(InputRefused, match="has no delivery for 2026-03-09"):
        publish(store, "2026-03-09")
    (note,) = [info.key for info in store.objects() if not info.key.startswith("project-data/")]
    assert note.startswith(f"deliveries/movies_dataset/{DAY}/")
    assert note.endswith(".refused")
    (refusal,) = receipts.refusals(store, NAME)
    assert (refusal.partition, refusal.rule) == (DAY, "readable zip")
    assert "truncated or no zip" in refusal.reason


def deliver(store: ObjectStore, folder: Path, title: str) -> None:
    archive = folder / f"{title}.zip"
    if not archive.exists():  # made again, a zip has another time in it
        zip_of(archive, {"movies_metadata.csv": [movie(1, title)]})
    store.upload(f"project-data/{DAY}/the-movies-dataset.zip", archive)


def titles(store: ObjectStore, published: Publication) -> list[str]:
    (part,) = published.tables["movies_master"]
    with store.open(part.key) as file:
        return pq.read_table(file)["title"].to_pylist()


def test_each_other_content_takes_the_next_sequence_and_the_same_content_keeps_it(
    store: ObjectStore, tmp_path: Path
) -> None:
    sequences = []
    for title in ("A", "A", "B", "A"):
        deliver(store, tmp_path, title)
        published = publish(store)
        sequences.append(manifests.sequence_of(published.version))
        assert titles(store, published) == [title]
    assert sequences == [1, 1, 2, 3]
    (receipt,) = receipts.standing(store, NAME, DAY).receipts
    assert receipt.made == receipts.made_in(store, SOURCE.made)[DAY]


def test_a_zip_that_goes_away_leaves_the_last_build(store: ObjectStore, tmp_path: Path) -> None:
    deliver(store, tmp_path, "A")
    published = publish(store)
    store.delete([f"project-data/{DAY}/the-movies-dataset.zip"])
    assert publish(store) == published


def test_a_zip_that_is_replaced_while_it_is_built_is_built_again_from_what_is_there_then(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build.build_dataset

    def slowly(*args: Any, **kwargs: Any) -> BuildReport:
        monkeypatch.setattr(build, "build_dataset", real)
        report = real(*args, **kwargs)
        deliver(store, tmp_path, "Newer")
        return report

    deliver(store, tmp_path, "Older")
    monkeypatch.setattr(build, "build_dataset", slowly)
    published = publish(store)
    assert titles(store, published) == ["Newer"]
    assert manifests.sequence_of(published.version) == 1


def test_another_run_that_built_a_newer_zip_meanwhile_is_not_undone(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build.build_dataset

    def slowly(*args: Any, **kwargs: Any) -> BuildReport:
        monkeypatch.setattr(build, "build_dataset", real)
        report = real(*args, **kwargs)
        deliver(store, tmp_path, "Newer")
        publish(store)
        return report

    deliver(store, tmp_path, "Older")
    monkeypatch.setattr(build, "build_dataset", slowly)
    assert titles(store, publish(store)) == ["Newer"]
