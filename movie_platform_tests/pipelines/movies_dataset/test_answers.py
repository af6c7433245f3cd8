"""The nine answers over movies whose sums can be done by hand."""

import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS, answer, movies_without_year, views
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
    "company_budget_by_year": [
        ("Fox", 1995, 30, 2),
        ("Fox", 1996, 7, 2),
        ("Fox", 1997, 8, 2),
        ("Pixar", 1995, 10, 1),
        ("Pixar", 1996, 1, 1),
    ],
    "company_revenue_by_year": [
        ("Fox", 1995, 40, 2),
        ("Fox", 1996, 70, 2),
        ("Fox", 1997, 12, 2),
        ("Pixar", 1995, 30, 1),
        ("Pixar", 1996, 2, 1),
    ],
    "company_profit_by_year": [
        ("Fox", 1995, 10, 2),
        ("Fox", 1996, 63, 2),
        ("Fox", 1997, 4, 2),
        ("Pixar", 1995, 20, 1),
        ("Pixar", 1996, 1, 1),
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
    # 1995: Drama (1 + 3) / 2 over Comedy 1.5. 1996: a tie of one movie each, by name.
    # 1997: War (0.1 + 0.2 + 0.15) / 3 and Drama 0.15 tie at 0.15, and War has more movies.
    "most_popular_genre_by_year": [(1995, "Drama", 2.0, 2), (1996, "Action", 4.0, 1), (1997, "War", 0.15, 3)],
    "genre_budget_by_year": [
        ("Action", 1996, 0, 1),
        ("Action", 1997, 8, 2),
        ("Comedy", 1995, 15, 2),
        ("Drama", 1995, 30, 2),
        ("Drama", 1997, 4, 1),
        ("War", 1996, 7, 1),
        ("War", 1997, 8, 3),
    ],
    "genre_revenue_by_year": [
        ("Action", 1996, 0, 1),
        ("Action", 1997, 12, 2),
        ("Comedy", 1995, 35, 2),
        ("Drama", 1995, 40, 2),
        ("Drama", 1997, 6, 1),
        ("War", 1996, 70, 1),
        ("War", 1997, 12, 3),
    ],
    "genre_profit_by_year": [
        ("Action", 1996, 0, 1),
        ("Action", 1997, 4, 2),
        ("Comedy", 1995, 20, 2),
        ("Drama", 1995, 10, 2),
        ("Drama", 1997, 2, 1),
        ("War", 1996, 63, 1),
        ("War", 1997, 4, 3),
    ],
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.view)
def test_answer(warehouse: Warehouse, question: Any) -> None:
    found = answer(warehouse, question)
    assert found.column_names == list(question.lineage)
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
