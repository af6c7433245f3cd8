"""A load happens as a whole or not at all, wherever it is cut off and whoever else loads."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from movie_platform.lake import open_store
from movie_platform.warehouse import Warehouse
from movie_platform_tests.warehouse.conftest import MOVIES, WINDOWS, Loader, movie
from movie_platform_tests.warehouse.interruption import CutOff, forked, in_process, interrupting, kill, one_connection
from movie_platform_tests.warehouse.test_contract import FIRST, METRIC, SECOND

Load = Callable[[Loader], Any]


def correct_two_windows(loader: Loader) -> Any:
    corrected = [loader.partition(FIRST, "2", [movie(2, "corrected")]), loader.partition(SECOND, "2", [movie(3)])]
    return loader.windows(corrected)


def replace_metric(loader: Loader) -> Any:
    return loader.replace(METRIC, "2", [{"customerid": n, "review_count": 2} for n in range(1, 3)])


def upsert_metric(loader: Loader) -> Any:
    return loader.upsert(METRIC, "2", [{"customerid": n, "review_count": 2} for n in range(1, 3)])


def begin_with(loader: Loader, load: Load) -> None:
    rows = [{"customerid": n, "review_count": 1} for n in range(2)]
    if load is correct_two_windows:
        loader.windows([loader.partition(FIRST, "1", [movie(1), movie(2)]), loader.partition(SECOND, "1", [movie(1)])])
    elif load is replace_metric:
        loader.replace(METRIC, "1", rows)
    else:
        loader.upsert(METRIC, "1", rows)


def state(loader: Loader, load: Load) -> Any:
    tables = [WINDOWS, MOVIES] if load is correct_two_windows else [METRIC]
    with one_connection(loader.warehouse):
        return [loader.rows(table) for table in tables], loader.warehouse.ledger()


LOADS = pytest.mark.parametrize("load", [correct_two_windows, replace_metric, upsert_metric])


@LOADS
def test_a_load_that_is_cut_off_between_any_two_statements_changes_nothing(loader: Loader, load: Load) -> None:
    begin_with(loader, load)
    before = state(loader, load)
    for statement in range(1, 200):
        try:
            with interrupting(loader.warehouse, statement):
                load(loader)
        except CutOff:
            assert state(loader, load) == before, f"cut off before statement {statement}"
        else:
            break
    assert statement > 8
    after = state(loader, load)
    assert after != before
    load(loader)
    assert state(loader, load) == after


def test_the_first_load_ever_succeeds_wherever_earlier_attempts_were_cut_off(loader: Loader) -> None:
    for statement in range(1, 200):
        try:
            with interrupting(loader.warehouse, statement):
                loader.window(FIRST, "1", [movie(1)])
        except CutOff:
            assert loader.warehouse.ledger() == []
        else:
            break
    assert loader.rows(MOVIES) == loader.rows(WINDOWS) == [{**movie(1), "window": FIRST}]


def die_at_every_statement(warehouse: Warehouse, lake_uri: str, load: Load, before: Any) -> None:
    """Runs in a process of its own, which forks one per statement: it looks at the tables and dies loading."""
    import pandas  # noqa: F401 - DuckDB would import it anew in every fork

    for statement in range(1, 200):

        def look_and_die(at: int = statement) -> None:
            loader = Loader(warehouse, open_store(lake_uri))
            assert state(loader, load) == before, f"killed before statement {at - 1}"
            with interrupting(warehouse, at, how=kill):
                load(loader)

        ended = forked(look_and_die)
        if ended == 0:
            assert statement > 8
            return
        assert ended == -signal.SIGKILL


@LOADS
@pytest.mark.parametrize("loader", ["duckdb"], indirect=True)
def test_a_process_that_is_killed_between_any_two_statements_changes_nothing(loader: Loader, load: Load) -> None:
    begin_with(loader, load)
    before = state(loader, load)
    deaths = in_process(die_at_every_statement, loader.warehouse, loader.lake.uri, load, before)
    deaths.join(120)
    assert deaths.exitcode == 0
    assert state(loader, load) != before


def load_windows(warehouse: Warehouse, lake_uri: str, windows: list[str]) -> None:
    loader = Loader(warehouse, open_store(lake_uri))
    for window in windows:
        loader.window(window, "1", [movie(1, f"as of {window}"), movie(int(window[-4:]), window)])


def die_holding(warehouse: Warehouse, lake_uri: str) -> None:
    with interrupting(warehouse, 12, how=kill):
        load_windows(warehouse, lake_uri, ["202601012350"])


@pytest.mark.parametrize("loader", ["duckdb", "redshift"], indirect=True)
def test_twenty_loads_from_several_processes_all_arrive_though_one_is_killed_in_the_middle(loader: Loader) -> None:
    windows = [f"20260101{hour:02}{minute}0" for hour in range(4) for minute in range(5)]
    victim = in_process(die_holding, loader.warehouse, loader.lake.uri)
    processes = [in_process(load_windows, loader.warehouse, loader.lake.uri, windows[n::3]) for n in range(3)]
    for process in [victim, *processes]:
        process.join(120)
    assert victim.exitcode != 0
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(loader.rows(WINDOWS)) == 40
    assert [row["title"] for row in loader.rows(MOVIES) if row["movie_id"] == 1] == [f"as of {windows[-1]}"]
    assert sorted(row.partition for row in loader.warehouse.ledger(WINDOWS)) == windows
    numbers = [row.load_number for row in loader.warehouse.ledger()]
    assert numbers == sorted(set(numbers))
