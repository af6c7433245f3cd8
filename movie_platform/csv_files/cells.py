"""What a cell of a CSV file holds: a whole number, a number, a day, or nothing. Every source reads its cells by this.

Digits are ASCII; there are no thousands separators, no `nan`, no `inf`, no `0x1F`, and blanks around a value do not
count. The definitions come as regular expressions that Python, RE2 (Arrow, DuckDB) and Java (Spark) read alike, as
readers of one cell, and as a reader of a column of cells. A source chooses among them; it has none of its own.
"""

import math
import re
from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = "[+-]?[0-9]+"
WHOLE_WITH_POINT = r"[+-]?[0-9]+(?:\.0*)?"
"""A whole number, also with a fraction of zeros (`862.0`), as programs write it whose column had blanks."""
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
ISO_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
AMERICAN_DAY = "([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"
"""Month, day and year, as a spreadsheet writes them; a group each."""
NOTHING = ""

LARGEST_EXPONENT = 999
"""A number whose exponent has more than three digits is none, where numbers are read exactly: it fits no column."""

_WHOLE_WITH_POINT = re.compile(WHOLE_WITH_POINT)
_NUMBER = re.compile(NUMBER)
_EXPONENT = re.compile("[eE]")
_SAFE_DIGITS = 18
"""So many digits always fit in 64 bits."""
EXACT_BELOW = 2.0**53
"""Smaller integers are numbers of 64 bits; of larger ones some are not."""


def only(pattern: str) -> str:
    """The regular expression of a cell that holds the pattern and nothing else."""
    return f"^(?:{pattern})$"


def between_blanks(pattern: str) -> str:
    """The regular expression of a cell that holds the pattern, with ASCII blanks around it or without."""
    return rf"^\s*(?:{pattern})\s*$"


def read_whole(cell: str) -> int | None:
    """A whole number of 64 bits, also one with a fraction of zeros; None for a blank. ValueError says why not."""
    text = cell.strip()
    if not text:
        return None
    if not _WHOLE_WITH_POINT.fullmatch(text):
        raise ValueError("not an integer")
    value = _of_64_bits(text.partition(".")[0])
    if value is None:
        raise ValueError("an integer of more than 64 bits")
    return value


def read_number(cell: str) -> float | None:
    """A finite number of 64 bits; None for a blank. ValueError where the cell is none, or holds an integer that such a
    number does not (from 2^53 on), written out. Fractions are kept to 15 digits."""
    text = cell.strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError("not a number")
    if _is_rounded(text, value):
        raise ValueError("a number of more digits than are kept")
    return value


def read_exact(cell: str, kind: pa.DataType) -> Decimal | int | None:
    """The value of an integer or decimal column that the cell is exactly, however it is written; None for a blank.

    `1e2` is the integer 100, and `7.50` fits a column of one decimal. ValueError where the cell is no number, or one
    that the column cannot hold without loss.
    """
    text = cell.strip()
    if not text:
        return None
    exponent = _EXPONENT.split(text)[1:]
    if not _NUMBER.fullmatch(text) or (exponent and len(exponent[0].lstrip("+-")) > len(str(LARGEST_EXPONENT))):
        raise ValueError("not a number")
    number = Decimal(text)
    if pa.types.is_decimal(kind):
        # Its size first: rounding a larger number is an error of Decimal's own.
        if abs(number) >= 10 ** (kind.precision - kind.scale):
            raise ValueError("too large")
        rounded = number.quantize(Decimal(1).scaleb(-kind.scale), context=Context(prec=kind.precision + 1))
        if rounded != number:
            raise ValueError("too many decimals")
        return rounded
    limit = 2 ** (kind.bit_width - 1)
    if not -limit <= number < limit:
        raise ValueError("too large")
    if number != number.to_integral_value():
        raise ValueError("not an integer")
    return int(number)


def all_of_64_bits(cells: pa.Array) -> bool:
    """Whether all cells, each a `WHOLE` between blanks or without, fit in 64 bits."""
    long = cells.filter(pc.greater(pc.utf8_length(cells), _SAFE_DIGITS))
    return all(_of_64_bits(cell.strip()) is not None for cell in long.to_pylist())


def blank_as_null(cells: pa.Array) -> pa.Array:
    """Cells as they stand, those that hold nothing but blanks as nulls."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(cells), ""), pa.scalar(None, pa.string()), cells)


def read_column(cells: pa.Array, kind: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """Cells as `read_whole` or `read_number` read them, and a mask of those that are no value, which become null.

    Text stays as it is.
    """
    none = np.zeros(len(cells), bool)
    if pa.types.is_string(kind):
        return cells, none
    if (values := _as_arrow_reads(cells, kind)) is not None and not has_large(values):
        return values, none
    is_whole = pa.types.is_integer(kind)
    trimmed = blank_as_null(pc.utf8_trim_whitespace(cells))
    readable = pc.match_substring_regex(trimmed, only(WHOLE_WITH_POINT if is_whole else NUMBER))
    kept = pc.if_else(readable, trimmed, pa.scalar(None, pa.string()))
    if is_whole:
        values = _whole_numbers(pc.replace_substring_regex(kept, r"^\+|\.0*$", ""))
    else:
        values = pc.cast(kept, kind)
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, kind))
        if has_large(values):
            pairs = zip(trimmed.to_pylist(), values.to_pylist(), strict=True)
            values = pa.array([None if v is None or _is_rounded(text.strip(), v) else v for text, v in pairs], kind)
    unreadable = pc.and_(pc.is_valid(trimmed), pc.is_null(values))
    return values, unreadable.to_numpy(zero_copy_only=False)


def has_large(values: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a column of numbers has any of which the cell may have been rounded; a column of integers has none."""
    if not pa.types.is_floating(values.type):
        return False
    return bool(pc.any(pc.greater_equal(pc.abs(values), EXACT_BELOW)).as_py())


def _is_rounded(text: str, value: float) -> bool:
    """Whether a large number, written out, is another one than it was read as; with an exponent it is meant so."""
    return abs(value) >= EXACT_BELOW and not _EXPONENT.search(text) and Decimal(text) != Decimal(value)


def _as_arrow_reads(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Arrow's own cast, where it reads every cell and reads it as we do: it also takes `0x1F`, `nan` and `inf`."""
    try:
        values = pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None
    if pa.types.is_integer(kind):
        odd = pc.any(pc.or_(pc.match_substring(cells, "x"), pc.match_substring(cells, "X")))
    else:
        odd = pc.any(pc.invert(pc.is_finite(values)))
    return None if odd.as_py() else values


def _whole_numbers(digits: pa.Array) -> pa.Array:
    """Digits as 64-bit numbers, null where they do not fit."""
    if not pc.any(pc.greater(pc.utf8_length(digits), _SAFE_DIGITS)).as_py():
        return pc.cast(digits, pa.int64())
    return pa.array([None if text is None else _of_64_bits(text) for text in digits.to_pylist()], pa.int64())


def _of_64_bits(whole: str) -> int | None:
    """The number that digits with or without a sign stand for; None beyond 64 bits. Python refuses to read 4,301."""
    digits = whole.lstrip("+-").lstrip("0") or "0"
    value = int(digits[:20]) * (-1 if whole.startswith("-") else 1)
    return value if -(2**63) <= value < 2**63 else None
