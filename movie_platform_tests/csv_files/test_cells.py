"""What a cell holds, for every source: the differences between them are those that stand here, and no others."""

import io
import math
import re
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from movie_platform.csv_files import cells
from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.csv_files.records import read_records
from movie_platform.pipelines.movies_dataset import transforms
from movie_platform.pipelines.quality_movies.records import RowCaster
from movie_platform.quality import open_data
from movie_platform.table import Column, Table

WRONG = "(no value of its column's kind)"

PINNED: list[tuple[Any, ...]] = [
    # cell; records and feed: whole number, number; quality: value; quality movies: INT, DECIMAL(10,2);
    # Movies Dataset: whole number, number, day
    ("", None, None, "", None, None, None, None, None),
    (" ", None, None, " ", None, None, None, None, None),
    ("\t", None, None, "\t", None, None, None, None, None),
    ("\xa0", None, None, "\xa0", None, None, WRONG, WRONG, WRONG),
    ("\u2003", None, None, "\u2003", None, None, WRONG, WRONG, WRONG),
    ("\x1c", None, None, "\x1c", None, None, WRONG, WRONG, WRONG),
    ("7", 7, 7.0, 7, 7, Decimal("7.00"), 7, 7.0, WRONG),
    (" 7 ", 7, 7.0, 7, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("\xa07", 7, 7.0, "\xa07", 7, Decimal("7.00"), WRONG, WRONG, WRONG),
    ("+7", 7, 7.0, 7, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("-7", -7, -7.0, -7, -7, Decimal("-7.00"), -7, -7.0, WRONG),
    ("--7", WRONG, WRONG, "--7", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("+-7", WRONG, WRONG, "+-7", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("007", 7, 7.0, 7, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("7.", 7, 7.0, 7.0, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("7.0", 7, 7.0, 7.0, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("7.000", 7, 7.0, 7.0, 7, Decimal("7.00"), 7, 7.0, WRONG),
    ("7.5", WRONG, 7.5, 7.5, WRONG, Decimal("7.50"), WRONG, 7.5, WRONG),
    (".5", WRONG, 0.5, 0.5, WRONG, Decimal("0.50"), WRONG, 0.5, WRONG),
    ("-.5", WRONG, -0.5, -0.5, WRONG, Decimal("-0.50"), WRONG, -0.5, WRONG),
    (".", WRONG, WRONG, ".", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1e2", WRONG, 100.0, 100.0, 100, Decimal("100.00"), WRONG, 100.0, WRONG),
    ("1E+2", WRONG, 100.0, 100.0, 100, Decimal("100.00"), WRONG, 100.0, WRONG),
    ("10e-1", WRONG, 1.0, 1.0, 1, Decimal("1.00"), WRONG, 1.0, WRONG),
    ("1e-2", WRONG, 0.01, 0.01, WRONG, Decimal("0.01"), WRONG, 0.01, WRONG),
    ("1e", WRONG, WRONG, "1e", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1e400", WRONG, WRONG, math.inf, WRONG, WRONG, WRONG, WRONG, WRONG),
    ("-1e400", WRONG, WRONG, -math.inf, WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1e1000", WRONG, WRONG, math.inf, WRONG, WRONG, WRONG, WRONG, WRONG),
    ("nan", WRONG, WRONG, "nan", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("inf", WRONG, WRONG, "inf", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("Infinity", WRONG, WRONG, "Infinity", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("0x1F", WRONG, WRONG, "0x1F", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1_000", WRONG, WRONG, "1_000", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1,000", WRONG, WRONG, "1,000", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("7 7", WRONG, WRONG, "7 7", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("\u0667", WRONG, WRONG, "\u0667", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("\uff17", WRONG, WRONG, "\uff17", WRONG, WRONG, WRONG, WRONG, WRONG),
    (
        "9223372036854775807",
        9223372036854775807,
        WRONG,
        9223372036854775807,
        WRONG,
        WRONG,
        WRONG,
        WRONG,
        WRONG,
    ),
    (
        "-9223372036854775808",
        -9223372036854775808,
        -9.223372036854776e18,
        -9223372036854775808,
        WRONG,
        WRONG,
        WRONG,
        WRONG,
        WRONG,
    ),
    ("9223372036854775808", WRONG, 9.223372036854776e18, "9223372036854775808", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("9223372036854775808.0", WRONG, 9.223372036854776e18, 9.223372036854776e18, WRONG, WRONG, WRONG, WRONG, WRONG),
    (
        "1000000000000",
        1000000000000,
        1000000000000.0,
        1000000000000,
        WRONG,
        WRONG,
        1000000000000,
        1000000000000.0,
        WRONG,
    ),
    ("1000000000001", 1000000000001, 1000000000001.0, 1000000000001, WRONG, WRONG, WRONG, WRONG, WRONG),
    ("9.99", WRONG, 9.99, 9.99, WRONG, Decimal("9.99"), WRONG, 9.99, WRONG),
    ("10000", 10000, 10000.0, 10000, 10000, Decimal("10000.00"), 10000, 10000.0, WRONG),
    ("1995-10-30", WRONG, WRONG, "1995-10-30", WRONG, WRONG, WRONG, WRONG, date(1995, 10, 30)),
    ("10/30/1995", WRONG, WRONG, "10/30/1995", WRONG, WRONG, WRONG, WRONG, date(1995, 10, 30)),
    ("1/2/1995", WRONG, WRONG, "1/2/1995", WRONG, WRONG, WRONG, WRONG, date(1995, 1, 2)),
    ("0000-01-01", WRONG, WRONG, "0000-01-01", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1995-13-01", WRONG, WRONG, "1995-13-01", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("1995-10-30T00:00", WRONG, WRONG, "1995-10-30T00:00", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("30/10/1995", WRONG, WRONG, "30/10/1995", WRONG, WRONG, WRONG, WRONG, WRONG),
    ("None", WRONG, WRONG, "None", WRONG, WRONG, None, None, None),
]
CELLS = [pinned[0] for pinned in PINNED]


def quoted(cell: str) -> bytes:
    return '"{}"'.format(cell.replace('"', '""')).encode()


def of_records(cell: str, kind: Any) -> Any:
    file = CsvFile("f.csv", lambda: io.BytesIO(b"k,v\n1," + quoted(cell) + b"\n"))
    (row,) = read_records(file, (RecordColumn("k", required=True), RecordColumn("v", kind))).read_all().to_pylist()
    return row["v"] if row["reason"] is None else WRONG


def of_feed(cell: str, kind: pa.DataType) -> Any:
    """The strict reader gives a blank cell as null."""
    values, unreadable = cells.read_column(pa.array([cell or None], pa.string()), kind)
    return WRONG if unreadable[0] else values[0].as_py()


def of_quality(cell: str) -> Any:
    return next(open_data(b"k,v\n1," + quoted(cell) + b"\n").batches()).column(1)[0].as_py()


def of_quality_movies(cell: str, kind: pa.DataType) -> Any:
    caster = RowCaster(Table("t", (Column("v", kind),)), ["v"])
    cast, mismatches = caster.cast(pa.record_batch([pa.array([cell], pa.string())], names=["v"]))
    return WRONG if mismatches else cast.column(0)[0].as_py()


def of_dataset(texts: list[str], kind: pa.DataType) -> list[Any]:
    engine = ibis.duckdb.connect()
    engine.con.register("given", pa.table({"number": range(len(texts)), "cell": pa.array(texts, pa.string())}))
    given_cells = engine.table("given")
    value = transforms._read_plain(given_cells.cell, kind)
    read = given_cells.select("number", value=value, bad=transforms._is_bad(value, given_cells.cell))
    return [WRONG if row["bad"] else row["value"] for row in read.order_by("number").to_pyarrow().to_pylist()]


@pytest.mark.parametrize("pinned", PINNED, ids=[ascii(cell) for cell in CELLS])
def test_a_cell_is_read_as_it_always_was(pinned: tuple[Any, ...]) -> None:
    cell, whole, number, of_rules, integer, decimal, *_ = pinned
    assert of_records(cell, "integer") == of_feed(cell, pa.int64()) == whole
    assert of_records(cell, "number") == of_feed(cell, pa.float64()) == number
    assert of_quality(cell) == of_rules
    assert type(of_quality(cell)) is type(of_rules)
    assert of_quality_movies(cell, pa.int32()) == integer
    assert of_quality_movies(cell, pa.decimal128(10, 2)) == decimal


@pytest.mark.parametrize(("place", "kind"), [(6, pa.int64()), (7, pa.float64()), (8, pa.date32())])
def test_an_engine_reads_a_cell_as_it_always_did(place: int, kind: pa.DataType) -> None:
    assert dict(zip(CELLS, of_dataset(CELLS, kind), strict=True)) == {row[0]: row[place] for row in PINNED}


written_numbers = st.from_regex(r"[ ]?[+-]?[0-9]{0,30}[.]?[0-9]{0,30}([eE][+-]?[0-9]{1,5})?[ ]?", fullmatch=True)
anything = st.one_of(st.sampled_from(CELLS), written_numbers, st.text(max_size=12))


def one(read: Any, *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except ValueError:
        return WRONG


@given(st.lists(anything, max_size=8))
@example(["9223372036854775808.0", "1e400", "7"])
def test_a_column_of_cells_is_read_as_one_cell_is(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    for read, kind in [(cells.read_whole, pa.int64()), (cells.read_number, pa.float64())]:
        values, unreadable = cells.read_column(column, kind)
        assert [WRONG if wrong else v for v, wrong in zip(values.to_pylist(), unreadable, strict=True)] == [
            one(read, text) for text in texts
        ]


@given(anything)
@example("1e27")
@example("9" * 27)
@example("0." + "1" * 60)
@example("-1e999")
@example("1e-999")
@example("9" * 5000)
@example("99999999.999")
@example("-0")
def test_no_cell_stops_an_exact_column_and_what_it_takes_is_the_number_that_was_written(cell: str) -> None:
    for kind in (pa.decimal128(10, 2), pa.decimal128(38, 0), pa.int32(), pa.int64()):
        value = of_quality_movies(cell, kind)
        if value is None:
            assert cell.strip() == ""
        elif value != WRONG:
            assert Decimal(cell.strip()) == value
        elif re.fullmatch(cells.NUMBER, cell.strip()) and "e" not in cell.lower():
            number = Decimal(cell.strip())
            assert number != number.to_integral_value() or abs(number) >= 10**8


LONG = ["9" * 5000, "-" + "9" * 5000, "0" * 5000 + "7", "0." + "0" * 5000 + "7", "7." + "0" * 5000, "1e" + "9" * 5000]


@pytest.mark.parametrize("cell", LONG, ids=[cell[:4] for cell in LONG])
def test_a_cell_of_thousands_of_digits_is_read_or_set_aside_by_every_source(cell: str) -> None:
    whole, number = one(cells.read_whole, cell), one(cells.read_number, cell)
    assert of_records(cell, "integer") == of_feed(cell, pa.int64()) == whole
    assert of_records(cell, "number") == of_feed(cell, pa.float64()) == number
    assert of_quality(cell) in {cell, whole, number, math.inf}
    assert of_dataset([cell], pa.int64()) in [[WRONG], [7]]


def test_a_day_has_its_groups_in_the_order_of_a_spreadsheet() -> None:
    found = re.fullmatch(cells.AMERICAN_DAY, "10/30/1995")
    assert found is not None
    assert found.groups() == ("10", "30", "1995")


@pytest.mark.parametrize("cell", ["9007199254740993", "-9007199254740993.0", "12345678901234567890123"])
def test_an_integer_that_a_number_would_round_is_set_aside(cell: str) -> None:
    assert of_records(cell, "number") == of_feed(cell, pa.float64()) == WRONG
    with pytest.raises(ValueError, match="more digits than are kept"):
        cells.read_number(cell)


@pytest.mark.parametrize("cell", ["9007199254740992", "9007199254740994.0", "9007199254740991", "1e300", "1.1e300"])
def test_a_large_number_that_is_kept_as_it_was_written_is_read(cell: str) -> None:
    assert of_records(cell, "number") == of_feed(cell, pa.float64()) == float(cell)
