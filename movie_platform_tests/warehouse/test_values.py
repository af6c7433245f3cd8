"""What goes into the lake comes out of the warehouse, value for value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from movie_platform.errors import LoadRefused, PlatformError
from movie_platform.table import Column, Table
from movie_platform.warehouse import LatestPartition, PartitionLoad
from movie_platform_tests.warehouse.conftest import MOVIES, WINDOWS, Loader, movie
from movie_platform_tests.warehouse.test_contract import FIRST, SECOND

UGLY = [
    "",
    " ",
    "NULL",
    "None",
    r"\N",
    "O'Brien; DROP TABLE loads; --",
    'He said "no"',
    "back\\slash \\n \\",
    "line\nbreak\r\nand\ttab",
    "comma, semicolon; pipe| and 100% {braces} $1 ? :name %s",
    "\u200bzero\u200dwidth\ufeff",
    "שלום עולם",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "e\u0301 is not \u00e9",
    "\x01\x1f\x7f",
    "x" * 60_000,
]

KINDS = Table(
    name="kinds",
    columns=(
        Column("id", pa.int32(), nullable=False),
        Column("flag", pa.bool_()),
        Column("small", pa.int16()),
        Column("big", pa.int64()),
        Column("ratio", pa.float64()),
        Column("amount", pa.decimal128(18, 5)),
        Column("day", pa.date32()),
        Column("moment", pa.timestamp("us")),
        Column("instant", pa.timestamp("us", tz="UTC")),
        Column("text", pa.string()),
    ),
    key=("id",),
)
FULL: dict[str, Any] = {
    "id": 1,
    "flag": True,
    "small": -(2**15),
    "big": 2**63 - 1,
    "ratio": 0.1 + 0.2,
    "amount": Decimal("-1234567890123.45678"),
    "day": date(1888, 10, 14),
    "moment": datetime(2026, 1, 1, 23, 59, 59, 999999),  # noqa: DTZ001 - a type without a zone
    "instant": datetime(2026, 1, 1, 23, 59, 59, 1, tzinfo=UTC),
    "text": "text",
}
EMPTY = {"id": 2} | {name: None for name in KINDS.column_names if name != "id"}

NESTED = Table(
    name="order",
    columns=(
        Column("movie_id", pa.int64(), nullable=False),
        Column("genres", pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())]))),
        Column("cast", pa.struct([("order", pa.int64()), ("character", pa.string())])),
        Column("tags", pa.list_(pa.string())),
    ),
    key=("movie_id",),
)


def test_the_ugliest_text_survives(loader: Loader) -> None:
    loader.window(FIRST, "1", [movie(n, text) for n, text in enumerate(UGLY)])
    found = {row["movie_id"]: row["title"] for row in loader.rows(WINDOWS)}
    assert [found[n] for n in range(len(UGLY))] == UGLY


def test_types_and_nulls_survive(loader: Loader) -> None:
    loader.replace(KINDS, "1", [FULL, EMPTY])
    rows = {row["id"]: row for row in loader.rows(KINDS)}
    assert rows[1] == FULL
    assert rows[2] == EMPTY


def test_a_narrower_type_in_the_parquet_is_widened_and_a_wider_one_refused(loader: Loader) -> None:
    narrow = Table("n", (Column("movie_id", pa.int16()), Column("title", pa.string()), Column("rating", pa.float32())))
    source = loader.put(narrow, "narrow", [{"movie_id": 7, "title": "x", "rating": 0.5}])
    assert loader.windows([PartitionLoad(FIRST, "1", (source,))])[0].outcome == "loaded"
    wide = Table("w", (Column("movie_id", pa.float64()), Column("title", pa.string()), Column("rating", pa.float64())))
    source = loader.put(wide, "wide", [{"movie_id": 7.5, "title": "x", "rating": 0.5}])
    with pytest.raises(PlatformError, match="movie_id is double, and the table says int64"):
        loader.windows([PartitionLoad(SECOND, "1", (source,))])


def test_a_null_where_none_may_be_is_refused_by_name(loader: Loader) -> None:
    loose = Table("l", (Column("movie_id", pa.int64()), Column("title", pa.string()), Column("rating", pa.float64())))
    source = loader.put(loose, "null", [{"movie_id": None, "title": "x", "rating": None}])
    with pytest.raises(LoadRefused, match=r"main\.imdb_movie_windows.*movie_id"):
        loader.windows([PartitionLoad(FIRST, "1", (source,))])


def test_a_text_that_does_not_fit_its_column_is_refused_and_never_cut(loader: Loader) -> None:
    short = Table("short", (Column("id", pa.int64(), nullable=False), Column("text", pa.string(), max_bytes=5)))
    loader.replace(short, "1", [{"id": 1, "text": "five5"}])
    with pytest.raises(LoadRefused, match="a text of 6 bytes does not fit text, which holds 5"):
        loader.replace(short, "2", [{"id": 1, "text": "ééé"}, {"id": 2, "text": ""}])


def test_a_partition_column_of_the_parquet_must_say_what_the_partition_says(loader: Loader) -> None:
    source = loader.put(WINDOWS, "own", [{**movie(1), "window": FIRST}])
    assert loader.windows([PartitionLoad(FIRST, "1", (source,))])[0].outcome == "loaded"
    with pytest.raises(LoadRefused, match="1 rows say another window than the partition"):
        loader.windows([PartitionLoad(SECOND, "1", (source,))])


def test_partitions_may_be_days(loader: Loader) -> None:
    day = Column("insert_date", pa.date32(), nullable=False)
    metric = Table("metric", (Column("customerid", pa.int32(), nullable=False), day), partition="insert_date")
    newest = LatestPartition(Table("metric_newest", metric.columns[:1]))

    def load(partition: str, *customers: int) -> None:
        rows = [{"customerid": customer} for customer in customers]
        loads = [loader.partition(partition, "1", rows, metric)]
        loader.warehouse.replace_partitions(
            metric, loads, lake=loader.lake, provenance=loader.provenance, derived=[newest]
        )

    load("2026-01-02", 2, 3)
    load("2026-01-01", 1)
    assert [(row["customerid"], row["insert_date"]) for row in loader.rows(metric)] == [
        (1, date(2026, 1, 1)),
        (2, date(2026, 1, 2)),
        (3, date(2026, 1, 2)),
    ]
    assert loader.rows(newest.table) == [{"customerid": 2}, {"customerid": 3}]
    with pytest.raises(ValueError, match="no date32"):
        load("yesterday", 1)


def test_a_thousand_windows_are_one_load(loader: Loader) -> None:
    windows = [f"20260101{n:04}" for n in range(1000)]
    source = loader.put(WINDOWS, "many", [movie(1), movie(2)], without=["window"])
    loads = [PartitionLoad(window, "1", (source,)) for window in windows]
    assert {result.outcome for result in loader.windows(loads)} == {"loaded"}
    counted = loader.warehouse.query('SELECT count(*) AS n, count(DISTINCT "window") AS w FROM imdb_movie_windows')
    assert counted.to_pylist() == [{"n": 2000, "w": 1000}]
    assert [row["window"] for row in loader.rows(MOVIES)] == [windows[-1]] * 2


def test_nested_columns_keep_their_structure(loader: Loader) -> None:
    rows = [
        {
            "movie_id": 1,
            "genres": [{"id": 35, "name": 'It\'s "Comedy"\n'}, {"id": None, "name": None}],
            "cast": {"order": 0, "character": "Woody (voice) [None]"},
            "tags": ["a", None, ""],
        },
        {"movie_id": 2, "genres": [], "cast": None, "tags": None},
    ]
    loader.replace(NESTED, "1", rows)
    assert loader.rows(NESTED) == rows


def test_a_new_column_is_added_and_a_changed_type_is_refused(loader: Loader) -> None:
    table = Table("growing", (Column("id", pa.int64(), nullable=False), Column("price", pa.decimal128(10, 2))))
    loader.replace(table, "1", [{"id": 1, "price": Decimal("1.50")}])
    wider = Table("growing", (*table.columns, Column("note", pa.string())))
    loader.replace(wider, "2", [{"id": 1, "price": Decimal("1.50"), "note": "new"}])
    assert loader.rows(wider) == [{"id": 1, "price": Decimal("1.50"), "note": "new"}]
    other = Table("growing", (wider.columns[0], Column("price", pa.decimal128(18, 5)), wider.columns[2]))
    with pytest.raises(PlatformError, match=r"main\.growing in the warehouse is not as its description says: price is"):
        loader.replace(other, "3", [{"id": 1, "price": Decimal("1.50"), "note": "new"}])
