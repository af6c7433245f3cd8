"""Clean files on their way into the warehouse, whatever other runs do meanwhile."""

from pathlib import Path

import pytest

from movie_platform.deliveries import manifests
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import processing
from movie_platform.pipelines.imdb_feed.deliveries import NAME
from movie_platform.pipelines.imdb_feed.loading import GONE, load
from movie_platform.pipelines.imdb_feed.processing import Provenance, process
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
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
    assert loads.failed == ()  # that run finds the newer manifest, makes it again and loads it
    assert titles(warehouse) == [(NEXT, "Other")]
    again = process(raw, lake, W).provenance
    assert again is not None
    assert load(warehouse, lake, [again], run_id="again").failed == ()
    assert titles(warehouse) == [(W, "Second"), (NEXT, "Other")]
    (row,) = warehouse.ledger(IMDB_MOVIE_WINDOWS, W)
    assert (row.source_digests, row.version) == (second.digest, second.version)


def test_a_clean_file_that_was_taken_away_is_not_loaded(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    made = processed(raw, lake, W, "First")
    lake.delete([processing.clean_key(W)])
    assert load(warehouse, lake, [made], run_id="x").failed == ((made, GONE),)


def test_a_lake_that_was_emptied_takes_a_sequence_above_the_ledgers(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    for title in ("A", "B", "A"):
        load(warehouse, lake, [processed(raw, lake, W, title)], run_id="before")
    lake.delete([info.key for info in list(lake.objects())])
    made = processed(raw, lake, W, "Restored")
    assert made.sequence == 1
    loads = load(warehouse, lake, [made], run_id="after")
    assert [result.outcome for result in loads.results] == ["loaded"]
    assert titles(warehouse) == [(W, "Restored")]
    assert manifests.latest_sequence(lake, NAME, W) == 4
    again = process(raw, lake, W).provenance
    assert again is not None
    assert [result.outcome for result in load(warehouse, lake, [again], run_id="again").results] == ["skipped"]


def test_content_that_comes_back_is_loaded_again(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    for title in ("A", "B", "A"):
        load(warehouse, lake, [processed(raw, lake, W, title)], run_id=title)
        assert titles(warehouse) == [(W, title)]
    assert [manifests.sequence_of(row.version) for row in warehouse.ledger(IMDB_MOVIE_WINDOWS, W)][-1] == 3
