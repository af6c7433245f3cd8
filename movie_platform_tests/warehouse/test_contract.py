"""What every warehouse promises, engine by engine."""

from dataclasses import replace

import pyarrow as pa
import pytest

from movie_platform.errors import LoadRefused, ObjectMissing, PlatformError
from movie_platform.table import Column, Table
from movie_platform.warehouse import LatestPartition, LoadResult, PartitionLoad, Provenance
from movie_platform_tests.warehouse.conftest import LATEST, MOVIES, WINDOWS, Loader, Row, movie

SECOND = "202601010010"
FIRST = "202601010000"

METRIC = Table(
    name="user_behavior_metric",
    columns=(Column("customerid", pa.int32(), nullable=False), Column("review_count", pa.int32())),
    key=("customerid",),
)


def titles(loader: Loader, table: Table = MOVIES) -> dict[int, str]:
    return {row["movie_id"]: row["title"] for row in loader.rows(table)}


def test_a_window_is_filled_with_its_own_name(loader: Loader) -> None:
    result = loader.window(FIRST, "1", [movie(1), movie(2)])
    assert (result.outcome, result.rows, result.rows_before) == ("loaded", 2, 0)
    assert loader.rows(WINDOWS) == [{**movie(1), "window": FIRST}, {**movie(2), "window": FIRST}]


def test_the_same_content_loads_once_and_says_so(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1)])
    again = loader.window(FIRST, "1", [movie(1)])
    assert again.outcome == "skipped"
    assert "same content" in again.reason
    assert len(loader.rows(WINDOWS)) == 1
    assert len(loader.warehouse.ledger(WINDOWS)) == 1


def test_force_loads_the_same_content_and_changes_no_row(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1)])
    again = loader.window(FIRST, "1", [movie(1)], force=True)
    assert (again.outcome, again.rows, again.rows_before) == ("loaded", 1, 1)
    assert len(loader.rows(WINDOWS)) == 1


def test_a_then_b_then_a_loads_three_times(loader: Loader) -> None:
    outcomes = [
        loader.window(FIRST, version, [movie(1, title)]).outcome
        for version, title in [("1", "A"), ("2", "B"), ("3", "A")]
    ]
    assert outcomes == ["loaded"] * 3
    assert titles(loader) == {1: "A"}


@pytest.mark.parametrize("mended", [Provenance("code-2", "rules-1"), Provenance("code-1", "rules-2")])
def test_a_mended_program_and_other_rules_load_the_same_digests_again(loader: Loader, mended: Provenance) -> None:
    loader.window(FIRST, "1", [movie(1)])
    loader.provenance = mended
    assert loader.window(FIRST, "1", [movie(1)]).outcome == "loaded"


def test_a_highest_partition_without_rows_does_not_leave_an_older_one_in_its_place(loader: Loader) -> None:
    newest = LatestPartition(replace(LATEST.table, name="newest", key=()))

    def load(window: str, *movies: Row, force: bool = False) -> LoadResult:
        return loader.warehouse.replace_partitions(
            WINDOWS,
            [loader.partition(window, "1", movies)],
            lake=loader.lake,
            provenance=loader.provenance,
            derived=[newest],
            force=force,
        )[0]

    load(FIRST, movie(1))
    with pytest.raises(LoadRefused, match="holds 1 rows and this load would leave 0"):
        load(SECOND)
    assert len(loader.rows(newest.table)) == 1
    assert load(SECOND, force=True).outcome == "loaded"
    assert loader.rows(newest.table) == []


@pytest.mark.parametrize("force", [False, True])
def test_an_older_version_never_overwrites_a_newer_one(loader: Loader, force: bool) -> None:
    loader.window(FIRST, "2", [movie(1, "new")])
    result = loader.window(FIRST, "1", [movie(1, "old")], force=force)
    assert result.outcome == "refused"
    assert "older" in result.reason
    assert titles(loader) == {1: "new"}


def test_a_newer_version_of_the_same_content_keeps_out_what_lies_between(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1, "A")])
    assert loader.window(FIRST, "3", [movie(1, "A")]).outcome == "skipped"
    assert loader.window(FIRST, "2", [movie(1, "B")]).outcome == "refused"
    assert [row.outcome for row in loader.warehouse.ledger(WINDOWS, FIRST)] == ["loaded", "confirmed"]


def test_the_latest_window_of_each_movie_wins_whatever_came_last(loader: Loader) -> None:
    loader.window(SECOND, "1", [movie(1, "second"), movie(1, "second, other director")])
    loader.window(FIRST, "2", [movie(1, "first"), movie(2, "first")])
    assert sorted((row["movie_id"], row["title"], row["window"]) for row in loader.rows(MOVIES)) == [
        (1, "second", SECOND),
        (1, "second, other director", SECOND),
        (2, "first", FIRST),
    ]


def test_a_correction_that_takes_a_movie_out_of_its_highest_window_brings_the_older_rows_back(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1, "first")])
    loader.window(SECOND, "1", [movie(1, "second"), movie(2)])
    loader.window(SECOND, "2", [movie(2)])
    assert titles(loader) == {1: "first", 2: "Up"}


def test_a_partition_without_sources_becomes_empty(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1)])
    (result,) = loader.windows([PartitionLoad(FIRST, "2")])
    assert (result.outcome, result.rows, result.rows_before) == ("loaded", 0, 1)
    assert loader.rows(WINDOWS) == loader.rows(MOVIES) == []


def test_one_call_loads_skips_and_refuses_each_partition_for_itself(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1)])
    loader.window(SECOND, "2", [movie(2)])
    results = loader.windows(
        [
            loader.partition(FIRST, "1", [movie(1)]),
            loader.partition(SECOND, "1", [movie(3)]),
            loader.partition("202601010020", "1", [movie(4)]),
        ]
    )
    assert [result.outcome for result in results] == ["skipped", "refused", "loaded"]
    assert titles(loader).keys() == {1, 2, 4}


def test_a_table_that_is_derived_later_holds_what_was_loaded_before(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(1)])
    later = replace(LATEST, table=MOVIES.derive("movies_by_title"))
    load = loader.partition(SECOND, "1", [movie(2)])
    loader.warehouse.replace_partitions(
        WINDOWS, [load], lake=loader.lake, provenance=loader.provenance, derived=[later]
    )
    assert titles(loader, later.table).keys() == {1, 2}


def test_the_ledger_tells_what_was_loaded_from_what_by_whom(loader: Loader) -> None:
    load = loader.partition(FIRST, "1", [movie(1), movie(2)])
    loader.windows([load])
    (row,) = loader.warehouse.ledger(WINDOWS)
    assert (row.table_name, row.partition, row.version, row.rows) == ("main.imdb_movie_windows", FIRST, "1", 2)
    assert row.source_digests == load.sources[0].digest
    assert (row.code_version, row.ruleset_digest, row.run_id) == ("code-1", "rules-1", "run-1")
    assert row.started <= row.ended


def test_an_object_that_holds_other_rows_than_announced_is_not_loaded(loader: Loader) -> None:
    load = loader.partition(FIRST, "1", [movie(1)])
    announced = replace(load, sources=(replace(load.sources[0], rows=2),))
    with pytest.raises(PlatformError, match="hold 1 rows, and the load was announced with 2"):
        loader.windows([announced])
    assert loader.warehouse.ledger(WINDOWS) == []


def test_parquet_of_other_columns_is_named_with_what_differs(loader: Loader) -> None:
    other = Table("other", (Column("movie_id", pa.int64()), Column("title", pa.int64()), Column("extra", pa.string())))
    source = loader.put(other, "x", [{"movie_id": 1, "title": 2, "extra": "?"}])
    with pytest.raises(PlatformError, match=r"extra is not a column.*title is int64.*string.*rating is missing"):
        loader.windows([PartitionLoad(FIRST, "1", (source,))])


def test_a_table_is_replaced_as_a_whole(loader: Loader) -> None:
    loader.replace(METRIC, "1", [{"customerid": 1, "review_count": 1}, {"customerid": 2, "review_count": 2}])
    result = loader.replace(METRIC, "2", [{"customerid": 3, "review_count": 3}])
    assert (result.outcome, result.rows, result.rows_before) == ("loaded", 1, 2)
    assert [row["customerid"] for row in loader.rows(METRIC)] == [3]


def test_a_master_table_that_would_lose_more_than_half_is_kept_unless_forced(loader: Loader) -> None:
    loader.replace(METRIC, "1", [{"customerid": n, "review_count": n} for n in range(5)])
    with pytest.raises(LoadRefused, match=r"holds 5 rows and this load would leave 2, less than half.*--force"):
        loader.replace(METRIC, "2", [{"customerid": n, "review_count": n} for n in range(2)])
    assert len(loader.rows(METRIC)) == 5
    loader.replace(METRIC, "2", [{"customerid": n, "review_count": n} for n in range(2)], force=True)
    assert len(loader.rows(METRIC)) == 2


def test_upserted_rows_are_the_newest_of_their_key_in_any_order(loader: Loader) -> None:
    loader.upsert(METRIC, "2", [{"customerid": 1, "review_count": 20}])
    loader.upsert(METRIC, "1", [{"customerid": 1, "review_count": 10}, {"customerid": 2, "review_count": 10}])
    loader.upsert(METRIC, "3", [{"customerid": 2, "review_count": 30}])
    assert {row["customerid"]: row["review_count"] for row in loader.rows(METRIC)} == {1: 20, 2: 30}


def test_an_upsert_with_two_rows_of_one_key_is_refused_and_names_it(loader: Loader) -> None:
    with pytest.raises(LoadRefused, match=r"2 rows of version 1 have the key \{'customerid': 7\}"):
        loader.upsert(METRIC, "1", [{"customerid": 7, "review_count": 1}, {"customerid": 7, "review_count": 2}])


def test_an_object_that_is_no_parquet_is_named(loader: Loader) -> None:
    load = loader.partition(FIRST, "1", [movie(1)])
    loader.lake.write(load.sources[0].key, b"title,rating")
    with pytest.raises(PlatformError, match=r"clean_files/.*\.parquet is no Parquet"):
        loader.windows([load])


def test_an_object_that_is_gone_is_named(loader: Loader) -> None:
    load = loader.partition(FIRST, "1", [movie(1)])
    loader.lake.delete([load.sources[0].key])
    with pytest.raises(ObjectMissing, match=r"clean_files/.*\.parquet does not exist"):
        loader.windows([load])
