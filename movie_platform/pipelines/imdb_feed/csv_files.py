"""A delivered CSV file, read strictly: every record as it stands, or the reason why the file cannot be read."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from movie_platform.errors import InputRefused

if TYPE_CHECKING:
    import _csv

csv.field_size_limit(sys.maxsize)

BOM = b"\xef\xbb\xbf"
_BATCH_RECORDS = 20_000
_REMEMBERED_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class CsvFile:
    """The file's header and its data records as text, blank cells as nulls. A blank line is no record."""

    header: tuple[str, ...]
    records: pa.Table
    has_bom: bool


def text_of(data: bytes) -> str:
    """The whole file as text; refused where one byte of it is not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(_not_utf8(data, error.start), rule="utf8") from None
    return text


def _not_utf8(data: bytes, position: int) -> str:
    line = data.count(b"\n", 0, position) + 1
    if data.startswith(b"\x1f\x8b"):
        return "is gzip-compressed; deliver it as plain CSV"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16 text; deliver it as UTF-8"
    return f"is not UTF-8: byte 0x{data[position]:02x} at position {position}, line {line}"


def header_of(text: str) -> tuple[str, ...]:
    """The first record's cells; empty where there is none."""
    try:
        return tuple(next(csv.reader(io.StringIO(text, newline=""), strict=True), ()))
    except csv.Error as error:
        raise InputRefused(f"the header cannot be read: {error}", rule="records") from None


def parse(data: bytes) -> CsvFile:
    """Reads the whole file; refused where it is not UTF-8 or where a record does not have the header's cells.

    The client sends the same people table with every delivery, so equal bytes are read once.
    """
    return _parse_once(data) if len(data) <= _REMEMBERED_BYTES else _parse(data)


def _parse(data: bytes) -> CsvFile:
    text = text_of(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputRefused(f"holds a NUL byte in line {line}", rule="records")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = header_of(text)
    next(reader, None)
    batches = [pa.array([], pa.string()) for _ in header], *_columns(reader, len(header))
    columns = [pa.chunked_array(chunks, pa.string()) for chunks in zip(*batches, strict=True)]
    names = [str(position) for position in range(len(header))]
    return CsvFile(header, pa.table(columns, names=names), data.startswith(BOM))


_parse_once = lru_cache(maxsize=6)(_parse)


def _columns(reader: "_csv.Reader", width: int) -> Iterator[list[pa.Array]]:
    """The data records, some at a time, turned into columns of text."""
    records = _records(reader, width)
    while rows := list(islice(records, _BATCH_RECORDS)):
        yield [pa.array([cell or None for cell in column], pa.string()) for column in zip(*rows, strict=True)]


def _records(reader: "_csv.Reader", width: int) -> Iterator[list[str]]:
    number = 0
    try:
        for row in reader:
            if not row:
                continue
            number += 1
            if len(row) != width:
                where = f"record {number} (line {reader.line_num})"
                raise InputRefused(f"{where} has {len(row)} fields where the header names {width}", rule="records")
            yield row
    except csv.Error as error:
        reason = "a quote is opened and never closed, or stands unescaped in a quoted field"
        if "unexpected end" not in str(error) and "'\"'" not in str(error):
            reason = str(error)
        raise InputRefused(f"record {number + 1} (line {reader.line_num}): {reason}", rule="records") from None
