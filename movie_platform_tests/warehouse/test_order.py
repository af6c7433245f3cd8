"""Whatever the order, and however often: the tables are what the newest version of each window implies."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from movie_platform.warehouse import LatestPartition
from movie_platform_tests.warehouse.conftest import MOVIES, WINDOWS, Loader, Row, movie

NAMES = ["202601010000", "202601010010", "202601010020"]
EXAMPLES = itertools.count()

contents = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["1", "2"])),
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["a", "b"])), max_size=3),
    min_size=1,
    max_size=5,
)


@st.composite
def loads_in_some_order(draw: st.DrawFn) -> tuple[dict, list]:
    content = draw(contents)
    order = draw(st.permutations(list(content)))
    repeated = draw(st.lists(st.sampled_from(order), max_size=2))
    return content, [*order, *repeated]


def implied_movies(rows: list[Row]) -> list[Row]:
    highest: dict[int, str] = {}
    for row in rows:
        highest[row["movie_id"]] = max(row["window"], highest.get(row["movie_id"], ""))
    return [row for row in rows if row["window"] == highest[row["movie_id"]]]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads_in_some_order())
def test_any_order_of_windows_and_corrections_gives_the_same_tables(loader: Loader, drawn: tuple[dict, list]) -> None:
    content, order = drawn
    schema = f"example_{next(EXAMPLES)}"
    windows, movies = WINDOWS.derive(WINDOWS.name, schema=schema), MOVIES.derive(MOVIES.name, schema=schema)
    for window, version in order:
        rows = [movie(movie_id, title) for movie_id, title in content[window, version]]
        load = loader.partition(window, version, rows, windows)
        loader.warehouse.replace_partitions(
            windows,
            [load],
            lake=loader.lake,
            provenance=loader.provenance,
            derived=[LatestPartition(movies, ("movie_id",))],
        )
    newest = {window: max(v for w, v in content if w == window) for window, _ in content}
    expected = [
        {**movie(movie_id, title), "window": window}
        for window, version in newest.items()
        for movie_id, title in content[window, version]
    ]
    assert loader.rows(windows) == sorted(expected, key=repr)
    assert loader.rows(movies) == sorted(implied_movies(expected), key=repr)
