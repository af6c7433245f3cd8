"""The nine questions that the data set answers, as views of the warehouse over movies_aggregated."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from movie_platform.pipelines.movies_dataset.tables import MOVIES_AGGREGATED

if TYPE_CHECKING:
    from movie_platform.warehouse import View, Warehouse


@dataclass(frozen=True)
class Question:
    """One question: the view that answers it, in whose order its rows are read, and what its columns come from."""

    view: str
    asks: str
    order: tuple[str, ...]
    lineage: dict[str, tuple[str, ...]]
    """Per column of the answer, the columns of movies_aggregated."""

    @property
    def measure(self) -> str:
        """The number that is asked for."""
        return next(name for name in self.lineage if name not in _DIMENSIONS and name != "movies")


_DIMENSIONS = ("production_company", "genre", "release_year")


def _sums(subject: str, column: str, measure: str) -> Question:
    name = "company" if subject == "production_company" else subject
    return Question(
        f"{name}_{measure}_by_year",
        f"What {measure} has each {name.replace('_', ' ')} had per year?",
        (subject, "release_year"),
        {
            subject: (subject,),
            "release_year": ("release_year",),
            f"total_{measure}": (column,),
            "movies": ("movie_id",),
        },
    )


_COMPANY = "production_company"
QUESTIONS = (
    _sums(_COMPANY, "budget", "budget"),
    _sums(_COMPANY, "revenue", "revenue"),
    _sums(_COMPANY, "profit", "profit"),
    Question(
        "company_releases_by_genre_and_year",
        "How many movies of each genre has each company brought out per year?",
        (_COMPANY, "genre", "release_year"),
        {
            _COMPANY: (_COMPANY,),
            "genre": ("genre",),
            "release_year": ("release_year",),
            "releases": ("movie_id",),
        },
    ),
    Question(
        "company_popularity_by_year",
        "How popular, on average, are the movies of each company per year?",
        (_COMPANY, "release_year"),
        {
            _COMPANY: (_COMPANY,),
            "release_year": ("release_year",),
            "mean_popularity": ("popularity",),
            "movies": ("movie_id",),
        },
    ),
    Question(
        "most_popular_genre_by_year",
        "Which genre was the most popular in each year?",
        ("release_year",),
        {
            "release_year": ("release_year",),
            "genre": ("genre", "popularity"),
            "mean_popularity": ("popularity",),
            "movies": ("movie_id",),
        },
    ),
    _sums("genre", "budget", "budget"),
    _sums("genre", "revenue", "revenue"),
    _sums("genre", "profit", "profit"),
)


@cache
def views() -> "tuple[View, ...]":
    """The views behind the questions, each after those that it reads."""
    from movie_platform.warehouse import read_views

    return read_views(__package__)


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
