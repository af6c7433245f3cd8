"""The nine answers, from the newest published data set in the lake: the warehouse's views over its Parquet."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS, Question, answering
from movie_platform.pipelines.movies_dataset.charts import chart
from movie_platform.pipelines.movies_dataset.publication import Publication, newest_publication
from movie_platform.pipelines.movies_dataset.tables import MOVIES_AGGREGATED
from movie_platform.report.markup import Markup, csv_link, joined, note, table, tag
from movie_platform.report.section import Section, chart_place
from movie_platform.sql_names import quoted

TABLE_ROWS = 12
"""Rows of each answer in its table, those with most of what is asked for."""

Answers = tuple[str, Mapping[str, pa.Table]]
"""The day of the data set, and each question's rows by the name of its view."""


def answers_of(lake: ObjectStore, published: Publication) -> dict[str, pa.Table]:
    """Each question's rows, largest first, by the name of its view."""
    with tempfile.TemporaryDirectory(prefix="movie-platform-report-") as name:
        parts = published.tables[MOVIES_AGGREGATED.name]
        paths = [lake.on_disk(part.key, Path(name) / f"{number}.parquet") for number, part in enumerate(parts)]
        with answering(paths, Path(name)) as connection:
            return {question.view: _rows(connection, question) for question in QUESTIONS}


def newest_answers(lake: ObjectStore) -> Answers | None:
    """The newest published data set's day and answers; None where there is none yet."""
    published = newest_publication(lake)
    return (published.day, answers_of(lake, published)) if published else None


def answers_section(answers: Answers | None, rows_at_most: int) -> Section:
    """The answers, each with at most so many rows to save."""
    if answers is None:
        return Section("Answers", note("No data set was published yet."))
    day, found = answers
    charts: dict[str, Mapping[str, Any]] = {}
    parts: list[Markup] = [note(f"From the delivery of {day}. Click a name in a legend to single it out.")]
    for number, question in enumerate(QUESTIONS, start=1):
        rows = found[question.view]
        place = f"chart-answer-{number}"
        charts[place] = interactive(chart(question, rows))
        parts.append(_answer(question, rows, place, rows_at_most))
    return Section("Answers", joined(parts), charts)


def interactive(drawn: dict[str, Any]) -> dict[str, Any]:
    """A chart that fits its place, names what the pointer is on, and singles out what is clicked in its legend."""
    encoding = drawn["encoding"]
    fitting = {
        **{name: drawn[name] for name in ("mark", "height")},
        "data": {"values": [_rounded(row) for row in drawn["data"]["values"]]},
        "width": "container",
        "encoding": {**encoding, "tooltip": [{"field": of["field"]} for of in encoding.values()]},
    }
    if "color" in encoding:
        select = {"type": "point", "fields": [encoding["color"]["field"]]}
        fitting["params"] = [{"name": "chosen", "select": select, "bind": "legend"}]
        fitting["encoding"]["opacity"] = {"condition": {"param": "chosen", "value": 1}, "value": 0.12}
    return fitting


def _answer(question: Question, rows: pa.Table, place: str, at_most: int) -> Markup:
    columns = rows.column_names
    kept = rows.slice(0, at_most)
    listed = [tuple(row.values()) for row in kept.to_pylist()]
    if rows.num_rows > at_most:
        words = f", the largest {at_most:,} of {rows.num_rows:,} rows; `movie-platform answers` has all"
    else:
        words = f", all {rows.num_rows:,} rows"
    return tag(
        "article",
        tag("h3", question.asks),
        chart_place(place, question.asks),
        table([name.replace("_", " ") for name in columns], [_shown(columns, r) for r in listed[:TABLE_ROWS]]),
        tag("p", csv_link(question.view, columns, listed), words, class_="note"),
    )


def _shown(columns: list[str], row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A year is a name, not a quantity."""
    return tuple(str(v) if name == "release_year" else v for name, v in zip(columns, row, strict=True))


def _rows(connection: duckdb.DuckDBPyConnection, question: Question) -> pa.Table:
    order = ", ".join([f"{quoted(question.measure)} DESC NULLS LAST", *map(quoted, question.order)])
    if question.order == ("release_year",):
        order = "release_year DESC"
    return connection.sql(f"SELECT * FROM {quoted(question.view)} ORDER BY {order}").to_arrow_table()  # noqa: S608


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in row.items()}
