"""`ColumnDataType`: whether each value can be read as one of the types that a rule names."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import INTEGER, SHORT, Batch, Mask, as_mask, fits_bits, kind_of
from movie_platform.quality.conditions import Condition
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.row_tests import RowTest, is_in, text_of

_BOOLEAN_WORDS = ["t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"]
_BITS = {"INTEGER": 31, "LONG": 63}
_MOST_DIGITS = 38
"""The widest DECIMAL there is."""


def data_type_test(column: str, kind: pa.DataType, condition: Condition, date_format: str | None = None) -> RowTest:
    """Whether each value can be read as one of the types; a null can. `date_format` says how dates are spelled."""
    wanted = [text_of(operand).upper() for operand in condition.operands]
    tests = [_castable(column, kind, one, date_format if one == "DATE" else None) for one in wanted]
    negated = condition.operator in ("!=", "not in")

    def run(batch: Batch) -> Mask:
        found = tests[0](batch)
        for test in tests[1:]:
            found = found | test(batch)
        present = batch.present(column)
        return ~found | ~present if negated else found | ~present

    return run


def _castable(column: str, kind: pa.DataType, wanted: str, date_format: str | None) -> RowTest:
    if kind_of(kind) == "other":
        raise RuleNotComputable(f'"{column}" holds {kind}, which is none of the types ColumnDataType knows')
    base = wanted.split("(")[0].strip()
    if base == "STRING":
        return lambda batch: np.ones(len(batch), dtype=bool)
    if base in _BITS:
        return _whole(column, kind, _BITS[base])
    if base in ("DOUBLE", "FLOAT", "DECIMAL"):
        return _decimal(column, kind, wanted)
    if base == "BOOLEAN":
        return _boolean(column, kind)
    return _spelled_date(column, kind, date_format) if date_format is not None else _moment(column, kind)


def _none(batch: Batch) -> Mask:
    return np.zeros(len(batch), dtype=bool)


def _whole(column: str, kind: pa.DataType, bits: int) -> RowTest:
    """Whole numbers from -2**bits to 2**bits - 1, compared without rounding."""
    compared = kind_of(kind)

    def numbers(batch: Batch) -> Mask:
        values = batch.numbers(column)
        if pa.types.is_int64(values.type):
            low, high = pa.scalar(-(2**bits), pa.int64()), pa.scalar(2**bits - 1, pa.int64())
            return as_mask(pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high)))
        floats = values.cast(pa.float64())
        fits = pc.and_(pc.greater_equal(floats, -(2.0**bits)), pc.less(floats, 2.0**bits))
        return as_mask(pc.and_(fits, pc.equal(floats, pc.trunc(floats))))

    def texts(batch: Batch) -> Mask:
        trimmed = pc.utf8_trim_whitespace(batch.column(column))
        whole = as_mask(pc.match_substring_regex(trimmed, INTEGER))
        for row in np.flatnonzero(whole & as_mask(pc.greater(pc.utf8_length(trimmed), SHORT))):
            whole[row] = fits_bits(trimmed[int(row)].as_py(), bits)
        short = whole & as_mask(pc.less_equal(pc.utf8_length(trimmed), SHORT))
        read = pc.if_else(pa.array(short), pc.utf8_ltrim(trimmed, "+"), pa.scalar(None, trimmed.type)).cast(pa.int64())
        outside = pc.or_(pc.less(read, -(2**bits)), pc.greater(read, 2**bits - 1))
        return whole & ~as_mask(outside)

    return {"number": numbers, "text": texts}.get(compared, _none)


def _decimal(column: str, kind: pa.DataType, wanted: str) -> RowTest:
    limit = _limit(wanted)
    if kind_of(kind) not in ("number", "text"):
        return _none

    def run(batch: Batch) -> Mask:
        numbers = batch.numbers(column)
        readable = as_mask(pc.is_valid(numbers))
        return readable if limit is None else readable & as_mask(pc.less(pc.abs(numbers), limit))

    return run


def _limit(wanted: str) -> float | None:
    """What a DECIMAL(precision, scale) stays below; None for a number without such a limit."""
    if "(" not in wanted:
        return None
    shape = re.fullmatch(r"DECIMAL\s*\(\s*(\d{1,4})\s*(?:,\s*(\d{1,4})\s*)?\)", wanted)
    precision, scale = (int(shape[1]), int(shape[2] or 0)) if shape else (0, 0)
    if not 1 <= precision <= _MOST_DIGITS or scale > precision:
        raise RuleNotComputable(f"{wanted} is no type: DECIMAL(p,s) has 1 to {_MOST_DIGITS} digits, s of them decimals")
    return 10.0 ** (precision - scale)


def _boolean(column: str, kind: pa.DataType) -> RowTest:
    compared = kind_of(kind)
    if compared == "boolean":
        return lambda batch: batch.present(column)
    if compared == "time":
        return _none
    return lambda batch: is_in(pc.utf8_lower(pc.utf8_trim_whitespace(batch.texts(column))), _BOOLEAN_WORDS)


def _moment(column: str, kind: pa.DataType) -> RowTest:
    compared = kind_of(kind)
    if compared == "time":
        return lambda batch: batch.present(column)
    return (lambda batch: as_mask(pc.is_valid(batch.times(column)))) if compared == "text" else _none


_PARTS = {"dd": "(?P<day>[0-9]{2})", "MM": "(?P<month>[0-9]{2})", "yyyy": "(?P<year>[0-9]{4})"}
_LEAP_YEAR = 2000


def _spelled_date(column: str, kind: pa.DataType, date_format: str) -> RowTest:
    """Dates as `dd-MM-yyyy` and the like; a day that its month does not have is none."""
    if kind_of(kind) == "time":
        return lambda batch: batch.present(column)
    parts = date_format.replace("/", "-").split("-")
    separator = "/" if "/" in date_format else "-"
    expression = rf"^{separator.join(_PARTS[part] for part in parts)}$"
    names = {"dd": "day", "MM": "month", "yyyy": "year"}

    def run(batch: Batch) -> Mask:
        found = pc.extract_regex(pc.utf8_trim_whitespace(batch.texts(column)), expression)
        given = {
            part: pc.struct_field(found, [names[part]]).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
            for part in parts
        }
        rows = np.ones(len(batch), dtype=np.int64)
        year, month, day = given.get("yyyy", rows * _LEAP_YEAR), given.get("MM", rows), given.get("dd", rows)
        real = (month >= 1) & (month <= 12) & (day >= 1) & (day <= _days(year, month))
        spelled: Mask = real & as_mask(pc.is_valid(found))
        return spelled

    return run


def _days(year: np.ndarray, month: np.ndarray) -> np.ndarray:
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.clip(month, 1, 12) - 1]
    days: np.ndarray = lengths + (leap & (month == 2))
    return days
