"""The warehouse holds every good day once, and serves the newest."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.pipelines.quality_movies.evaluation import RulesInUse, judge_day
from movie_platform.pipelines.quality_movies.loading import judged, load_good, load_good_before, load_history
from movie_platform.pipelines.quality_movies.source import SOURCE
from movie_platform.warehouse import LoadResult, Warehouse
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform.warehouse.views import View
from movie_platform_tests.pipelines.quality_movies.conftest import RATING, delivery, movie, rules_of


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def deliver(raw: ObjectStore, day: str, *rows: dict[str, str]) -> None:
    raw.write(f"input_data/{day}/movies.csv", delivery(*rows))


def run(
    raw: ObjectStore, lake: ObjectStore, warehouse: Warehouse, day: str, rules: RulesInUse | None = None
) -> LoadResult:
    judge_day(raw, lake, day, rules or rules_of())
    load_history(warehouse, lake, judged(lake, day), run_id="test")
    return load_good(warehouse, lake, judged(lake, day), run_id="test")


def ask(warehouse: Warehouse, question: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in warehouse.query(question).to_pylist()]


NEWEST = "SELECT series_title FROM movies.imdb_movies_rating ORDER BY 1"
EVERY = "SELECT CAST(delivery_date AS VARCHAR), series_title FROM movies.imdb_movies_rating_deliveries ORDER BY 1, 2"


@pytest.mark.parametrize("order", list(permutations(["2026-03-01", "2026-03-02", "2026-03-03"]))[::2])
def test_the_newest_day_is_served_whatever_the_order_of_loads(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse, order: tuple[str, ...]
) -> None:
    for day in order:
        deliver(raw, day, movie(day), movie("Low", "8.0"))
    for day in order:
        run(raw, local_lake, warehouse, day)
    assert ask(warehouse, NEWEST) == [("2026-03-03",)]
    assert ask(warehouse, EVERY) == [(day, day) for day in sorted(order)]


def test_a_day_is_loaded_once_however_often_it_is_run(
    raw: ObjectStore, lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    deliver(raw, "2026-03-01", movie("A"))
    outcomes = [run(raw, lake, warehouse, "2026-03-01").outcome for _ in range(3)]
    assert outcomes == ["loaded", "skipped", "skipped"]
    assert ask(warehouse, NEWEST) == [("A",)]


def test_a_corrected_day_replaces_its_rows(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    deliver(raw, "2026-03-01", movie("Old"), movie("Gone"))
    run(raw, local_lake, warehouse, "2026-03-01")
    deliver(raw, "2026-03-01", movie("New"))
    assert run(raw, local_lake, warehouse, "2026-03-01").rows_before == 2
    assert ask(warehouse, EVERY) == [("2026-03-01", "New")]


def test_other_rules_make_the_same_delivery_a_new_load(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    deliver(raw, "2026-03-01", movie("High"), movie("Low", "8.0"))
    run(raw, local_lake, warehouse, "2026-03-01")
    kinder = rules_of('ColumnValues "imdb_rating" > 7')
    assert run(raw, local_lake, warehouse, "2026-03-01", kinder).outcome == "loaded"
    assert ask(warehouse, NEWEST) == [("High",), ("Low",)]
    assert run(raw, local_lake, warehouse, "2026-03-01").outcome == "loaded"
    assert ask(warehouse, NEWEST) == [("High",)]


def test_nothing_of_a_blocked_day_is_loaded_and_what_was_loaded_stays(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    rules = rules_of(RATING, 'RowCount > 1 labels = ["action" = "block"]')
    deliver(raw, "2026-03-01", movie("A"), movie("B"))
    run(raw, local_lake, warehouse, "2026-03-01", rules)
    deliver(raw, "2026-03-01", movie("Only one"))
    with pytest.raises(PlatformError, match="blocked"):
        run(raw, local_lake, warehouse, "2026-03-01", rules)
    assert ask(warehouse, NEWEST) == [("A",), ("B",)]


def test_every_evaluation_is_in_the_history_a_blocked_one_included(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    rules = rules_of('RowCount > 1 labels = ["action" = "block"]')
    deliver(raw, "2026-03-01", movie("A"), movie("B"))
    deliver(raw, "2026-03-02", movie("A"))
    run(raw, local_lake, warehouse, "2026-03-01", rules)
    with pytest.raises(PlatformError, match="blocked"):
        run(raw, local_lake, warehouse, "2026-03-02", rules)
    question = "SELECT evaluation, value FROM main.quality_history WHERE metric LIKE '%RowCount%' ORDER BY 1"
    assert ask(warehouse, question) == [("quality_movies/2026-03-01", 2.0), ("quality_movies/2026-03-02", 1.0)]


def test_the_years_are_aggregated_for_the_newest_day(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    deliver(raw, "2026-03-01", movie("Older"))
    deliver(
        raw, "2026-03-02", movie("A", genre="Crime, Drama"), movie("B", genre="Crime, Drama"), movie("C", genre="War")
    )
    for day in ("2026-03-01", "2026-03-02"):
        run(raw, local_lake, warehouse, day)
    question = "SELECT year, genre, total_movies FROM movies.year_aggregated ORDER BY genre"
    assert ask(warehouse, question) == [("1994", "Crime, Drama", 2), ("1994", "War", 1)]


def test_views_that_a_broken_connection_left_out_are_made_when_the_load_is_repeated(
    raw: ObjectStore, local_lake: ObjectStore, tmp_path: Path
) -> None:
    class BreaksOnce(DuckDBWarehouse):
        has_broken = False

        def create_views(self, views: Sequence[View]) -> list[str]:
            if not self.has_broken:
                self.has_broken = True
                raise WorldUnavailable("the connection broke behind the commit")
            return super().create_views(views)

    warehouse = BreaksOnce(tmp_path / "warehouse.duckdb")
    deliver(raw, "2026-03-01", movie("A"))
    with pytest.raises(WorldUnavailable):
        run(raw, local_lake, warehouse, "2026-03-01")
    assert run(raw, local_lake, warehouse, "2026-03-01").outcome == "skipped"
    assert ask(warehouse, "SELECT year, genre, total_movies FROM movies.year_aggregated") == [("1994", "Drama", 1)]


class TestReconciliation:
    """Judged days that the warehouse lacks are found, and no others."""

    def judge(self, raw: ObjectStore, lake: ObjectStore, day: str, rules: RulesInUse | None = None) -> None:
        judge_day(raw, lake, day, rules or rules_of())

    def owed(self, raw: ObjectStore, lake: ObjectStore, warehouse: Warehouse | None) -> list[str]:
        return list(SOURCE.owed(raw, lake, warehouse, "2026-01-01", datetime.now(UTC)))

    def test_a_day_that_was_judged_and_never_loaded_is_found(
        self, raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
    ) -> None:
        deliver(raw, "2026-03-01", movie("Loaded"))
        deliver(raw, "2026-03-02", movie("Not loaded"))
        run(raw, local_lake, warehouse, "2026-03-01")
        self.judge(raw, local_lake, "2026-03-02")
        assert self.owed(raw, local_lake, warehouse) == ["2026-03-02"]
        run(raw, local_lake, warehouse, "2026-03-02")
        assert self.owed(raw, local_lake, warehouse) == []

    def test_a_correction_that_was_never_loaded_is_found(
        self, raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
    ) -> None:
        deliver(raw, "2026-03-01", movie("Old"))
        run(raw, local_lake, warehouse, "2026-03-01")
        deliver(raw, "2026-03-01", movie("New"))
        self.judge(raw, local_lake, "2026-03-01")
        assert self.owed(raw, local_lake, warehouse) == ["2026-03-01"]

    def test_a_day_whose_metrics_alone_are_missing_is_found(
        self, raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
    ) -> None:
        deliver(raw, "2026-03-01", movie("A"))
        self.judge(raw, local_lake, "2026-03-01")
        load_good(warehouse, local_lake, judged(local_lake, "2026-03-01"), run_id="test")
        assert self.owed(raw, local_lake, warehouse) == ["2026-03-01"]

    def test_a_blocked_day_owes_its_metrics_only_and_an_unreadable_one_nothing(
        self, raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
    ) -> None:
        deliver(raw, "2026-03-01", movie("A"))
        raw.write("input_data/2026-03-02/movies.csv", b"")
        self.judge(raw, local_lake, "2026-03-01", rules_of('RowCount > 1 labels = ["action" = "block"]'))
        self.judge(raw, local_lake, "2026-03-02")
        assert self.owed(raw, local_lake, warehouse) == ["2026-03-01"]
        load_history(warehouse, local_lake, judged(local_lake, "2026-03-01"), run_id="test")
        assert self.owed(raw, local_lake, warehouse) == []

    @pytest.mark.parametrize("correction", ["blocked", "unreadable"])
    def test_a_good_version_that_was_never_loaded_is_loaded_though_its_correction_is_not(
        self, raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse, correction: str
    ) -> None:
        rules = rules_of(RATING, 'RowCount > 1 labels = ["action" = "block"]')
        deliver(raw, "2026-03-01", movie("A"), movie("B"), movie("Low", "8.0"))
        self.judge(raw, local_lake, "2026-03-01", rules)
        for _ in range(2):  # a second correction is held back too
            if correction == "blocked":
                deliver(raw, "2026-03-01", movie("Only one"))
            else:
                raw.write("input_data/2026-03-01/movies.csv", b"")
            self.judge(raw, local_lake, "2026-03-01", rules)
        record = judged(local_lake, "2026-03-01")
        load_history(warehouse, local_lake, record, run_id="test") if correction == "blocked" else None
        assert self.owed(raw, local_lake, warehouse) == ["2026-03-01"]
        for outcome in ("loaded", "skipped"):
            result = load_good_before(warehouse, local_lake, record, run_id="test")
            assert result is not None
            assert (result.outcome, result.version) == (outcome, "sequence 000000001")
            assert ask(warehouse, NEWEST) == [("A",), ("B",)]
        assert self.owed(raw, local_lake, warehouse) == []
        deliver(raw, "2026-03-01", movie("Mended"), movie("Too"))
        assert run(raw, local_lake, warehouse, "2026-03-01", rules).outcome == "loaded"
        assert ask(warehouse, NEWEST) == [("Mended",), ("Too",)]

    def test_while_the_warehouse_cannot_be_asked_nothing_is_owed_to_it(
        self, raw: ObjectStore, local_lake: ObjectStore
    ) -> None:
        deliver(raw, "2026-03-01", movie("A"))
        assert self.owed(raw, local_lake, None) == ["2026-03-01"]
        self.judge(raw, local_lake, "2026-03-01")
        assert self.owed(raw, local_lake, None) == []


def test_content_that_comes_back_is_loaded_again(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    for title in ("A", "B", "A"):
        deliver(raw, "2026-03-01", movie(title))
        assert run(raw, local_lake, warehouse, "2026-03-01").outcome == "loaded"
        assert ask(warehouse, NEWEST) == [(title,)]


def test_a_lake_that_was_emptied_takes_a_sequence_above_the_ledgers(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    for title in ("A", "B", "A"):
        deliver(raw, "2026-03-01", movie(title))
        run(raw, local_lake, warehouse, "2026-03-01")
    local_lake.delete([info.key for info in list(local_lake.objects())])
    deliver(raw, "2026-03-01", movie("Restored"))
    assert run(raw, local_lake, warehouse, "2026-03-01").outcome == "loaded"
    assert ask(warehouse, NEWEST) == [("Restored",)]
    assert SOURCE.owed(raw, local_lake, warehouse, "2026-01-01", datetime.now(UTC)) == {}
    assert run(raw, local_lake, warehouse, "2026-03-01").outcome == "skipped"


@pytest.mark.parametrize("first", [load_good, load_history])
def test_good_rows_and_metrics_that_are_loaded_side_by_side_both_pass_the_ledger(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse, first: Callable[..., LoadResult]
) -> None:
    """Both read the same record of a lake that was emptied, and the first one renumbers it."""
    for title in ("A", "B"):
        deliver(raw, "2026-03-01", movie(title))
        run(raw, local_lake, warehouse, "2026-03-01")
    local_lake.delete([info.key for info in list(local_lake.objects())])
    deliver(raw, "2026-03-01", movie("Restored"))
    judge_day(raw, local_lake, "2026-03-01", rules_of())
    record = judged(local_lake, "2026-03-01")
    second = load_history if first is load_good else load_good
    assert [load(warehouse, local_lake, record, run_id="x").outcome for load in (first, second)] == ["loaded"] * 2
    assert ask(warehouse, NEWEST) == [("Restored",)]
    assert SOURCE.owed(raw, local_lake, warehouse, "2026-01-01", datetime.now(UTC)) == {}


def test_the_table_has_the_types_of_the_model(
    raw: ObjectStore, local_lake: ObjectStore, warehouse: DuckDBWarehouse
) -> None:
    deliver(raw, "2026-03-01", movie("A"))
    run(raw, local_lake, warehouse, "2026-03-01")
    types = dict(
        ask(
            warehouse,
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'imdb_movies_rating'",
        )
    )
    assert len(types) == 16
    assert {name: kind for name, kind in types.items() if kind != "VARCHAR"} == {
        "imdb_rating": "DECIMAL(10,2)",
        "meta_score": "INTEGER",
        "no_of_votes": "INTEGER",
    }


def test_a_day_that_was_not_judged_says_what_to_do(local_lake: ObjectStore) -> None:
    assert record_of(local_lake, "2026-03-01") is None
    with pytest.raises(PlatformError, match="materialize quality_movies_evaluated"):
        judged(local_lake, "2026-03-01")
