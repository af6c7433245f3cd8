"""What each column of a CSV file holds, by its first records: enough to see that a column changed, and cheap."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from math import isnan, nan
from typing import BinaryIO

import pyarrow as pa

BYTES = 64 * 1024
"""Of a file that are read at most."""
RECORDS = 200
COLUMNS = 1000
"""Of a header that are looked at."""
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?")


def kind_of_type(kind: pa.DataType) -> str:
    """What the cells of a column of this type hold, in the words of `columns_of`."""
    if pa.types.is_integer(kind):
        return "integer" if kind.bit_width > 32 else "integer of 32 bits"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_temporal(kind):
        return "date"
    if pa.types.is_boolean(kind):
        return "truth"
    return "list" if pa.types.is_nested(kind) else "text"


def columns_of(open_file: Callable[[], BinaryIO]) -> dict[str, str]:
    """The header's names in order, blanks around them aside, each with what more than half of its first cells hold.

    That is integer of 32 bits, integer, number, date (as ISO 8601 writes it), truth, list (or mapping) or text; nothing
    where all are blank. A name that comes again has its number behind it. A file without a readable header has none.
    """
    with open_file() as file:
        data = file.read(BYTES)
    text = codecs.decode(data, "utf-8-sig", "replace")
    if len(data) == BYTES:  # its last record is cut off
        text = text.rpartition("\n")[0]
    header, *records = _records(text) or [[]]
    cells = [record for record in records if len(record) == len(header)]
    found: dict[str, str] = {}
    for place, name in enumerate(map(str.strip, header[:COLUMNS])):
        times, free = 1, name
        while free in found:
            times += 1
            free = f"{name} ({times})"
        found[free] = _kind([record[place].strip() for record in cells])
    return found


def _records(text: str) -> list[list[str]]:
    found: list[list[str]] = []
    with suppress(csv.Error):  # whoever reads the whole file says what is wrong with it
        found += islice(csv.reader(io.StringIO(text, newline="")), RECORDS + 1)
    return found


def _kind(cells: Sequence[str]) -> str:
    from movie_platform.csv_files.cells import read_number, read_whole  # it imports what `status` has no use for

    there = [cell for cell in cells if cell]
    if not there:
        return ""
    holds: dict[str, Callable[[str], bool]] = {
        "integer of 32 bits": lambda cell: -(2**31) <= _value(read_whole, cell) < 2**31,
        "integer": lambda cell: not isnan(_value(read_whole, cell)),
        "number": lambda cell: not isnan(_value(read_number, cell)),
        "date": lambda cell: _DAY.fullmatch(cell) is not None,
        "truth": lambda cell: cell.casefold() in ("true", "false"),
        "list": lambda cell: cell.startswith(("[", "{")),
    }
    return next((kind for kind, test in holds.items() if 2 * sum(map(test, there)) > len(there)), "text")


def _value(read: Callable[[str], float | None], cell: str) -> float:
    """The cell's value; no number where it has none."""
    try:
        value = read(cell)
    except ValueError:
        return nan
    return nan if value is None else value
