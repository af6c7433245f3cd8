"""The nine answers over movies whose sums can be done by hand."""

import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.answers import (
    QUESTIONS,
    answer,
    movies_without_year,
    views,
    write_answers,
)
from movie_platform.pipelines.movies_dataset.charts import chart_png
from movie_platform.pipelines.movies_dataset.tables import MOVIES_AGGREGATED
from movie_platform.settings import load_settings
from movie_platform.warehouse import Provenance, Source, Warehouse, open_warehouse

# id, year, budget, revenue, popularity, genres, companies
MOVIES: list[tuple[Any, ...]] = [
    (1, 1995, 10, 30, 1.0, ["Comedy", "Drama"], ["Pixar", "Fox"]),
    (2, 1995, 20, 10, 3.0, ["Drama"], ["Fox"]),
    (3, 1995, 5, 5, 2.0, ["Comedy"], []),
    (4, 1996, 7, 70, 4.0, ["War"], ["Fox"]),
    (5, 1996, 0, 0, 4.0, ["Action"], ["Fox"]),
    (6, 1996, 1, 2, 9.0, [], ["Pixar"]),
    (7, None, 99, 999, 99.0, ["Drama"], ["Fox"]),
    (8, 1997, 4, 6, 0.1, ["War", "Action"], ["Fox"]),
    (9, 1997, 4, 6, 0.2, ["War"], ["Fox"]),
    (10, 1997, 4, 6, 0.15, ["Action", "Drama"], []),
    (11, 1997, 0, 0, 0.15, ["War"], []),
    (12, 1998, 50, 0, 10.0, ["Horror"], []),
    (13, 1998, 300, 400, 5.0, ["Comedy"], []),
    (14, 1998, 0, 600, 5.0, ["Comedy"], []),
    (15, 1998, 0, 0, 2.0, ["Comedy"], []),
    (16, 1999, 0, 0, 1.0, ["Music"], []),
    (17, 1999, 0, 0, 1.0, ["Music"], []),
    (18, 1999, 0, 0, 2.0, ["Action"], []),
]


def rows(movies: list[tuple[Any, ...]]) -> pa.Table:
    found = [
        {
            "movie_id": number,
            "popularity": popularity,
            "revenue": revenue,
            "budget": budget,
            "release_date": None,
            "genre": genre,
            "production_company": company,
            "release_year": year,
            "profit": revenue - budget,
        }
        for number, year, budget, revenue, popularity, genres, companies in movies
        for genre in genres or [None]
        for company in companies or [None]
    ]
    return pa.Table.from_pylist(found, schema=MOVIES_AGGREGATED.arrow_schema)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("answers")
    lake = open_store((folder / "lake").as_uri())
    table = rows(MOVIES)
    pq.write_table(table, folder / "lake" / "a.parquet")
    warehouse = open_warehouse(load_settings(warehouse=f"duckdb:///{folder / 'warehouse.duckdb'}"))
    source = Source("a.parquet", "digest", table.num_rows)
    warehouse.replace_table(MOVIES_AGGREGATED, "1", [source], lake=lake, provenance=Provenance("1"))
    warehouse.create_views(views())
    return warehouse


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    # Movie 5 of Fox has neither budget nor revenue: it is no movie that cost nothing.
    "company_budget_by_year": [
        ("Fox", 1995, 30, 2, 2, 0),
        ("Fox", 1996, 7, 2, 1, 1),
        ("Fox", 1997, 8, 2, 2, 0),
        ("Pixar", 1995, 10, 1, 1, 0),
        ("Pixar", 1996, 1, 1, 1, 0),
    ],
    "company_revenue_by_year": [
        ("Fox", 1995, 40, 2, 2, 0),
        ("Fox", 1996, 70, 2, 1, 1),
        ("Fox", 1997, 12, 2, 2, 0),
        ("Pixar", 1995, 30, 1, 1, 0),
        ("Pixar", 1996, 2, 1, 1, 0),
    ],
    "company_profit_by_year": [
        ("Fox", 1995, 10, 10, 2, 2, 0),
        ("Fox", 1996, 63, 63, 2, 1, 1),
        ("Fox", 1997, 4, 4, 2, 2, 0),
        ("Pixar", 1995, 20, 20, 1, 1, 0),
        ("Pixar", 1996, 1, 1, 1, 1, 0),
    ],
    "company_releases_by_genre_and_year": [
        ("Fox", "Action", 1996, 1),
        ("Fox", "Action", 1997, 1),
        ("Fox", "Comedy", 1995, 1),
        ("Fox", "Drama", 1995, 2),
        ("Fox", "War", 1996, 1),
        ("Fox", "War", 1997, 2),
        ("Pixar", "Comedy", 1995, 1),
        ("Pixar", "Drama", 1995, 1),
    ],
    "company_popularity_by_year": [
        ("Fox", 1995, 2.0, 2),
        ("Fox", 1996, 4.0, 2),
        ("Fox", 1997, 0.15, 2),
        ("Pixar", 1995, 1.0, 1),
        ("Pixar", 1996, 9.0, 1),
    ],
    # 1995: Drama 1 + 3 over Comedy 1 + 2. 1996: War and Action tie with one movie each, by name. 1997: War has
    # 0.1 + 0.2 + 0.15. 1998: one film of 10 does not win for Horror over three of Comedy. 1999: Music and Action tie at
    # 2, and Music has more movies.
    "most_popular_genre_by_year": [
        (1995, "Drama", 4.0, 2.0, 2.0, 2),
        (1996, "Action", 4.0, 4.0, 4.0, 1),
        (1997, "War", 0.45, 0.15, 0.15, 3),
        (1998, "Comedy", 12.0, 4.0, 5.0, 3),
        (1999, "Music", 2.0, 1.0, 1.0, 2),
    ],
    "genre_budget_by_year": [
        ("Action", 1996, None, 1, 0, 1),
        ("Action", 1997, 8, 2, 2, 0),
        ("Action", 1999, None, 1, 0, 1),
        ("Comedy", 1995, 15, 2, 2, 0),
        ("Comedy", 1998, 300, 3, 1, 2),
        ("Drama", 1995, 30, 2, 2, 0),
        ("Drama", 1997, 4, 1, 1, 0),
        ("Horror", 1998, 50, 1, 1, 0),
        ("Music", 1999, None, 2, 0, 2),
        ("War", 1996, 7, 1, 1, 0),
        ("War", 1997, 8, 3, 2, 1),
    ],
    "genre_revenue_by_year": [
        ("Action", 1996, None, 1, 0, 1),
        ("Action", 1997, 12, 2, 2, 0),
        ("Action", 1999, None, 1, 0, 1),
        ("Comedy", 1995, 35, 2, 2, 0),
        ("Comedy", 1998, 1_000, 3, 2, 1),
        ("Drama", 1995, 40, 2, 2, 0),
        ("Drama", 1997, 6, 1, 1, 0),
        ("Horror", 1998, None, 1, 0, 1),
        ("Music", 1999, None, 2, 0, 2),
        ("War", 1996, 70, 1, 1, 0),
        ("War", 1997, 12, 3, 2, 1),
    ],
    # Horror of 1998 has a budget and no revenue: a loss of 50 as the source counts it, and unknown in truth. Of Comedy
    # one movie has both (400 - 300), one a revenue of 600 alone, and one nothing.
    "genre_profit_by_year": [
        ("Action", 1996, None, 0, 1, 0, 1),
        ("Action", 1997, 4, 4, 2, 2, 0),
        ("Action", 1999, None, 0, 1, 0, 1),
        ("Comedy", 1995, 20, 20, 2, 2, 0),
        ("Comedy", 1998, 100, 700, 3, 1, 2),
        ("Drama", 1995, 10, 10, 2, 2, 0),
        ("Drama", 1997, 2, 2, 1, 1, 0),
        ("Horror", 1998, None, -50, 1, 0, 1),
        ("Music", 1999, None, 0, 2, 0, 2),
        ("War", 1996, 63, 63, 1, 1, 0),
        ("War", 1997, 4, 4, 3, 2, 1),
    ],
}


def calculated() -> dict[str, list[tuple[Any, ...]]]:
    """The nine answers from the list of movies, by pandas: one row per movie and company, and per movie and genre."""
    columns = ["id", "year", "budget", "revenue", "popularity", "genres", "companies"]
    movies = pd.DataFrame(MOVIES, columns=columns).dropna(subset="year")
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name, by in (("company", "companies"), ("genre", "genres")):
        groups = list(movies.explode(by).dropna(subset=by).groupby([by, "year"]))
        for measure in ("budget", "revenue"):
            found[f"{name}_{measure}_by_year"] = [
                (*key, total_of(of[of[measure] != 0][measure]), len(of), (of[measure] != 0).sum(), zeros(of[measure]))
                for key, of in groups
            ]
        found[f"{name}_profit_by_year"] = []
        for key, of in groups:
            known = of[(of.budget != 0) & (of.revenue != 0)]
            profit = total_of(known.revenue - known.budget)
            as_published = (of.revenue - of.budget).sum()
            counts = (len(of), len(known), len(of) - len(known))
            found[f"{name}_profit_by_year"].append((*key, profit, as_published, *counts))
        if name == "company":
            means = [(*key, of.popularity.mean(), len(of)) for key, of in groups]
            found["company_popularity_by_year"] = means
    crossed = movies.explode("companies").explode("genres").dropna(subset=["companies", "genres"])
    releases = crossed.groupby(["companies", "genres", "year"])["id"].nunique()
    found["company_releases_by_genre_and_year"] = [(*key, count) for key, count in releases.items()]
    found["most_popular_genre_by_year"] = []
    for year, of_year in movies.explode("genres").dropna(subset="genres").groupby("year"):
        ranked = sorted((-round(of.popularity.sum(), 9), -len(of), genre) for genre, of in of_year.groupby("genres"))
        winner = of_year[of_year.genres == ranked[0][2]].popularity
        numbers = (winner.sum(), winner.mean(), winner.median(), len(winner))
        found["most_popular_genre_by_year"].append((year, ranked[0][2], *numbers))
    return found


def total_of(known: pd.Series) -> int | None:
    return known.sum() if len(known) else None


def zeros(amounts: pd.Series) -> int:
    return int((amounts == 0).sum())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.view)
def test_what_was_worked_out_by_hand_is_what_pandas_calculates(question: Any) -> None:
    found = calculated()[question.view]
    assert len(found) == len(EXPECTED[question.view])
    for row, wanted in zip(found, EXPECTED[question.view], strict=True):
        assert row == tuple(pytest.approx(value) if isinstance(value, float) else value for value in wanted)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.view)
def test_answer(warehouse: Warehouse, question: Any) -> None:
    found = answer(warehouse, question)
    assert found.column_names == list(question.columns)
    assert [tuple(row.values()) for row in found.to_pylist()] == EXPECTED[question.view]


def test_every_answer_is_parquet_of_its_own_with_the_types_of_its_description(tmp_path: Path) -> None:
    pq.write_table(rows(MOVIES), tmp_path / "movies_aggregated.parquet")
    write_answers([tmp_path / "movies_aggregated.parquet"], tmp_path / "answers")
    for question in QUESTIONS:
        found = pq.read_table(tmp_path / "answers" / f"{question.view}.parquet")
        assert found.schema.equals(question.table.arrow_schema)
        assert [tuple(row.values()) for row in found.to_pylist()] == EXPECTED[question.view]


def test_every_question_has_its_view() -> None:
    assert {view.name for view in views()} == {question.view for question in QUESTIONS} == set(EXPECTED)
    assert all(view.reads == {"main.movies_aggregated"} for view in views())


def test_movies_without_a_year_are_counted(warehouse: Warehouse) -> None:
    assert movies_without_year(warehouse) == 1


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.view)
def test_chart(warehouse: Warehouse, question: Any) -> None:
    found = answer(warehouse, question)
    for rows_shown in (found, found.slice(0, 0)):
        picture = chart_png(question, rows_shown)
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 40_000
        assert zlib.crc32(picture[-8:-4]) == int.from_bytes(picture[-4:])
