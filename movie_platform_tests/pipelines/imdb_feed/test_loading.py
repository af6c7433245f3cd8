"""Clean files on their way into the warehouse, whatever other runs do meanwhile."""

from pathlib import Path

import pytest

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import processing
from movie_platform.pipelines.imdb_feed.loading import REPLACED, last_loads, load
from movie_platform.pipelines.imdb_feed.processing import Provenance, process
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, W, deliver, movie, triplet


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def processed(raw: ObjectStore, lake: ObjectStore, window: str, title: str) -> Provenance:
    deliver(raw, window, triplet(window, movies=[movie(1, title=title)]))
    made = process(raw, lake, window).provenance
    assert made is not None
    return made


def titles(warehouse: DuckDBWarehouse) -> list[tuple[str, str]]:
    rows = warehouse.query('SELECT "window", title FROM main.imdb_movie_windows ORDER BY ALL').to_pylist()
    return [(row["window"], row["title"]) for row in rows]


def test_rows_are_never_loaded_as_those_of_another_delivery(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    """A slow run of an earlier delivery replaces the clean file that a run of a later one is about to load."""
    processed(raw, lake, W, "First")
    earlier = lake.read(processing.clean_key(W))
    second, other = processed(raw, lake, W, "Second"), processed(raw, lake, NEXT, "Other")
    lake.write(processing.clean_key(W), earlier)
    loads = load(warehouse, lake, [second, other], run_id="overtaken")
    assert [result.partition for result in loads.results] == [NEXT]
    assert loads.failed == ((second, REPLACED),)
    assert titles(warehouse) == [(NEXT, "Other")]
    again = process(raw, lake, W).provenance
    assert again is not None
    assert load(warehouse, lake, [again], run_id="again").failed == ()
    assert titles(warehouse) == [(W, "Second"), (NEXT, "Other")]
    assert last_loads(warehouse)[W].digest == second.digest


def test_a_clean_file_that_was_taken_away_is_not_loaded(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    made = processed(raw, lake, W, "First")
    lake.delete([processing.clean_key(W)])
    assert load(warehouse, lake, [made], run_id="x").failed == ((made, REPLACED),)
