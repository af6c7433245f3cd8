"""The same transforms over the same samples give the same tables on DuckDB and on Spark, value by value."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.engine import Engine
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.engine.spark import SparkEngine
from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.build import build_dataset
from movie_platform.pipelines.movies_dataset.report import BuildReport
from movie_platform.pipelines.user_behavior import metric, reviews
from movie_platform.pipelines.user_behavior.classification import classify_day, stage_key
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC
from movie_platform.progress import LogProgress
from movie_platform.samples import user_behavior as samples
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of

DAY = date(2026, 1, 5)
GENRES = "[{'id': 35, 'name': 'Comedy'}]"


@pytest.fixture(scope="module")
def engines(spark: Any) -> Iterator[list[Engine]]:
    with DuckDBEngine() as one, SparkEngine(spark) as other:
        yield [one, other]


def rows_of(path: Path) -> pa.Table:
    """A written table in an order of its own where it has none."""
    table = pq.read_table(path)
    table = table.cast(pa.schema([field.with_nullable(True) for field in table.schema]))  # DuckDB writes no other
    shown = [repr(row) for row in table.to_pylist()]
    return table.take(pa.array(sorted(range(len(shown)), key=shown.__getitem__), pa.int64()))


@pytest.mark.parametrize(
    "spreadsheet",
    [
        pytest.param(False, id="as published"),
        pytest.param(True, id="through a spreadsheet", marks=pytest.mark.soak),  # half a minute of Spark's
    ],
)
def test_the_movies_dataset(engines: list[Engine], tmp_path: Path, spreadsheet: bool) -> None:
    zipped = tmp_path / "the-movies-dataset.zip"
    write_dataset(zipped, scale=0.002, spreadsheet=spreadsheet)
    reports = both_build(engines, zipped, tmp_path)
    assert len(reports[0].files) == 5


def test_numbers_and_dates_at_the_border_of_what_is_taken(engines: list[Engine], tmp_path: Path) -> None:
    cells = {
        "revenue": ["9223372036854775807", "9223372036854775808", "1000000000000", "1000000000001.0", "+7", "1e3"],
        "budget": ["-9223372036854775808", "-1000000000000", "-1000000000001", "007", "5.", "١"],
        "popularity": ["1e999", "-1e999", "1e308", "1e12", "1e-999", "Infinity", "NaN", ".5e1"],
        "release_date": ["12/31/0000", "0000-01-01", "0001-01-01", "1/1/0001", "9999-12-31", "12/31/9999", "2/29/1900"],
    }
    odd = [{column: text} for column, texts in cells.items() for text in texts]
    movies = [movie(number, genres=GENRES, **cell) for number, cell in enumerate([*odd, *odd], start=1)]
    zipped = zip_of(tmp_path / "the-movies-dataset.zip", {"movies_metadata.csv": movies})
    (account,) = both_build(engines, zipped, tmp_path)[0].files
    assert account.bad_cells == {
        "revenue": 8,
        "budget": 6,
        "popularity": 10,
        "release_date": 6,
    }


def both_build(engines: list[Engine], zipped: Path, tmp_path: Path) -> list[BuildReport]:
    """The reports of both engines over the same zip, which are the same, as are all the tables."""
    reports = [build_dataset(zipped, tmp_path / engine.name, engine, progress=LogProgress()) for engine in engines]
    for report in reports:
        report.seconds, report.engine = 0, ""
    assert reports[0] == reports[1]
    written = {path.name for path in (tmp_path / "duckdb").iterdir()}
    assert written == {path.name for path in (tmp_path / "spark").iterdir()}
    tables = [*(tmp_path / "duckdb").glob("*.parquet"), *(tmp_path / "duckdb" / "rejects").iterdir()]
    assert len(tables) == len(reports[0].rows) + len(reports[0].files)
    for path in tables:
        same = tmp_path / "spark" / path.relative_to(tmp_path / "duckdb")
        assert rows_of(path).schema.equals(rows_of(same).schema), path.name
        assert rows_of(path).equals(rows_of(same)), path.name
    errors = [(tmp_path / name / "errors.jsonl").read_text() for name in ("duckdb", "spark")]
    assert errors[0] == errors[1]
    return reports


@pytest.mark.parametrize("classifier", ["model", "token", "lexicon"])
def test_the_classified_reviews(engines: list[Engine], tmp_path: Path, classifier: str) -> None:
    lakes = [open_store((tmp_path / engine.name).as_uri()) for engine in engines]
    results = []
    for engine, lake in zip(engines, lakes, strict=True):
        lake.write(f"{reviews.raw_prefix(DAY)}a.csv", samples.reviews(DAY, 3_000, defects=0.05).content)
        lake.write(f"{reviews.raw_prefix(DAY)}b.csv", samples.reviews(DAY, 50, seed=1, long_text=True).content)
        parameters = {"lake": lake.uri, "day": DAY.isoformat(), "classifier": classifier}
        results.append(classify_day(engine, LogProgress(), **parameters))
    assert results[0] == results[1]
    assert results[0]["rows"] > 2_500
    for key in (stage_key(DAY), reviews.rejects_key(DAY)):
        assert lakes[0].read(key) == lakes[1].read(key)


def test_the_metric(engines: list[Engine], tmp_path: Path) -> None:
    staged = tmp_path / "purchases.parquet"
    pq.write_table(pa.Table.from_batches(samples.purchases(DAY, 5_000)), staged)
    judged = tmp_path / "reviews.parquet"
    customers = [12_350, 12_400, *range(12_346, 13_000)]
    rows = [
        {"source": "a.csv", "record_number": n, "cid": c, "positive_review": n % 3 == 0, "second_opinion": True}
        for n, c in enumerate(customers)
    ]
    pq.write_table(pa.Table.from_pylist(rows, MOVIE_REVIEW.arrow_schema), judged)
    found = []
    for engine in engines:
        sides = [engine.parquet(path.stem, [path]).table for path in (staged, judged)]
        customers_ = engine.stage("customers", metric.by_customer(*sides)).table
        rows_ = engine.to_arrow(metric.metric(customers_, DAY)).cast(USER_BEHAVIOR_METRIC.arrow_schema)
        found.append((rows_, metric.account(engine, customers_)))
    assert found[0][0].num_rows > 50
    assert found[0][0].equals(found[1][0])
    assert found[0][1] == found[1][1]


def test_a_day_without_a_file(engines: list[Engine], tmp_path: Path) -> None:
    for engine in engines:
        lake = open_store((tmp_path / engine.name).as_uri())
        result = classify_day(engine, LogProgress(), lake=lake.uri, day=DAY.isoformat(), classifier="token")
        assert result["rows"] == 0
        with lake.open(stage_key(DAY)) as file:
            assert pq.read_schema(file).equals(MOVIE_REVIEW.arrow_schema)
