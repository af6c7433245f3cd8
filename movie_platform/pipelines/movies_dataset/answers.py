"""The nine questions that the data set answers, as views of the warehouse over movies_aggregated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from movie_platform.pipelines.movies_dataset.tables import MOVIES_AGGREGATED
from movie_platform.sql_names import quoted
from movie_platform.table import Column, Table

if TYPE_CHECKING:
    import duckdb

    from movie_platform.warehouse import View, Warehouse


@dataclass(frozen=True)
class AnswerColumn:
    """A column of an answer: what it says, and the columns of movies_aggregated that it comes from."""

    says: str
    of: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """One question: the view that answers it, in whose order its rows are read, and its columns."""

    view: str
    asks: str
    order: tuple[str, ...]
    columns: dict[str, AnswerColumn]
    measure: str
    """The column with the number that is asked for."""

    @property
    def table(self) -> Table:
        """The answer as a table of its own in the lake."""
        columns = (Column(name, _type_of(name), column.says) for name, column in self.columns.items())
        return Table(self.view, tuple(columns), f"{self.asks} Of the newest delivery.", key=self.order)


def _type_of(column: str) -> pa.DataType:
    if column in MOVIES_AGGREGATED.column_names:
        return MOVIES_AGGREGATED[column].type
    return pa.float64() if column.endswith("popularity") else pa.int64()


_COMPANY = "production_company"
_DIMENSIONS = {
    _COMPANY: AnswerColumn("the company; a movie of several counts for each", (_COMPANY,)),
    "genre": AnswerColumn("the genre; a movie of several counts in each, so genres are not to be added up", ("genre",)),
    "release_year": AnswerColumn("the year in which the movies came out", ("release_year",)),
}
_MOVIES = AnswerColumn("how many movies these are", ("movie_id",))


def _money(subject: str, amount: str, from_columns: tuple[str, ...]) -> Question:
    """0 is how the source writes that it does not know an amount: such a movie is counted beside the sum, not in it."""
    name = "company" if subject == _COMPANY else subject
    known = " and ".join(from_columns)
    published = {
        "profit_as_published": AnswerColumn(
            "the source's own sum, in which an unknown amount is 0: all loss or all gain", ("profit",)
        )
    }
    return Question(
        f"{name}_{amount}_by_year",
        f"What {amount} has each {name} had per year?",
        (subject, "release_year"),
        {
            subject: _DIMENSIONS[subject],
            "release_year": _DIMENSIONS["release_year"],
            f"total_{amount}": AnswerColumn(
                f"US dollars, over the movies whose {known} is known; empty where it is of none"
                if len(from_columns) == 1
                else f"US dollars, over the movies whose {known} are known; empty where they are of none",
                from_columns,
            ),
            **(published if amount == "profit" else {}),
            "movies": _MOVIES,
            "movies_known": AnswerColumn("how many of them the sum is over", from_columns),
            "movies_unknown": AnswerColumn("how many of them it leaves out, their amount being unknown", from_columns),
        },
        f"total_{amount}",
    )


def _budget(subject: str) -> Question:
    return _money(subject, "budget", ("budget",))


def _revenue(subject: str) -> Question:
    return _money(subject, "revenue", ("revenue",))


def _profit(subject: str) -> Question:
    return _money(subject, "profit", ("budget", "revenue"))


_MEAN = AnswerColumn("their mean popularity", ("popularity",))
QUESTIONS = (
    _budget(_COMPANY),
    _revenue(_COMPANY),
    _profit(_COMPANY),
    Question(
        "company_releases_by_genre_and_year",
        "How many movies of each genre has each company brought out per year?",
        (_COMPANY, "genre", "release_year"),
        {**_DIMENSIONS, "releases": _MOVIES},
        "releases",
    ),
    Question(
        "company_popularity_by_year",
        "How popular, on average, are the movies of each company per year?",
        (_COMPANY, "release_year"),
        {
            _COMPANY: _DIMENSIONS[_COMPANY],
            "release_year": _DIMENSIONS["release_year"],
            "mean_popularity": _MEAN,
            "movies": _MOVIES,
        },
        "mean_popularity",
    ),
    Question(
        "most_popular_genre_by_year",
        "Which genre was the most popular in each year?",
        ("release_year",),
        {
            "release_year": _DIMENSIONS["release_year"],
            "genre": AnswerColumn(
                "the genre whose movies have the highest popularity in total; of equal ones that with more movies, "
                "then the first by name",
                ("genre", "popularity"),
            ),
            "total_popularity": AnswerColumn("the popularity of its movies, added up", ("popularity",)),
            "mean_popularity": _MEAN,
            "median_popularity": AnswerColumn("their median popularity", ("popularity",)),
            "movies": _MOVIES,
        },
        "total_popularity",
    ),
    _budget("genre"),
    _revenue("genre"),
    _profit("genre"),
)


@cache
def views() -> "tuple[View, ...]":
    """The views behind the questions, each after those that it reads."""
    from movie_platform.warehouse import read_views

    return read_views(__package__)


@contextmanager
def answering(aggregated: Sequence[Path], work: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection to the views over Parquet files of movies_aggregated; what does not fit memory goes to `work`."""
    import duckdb

    config: dict[str, Any] = {"memory_limit": "1GB", "temp_directory": str(work), "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as connection:
        columns = ", ".join(map(quoted, MOVIES_AGGREGATED.column_names))
        connection.read_parquet([str(path) for path in aggregated]).create_view("delivered")
        connection.execute(f"CREATE VIEW {MOVIES_AGGREGATED.name} AS SELECT {columns} FROM delivered")  # noqa: S608
        for view in views():
            connection.execute(f"CREATE VIEW {quoted(view.name)} AS {view.select}")
        yield connection


def write_answers(aggregated: Sequence[Path], folder: Path) -> None:
    """Write every answer as `<view>.parquet` into the folder, which must not be there yet."""
    import pyarrow.parquet as pq

    folder.mkdir()
    with answering(aggregated, folder) as connection:
        for question in QUESTIONS:
            order = ", ".join(map(quoted, question.order))
            rows = connection.sql(f"SELECT * FROM {quoted(question.view)} ORDER BY {order}").to_arrow_table()  # noqa: S608
            pq.write_table(rows.cast(question.table.arrow_schema), folder / f"{question.view}.parquet")


def answer(warehouse: "Warehouse", question: Question) -> pa.Table:
    """The question's rows in its order."""
    order = ", ".join(question.order)
    return warehouse.query(f"SELECT * FROM {question.view} ORDER BY {order}")  # noqa: S608 - our own names


def movies_without_year(warehouse: "Warehouse") -> int:
    """Movies that no answer counts, because nobody knows when they came out."""
    found = warehouse.query(
        f"SELECT COUNT(DISTINCT movie_id) AS n FROM {MOVIES_AGGREGATED.name} WHERE release_year IS NULL"  # noqa: S608
    )
    return int(found.column(0)[0].as_py())
