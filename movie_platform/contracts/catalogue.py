"""The platform's tables with their rulesets, a contract a source: from the descriptions that make the tables."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from movie_platform.contracts.writing import Promised, TypeName, contract
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.settings import Settings
from movie_platform.table import Column, Table

if TYPE_CHECKING:
    from movie_platform.warehouse import View


def contracts(settings: Settings, type_name: TypeName) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each source's name and contract, with the quality movies' ruleset that the settings name.

    Raises PlatformError where a ruleset cannot be read.
    """
    promised = (_feed(), _dataset(), _quality_movies(settings), _user_behavior())
    for pipeline, tables in zip(PIPELINES, promised, strict=True):
        source = source_of(pipeline)
        yield (
            source.name,
            contract(source.name, source.title, source.description, version("movie-platform"), tables, type_name),
        )


def _feed() -> list[Promised]:
    from movie_platform.pipelines.imdb_feed.tables import IMDB_CLEAN, IMDB_MOVIE_WINDOWS, IMDB_MOVIES

    tables = (IMDB_MOVIE_WINDOWS, IMDB_MOVIES)
    views = _views("movie_platform.pipelines.imdb_feed", tables)
    return [Promised(IMDB_CLEAN, "file"), *map(Promised, tables), *views]


def _dataset() -> list[Promised]:
    from movie_platform.pipelines.movies_dataset.answers import QUESTIONS
    from movie_platform.pipelines.movies_dataset.ruleset_evaluation import ruleset_files
    from movie_platform.pipelines.movies_dataset.tables import REJECTS, TABLES

    rules = ruleset_files()
    tables = [Promised(table, ruleset=rules[table.name].rules) for table in TABLES]
    asked = {
        question.view: (question.asks, {name: column.says for name, column in question.columns.items()})
        for question in QUESTIONS
    }
    return [*tables, Promised(REJECTS, "file"), *_views("movie_platform.pipelines.movies_dataset", TABLES, asked)]


def _quality_movies(settings: Settings) -> list[Promised]:
    from movie_platform.pipelines.quality_movies.cataloguing import BAD, OUTCOMES
    from movie_platform.pipelines.quality_movies.rulesets import ruleset_in_use
    from movie_platform.pipelines.quality_movies.tables import (
        DELIVERED,
        DELIVERIES,
        IMDB_MOVIES_RATING,
        QUALITY_HISTORY,
    )

    tables = (IMDB_MOVIES_RATING, DELIVERIES, QUALITY_HISTORY)
    return [
        Promised(DELIVERED, "file", ruleset_in_use(settings).rules),
        *map(Promised, tables),
        Promised(BAD, "file"),
        Promised(OUTCOMES, "file"),
        *_views("movie_platform.pipelines.quality_movies", tables),
    ]


def _user_behavior() -> list[Promised]:
    from movie_platform.pipelines.user_behavior.rulesets import metric_ruleset
    from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC, USER_PURCHASE

    metric = Promised(USER_BEHAVIOR_METRIC, ruleset=metric_ruleset().rules)
    return [Promised(USER_PURCHASE, "file"), Promised(MOVIE_REVIEW, "file"), metric]


def _views(
    package: str, tables: Iterable[Table], described: dict[str, tuple[str, dict[str, str]]] | None = None
) -> list[Promised]:
    """A package's views, their columns' types as DuckDB finds them; `described` has the texts of some.

    A view without a text is described by the comment that its file begins with.
    """
    import duckdb

    from movie_platform.warehouse import read_views
    from movie_platform.warehouse.duckdb.dialect import DUCKDB

    promised = []
    with duckdb.connect() as engine:
        for table in tables:
            engine.execute(f"CREATE SCHEMA IF NOT EXISTS {DUCKDB.quote(table.schema)}")
            engine.execute(DUCKDB.create_table(table))
        for view in read_views(package):
            name = f"{DUCKDB.quote(view.schema)}.{DUCKDB.quote(view.name)}"
            engine.execute(f"CREATE VIEW {name} AS {view.select}")
            found = engine.table(f"{view.schema}.{view.name}").limit(0).to_arrow_table().schema
            text, says = (described or {}).get(view.name) or (_comment(package, view), {})
            columns = tuple(Column(field.name, field.type, says.get(field.name, "")) for field in found)
            promised.append(Promised(Table(view.name, columns, text, view.schema), "view"))
    return promised


def _comment(package: str, view: "View") -> str:
    lines = files(package).joinpath("views", f"{view.name}.sql").read_text("utf-8").splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))
