"""Views are written once, in DuckDB's dialect, and answer the same in every engine."""

from datetime import UTC, datetime

import pytest
import sqlglot

from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS, IMDB_MOVIES
from movie_platform.warehouse import LatestPartition, View, read_views
from movie_platform.warehouse.dialect import Dialect
from movie_platform.warehouse.duckdb.dialect import DUCKDB
from movie_platform.warehouse.redshift.dialect import REDSHIFT
from movie_platform.warehouse.snowflake.dialect import SNOWFLAKE
from movie_platform.warehouse.views import in_order, statements
from movie_platform_tests.warehouse.conftest import Loader, Row

ENGINES = pytest.mark.parametrize("dialect", [DUCKDB, REDSHIFT, SNOWFLAKE], ids=lambda dialect: dialect.name)


def view(name: str, select: str, *, materialized: bool = False) -> View:
    return View.parse(f"CREATE {'MATERIALIZED ' if materialized else ''}VIEW {name} AS {select}")


def test_a_view_knows_what_it_reads() -> None:
    found = view("movies.best", "WITH top AS (SELECT * FROM imdb_movies) SELECT * FROM top JOIN movies.other USING (a)")
    assert (found.schema, found.name, found.materialized) == ("movies", "best", False)
    assert found.reads == {"main.imdb_movies", "movies.other"}


def test_views_come_after_those_that_they_read() -> None:
    third, second, first = view("a", "SELECT * FROM b"), view("b", "SELECT * FROM c"), view("c", "SELECT 1 AS one")
    assert in_order([third, second, first]) == (first, second, third)
    with pytest.raises(ValueError, match=r"read each other in a circle: main\.a, main\.b"):
        in_order([view("a", "SELECT * FROM b"), view("b", "SELECT * FROM a")])


@pytest.mark.parametrize("sql", ["SELECT 1", "CREATE TABLE a AS SELECT 1", "CREATE VIEW a AS SELECT 1; SELECT 2"])
def test_a_file_that_holds_no_single_view_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match="holds one CREATE VIEW statement"):
        View.parse(sql)


def test_reserved_words_and_schemas_are_written_the_engines_way() -> None:
    found = view("main.v", 'SELECT "window", "order" FROM imdb_movies')
    assert statements(found, REDSHIFT) == (
        'CREATE OR REPLACE VIEW "main"."v" AS SELECT "window", "order" FROM "main"."imdb_movies" '
        "WITH NO SCHEMA BINDING",
    )
    assert statements(found, SNOWFLAKE) == (
        'CREATE OR REPLACE VIEW "MAIN"."V" AS SELECT "WINDOW", "ORDER" FROM "MAIN"."IMDB_MOVIES"',
    )


def test_a_materialized_view_is_a_plain_one_where_the_engine_has_no_other() -> None:
    found = view("movies.year_aggregated", "SELECT 1 AS one", materialized=True)
    assert statements(found, REDSHIFT)[-1].startswith('CREATE MATERIALIZED VIEW "movies"."year_aggregated" AS')
    assert statements(found, DUCKDB) == ('CREATE OR REPLACE VIEW "movies"."year_aggregated" AS SELECT 1 AS one',)


def row(movie_id: int, director: str, rating: float | None, year: int | None, votes: int) -> Row:
    blank: Row = dict.fromkeys(IMDB_MOVIE_WINDOWS.column_names)
    del blank["window"]
    return blank | {
        "movie_id": movie_id,
        "imdb_movie_id": f"tt{movie_id}",
        "title": f"Movie {movie_id}",
        "person_id": sum(map(ord, director)),
        "imdb_person_id": "nm1",
        "director_name": director,
        "imdb_rating": rating,
        "release_year": year,
        "num_voted_users": votes,
    }


def test_the_feeds_views_answer_alike_in_every_engine(loader: Loader) -> None:
    content = {
        "202601012350": [row(1, "Coen, Joel", 7.0, 1998, 10), row(3, "Varda", 8.5, 1962, 5)],
        "202601020000": [
            row(1, "Coen, Joel", 8.0, 1998, 20),
            row(1, "Coen, Ethan", 8.0, 1998, 20),
            row(2, "Scott", 6.0, 1998, 40),
            row(4, "Nobody", None, None, 0),
        ],
    }
    loads = [loader.partition(window, "1", rows, IMDB_MOVIE_WINDOWS) for window, rows in content.items()]
    loader.warehouse.replace_partitions(
        IMDB_MOVIE_WINDOWS,
        loads,
        lake=loader.lake,
        provenance=loader.provenance,
        derived=[LatestPartition(IMDB_MOVIES, ("movie_id",))],
    )
    views = read_views("movie_platform.pipelines.imdb_feed")
    loader.warehouse.create_views(views)
    loader.warehouse.create_views(views)
    ask = loader.warehouse.query
    current = ask('SELECT movie_id, directors, imdb_rating, "window" FROM current_movies ORDER BY movie_id').to_pylist()
    assert [tuple(found.values()) for found in current] == [
        (1, "Coen, Ethan, Coen, Joel", 8.0, "202601020000"),
        (2, "Scott", 6.0, "202601020000"),
        (3, "Varda", 8.5, "202601012350"),
        (4, "Nobody", None, "202601020000"),
    ]
    by_year = ask("SELECT * FROM rating_by_year ORDER BY release_year").to_pylist()
    assert [tuple(found.values()) for found in by_year] == [(1962, 1, 8.5, 8.5, 8.5, 5), (1998, 2, 7.0, 6.0, 8.0, 60)]
    per_day = ask("SELECT * FROM windows_per_day ORDER BY day").to_pylist()
    assert [tuple(found.values()) for found in per_day] == [("20260101", 1, 2, 2), ("20260102", 1, 3, 4)]


def test_a_view_whose_columns_changed_since_an_earlier_version_is_replaced(loader: Loader) -> None:
    for select, wanted in (("SELECT 1 AS one", {"one": 1}), ("SELECT 2 AS two, 1 AS one", {"two": 2, "one": 1})):
        for _ in range(2):
            loader.warehouse.create_views([view("changing", select)])
            assert loader.warehouse.query("SELECT * FROM changing").to_pylist() == [wanted]


def test_a_question_may_have_parameters_or_be_an_expression(loader: Loader) -> None:
    import ibis

    loader.warehouse.ledger()
    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert loader.warehouse.query("SELECT count(*) AS n FROM loads WHERE started > ?", [when]).to_pylist() == [{"n": 0}]
    loads = ibis.table({"partition": "string", "rows": "int64"}, name="loads", database="main")
    assert loader.warehouse.query(loads.filter(loads.rows > 5).count().name("n").as_table()).to_pylist() == [{"n": 0}]


@ENGINES
@pytest.mark.parametrize("pipeline", ["imdb_feed", "movies_dataset", "quality_movies"])
def test_every_pipelines_views_are_written_in_every_engines_grammar(pipeline: str, dialect: Dialect) -> None:
    for found in read_views(f"movie_platform.pipelines.{pipeline}"):
        for sql in statements(found, dialect):
            assert not isinstance(sqlglot.parse_one(sql, read=dialect.name), sqlglot.exp.Command)
