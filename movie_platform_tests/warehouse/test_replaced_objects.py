"""An object that is replaced while it is loaded: nothing of it is committed, whichever statement it comes before."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from movie_platform.errors import WorldUnavailable
from movie_platform.table import Table
from movie_platform.warehouse import PartitionLoad, Source
from movie_platform_tests.warehouse.conftest import LATEST, MOVIES, WINDOWS, Loader, Row, movie
from movie_platform_tests.warehouse.interruption import interrupting
from movie_platform_tests.warehouse.test_contract import FIRST, METRIC, SECOND

Load = Callable[[Loader, Source, str], Any]
METRICS: list[Row] = [{"customerid": n, "review_count": n} for n in range(3)]


def load_window(loader: Loader, source: Source, version: str) -> Any:
    other = loader.partition(SECOND, version, [movie(9)])
    return loader.warehouse.replace_partitions(
        WINDOWS,
        [PartitionLoad(FIRST, version, (source,)), other],
        lake=loader.lake,
        provenance=loader.provenance,
        derived=[LATEST],
    )


def replace_metric(loader: Loader, source: Source, version: str) -> Any:
    return loader.warehouse.replace_table(METRIC, version, [source], lake=loader.lake, provenance=loader.provenance)


def upsert_metric(loader: Loader, source: Source, version: str) -> Any:
    return loader.warehouse.upsert_latest(METRIC, version, [source], lake=loader.lake, provenance=loader.provenance)


def put(loader: Loader, table: Table, rows: list[Row]) -> Source:
    """Rows as an object, and a source that names its etag."""
    source = loader.put(table, "delivered", rows, without=["window"])
    info = loader.lake.info(source.key)
    assert info is not None
    return replace(source, etag=info.etag)


CASES = pytest.mark.parametrize(
    ("load", "table", "rows", "others"),
    [
        (load_window, WINDOWS, [movie(1), movie(2)], [movie(3), movie(4)]),
        (load_window, WINDOWS, [movie(1), movie(2)], [movie(3)]),
        (replace_metric, METRIC, METRICS, METRICS[:1]),
        (upsert_metric, METRIC, METRICS, [{**row, "review_count": 7} for row in METRICS]),
    ],
    ids=["window", "window of fewer rows", "table", "upsert"],
)


@CASES
def test_a_load_whose_object_is_replaced_before_its_commit_loads_nothing(
    loader: Loader, load: Load, table: Table, rows: list[Row], others: list[Row]
) -> None:
    load(loader, put(loader, table, rows), "1")
    corrected = [{name: value if name in table.key else None for name, value in row.items()} for row in rows]
    source = put(loader, table, corrected)
    with interrupting(loader.warehouse, 0) as statements:
        load(loader, source, "2")
    commit = next(statements) - 1
    before = loader.rows(table), loader.warehouse.ledger()

    for statement in (1, commit // 2, commit - 1):
        source = put(loader, table, rows)
        with (
            pytest.raises(WorldUnavailable) as caught,
            interrupting(loader.warehouse, statement, how=lambda: put(loader, table, others)),
        ):
            load(loader, source, "3")
        name = loader.lake.uri_of(source.key)
        assert str(caught.value) == f"{name} was replaced while it was loaded; it is loaded again by the next run"
        assert (loader.rows(table), loader.warehouse.ledger()) == before

    source = put(loader, table, rows)
    with interrupting(loader.warehouse, commit, how=lambda: put(loader, table, others)):
        load(loader, source, "3")
    assert loader.rows(table) != before[0]


def test_an_object_that_is_removed_while_it_is_loaded_is_named(loader: Loader) -> None:
    source = put(loader, METRIC, METRICS)
    with (
        pytest.raises(WorldUnavailable, match=r"user_behavior_metric/delivered\.parquet was removed"),
        interrupting(loader.warehouse, 8, how=lambda: loader.lake.delete([source.key])),
    ):
        replace_metric(loader, source, "1")
    assert loader.warehouse.ledger() == []


def test_an_object_that_was_replaced_before_its_load_began_is_not_loaded(loader: Loader) -> None:
    source = put(loader, WINDOWS, [movie(1)])
    put(loader, WINDOWS, [movie(2)])
    with pytest.raises(WorldUnavailable, match="was replaced"):
        load_window(loader, source, "1")
    assert loader.warehouse.ledger() == []


def test_one_replaced_object_among_many_stops_the_transaction_of_them_all(loader: Loader) -> None:
    windows = [f"20260101{hour:02}{minute}0" for hour in range(4) for minute in range(5)]
    loads = []
    for window in windows:
        load = loader.partition(window, "1", [movie(1, window)])
        info = loader.lake.info(load.sources[0].key)
        assert info is not None
        loads.append(replace(load, sources=(replace(load.sources[0], etag=info.etag),)))
    loader.partition(windows[13], "1", [movie(1, "replaced")])
    with pytest.raises(WorldUnavailable, match=f"{windows[13]}-1.parquet was replaced"):
        loader.windows(loads)
    assert loader.warehouse.ledger() == []
    loader.windows([load for load in loads if load.partition != windows[13]])
    assert len(loader.rows(WINDOWS)) == 19
    assert [row["title"] for row in loader.rows(MOVIES)] == [windows[-1]]
