"""A CSV file, read strictly: every record as it stands, or the reason why the file cannot be read.

Strictly means UTF-8, no quote that is never closed or stands unescaped in a quoted field, and as many fields in every
record as in the header. A blank line is no record. `records.py` is the lenient reader, which goes on behind a fault.
"""

import codecs
import csv
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from movie_platform.errors import InputRefused

if TYPE_CHECKING:
    import _csv

BOM = b"\xef\xbb\xbf"
MAX_RECORD = 4 * 2**20
"""Bytes of a record, more or less a chunk: what is longer is an unclosed quote or no table, and is not read further."""
MAX_RECORD_OF_ANY_FILE = 64 * 2**20
_BATCH_RECORDS = 20_000
_DECODED_AT_A_TIME = 1024 * 1024


@dataclass(frozen=True)
class TextTable:
    """The file's header and its data records as text, empty cells as nulls."""

    header: tuple[str, ...]
    records: pa.Table
    has_bom: bool


def read_text(data: bytes) -> TextTable:
    """The whole file, its first line the header; `InputRefused` by the rule `utf8`, `header` or `records` if it cannot
    be read.

    A NUL byte is refused as well. The text is decoded as it is read, so a large file never stands in memory as one
    string.
    """
    _refuse_other_encodings(data)
    if (position := data.find(b"\0")) >= 0:
        raise InputRefused(f"{_where(data, position)} holds a NUL byte", rule="records")
    header = header_of(data)
    reader = _Reader(io.BytesIO(data))
    next(iter(reader), None)
    try:
        if not header and any(reader):
            raise InputRefused("begins with a blank line, where the header belongs", rule="header")
        batches = [pa.array([], pa.string()) for _ in header], *_columns(reader, len(header))
    except (csv.Error, _OtherWidth):
        raise InputRefused(_first_fault(_Reader(io.BytesIO(data))), rule="records") from None
    columns = [pa.chunked_array(chunks, pa.string()) for chunks in zip(*batches, strict=True)]
    names = [str(position) for position in range(len(header))]
    return TextTable(header, pa.table(columns, names=names), data.startswith(BOM))


def header_of(data: bytes) -> tuple[str, ...]:
    """The first record's cells; empty where there is none."""
    try:
        return tuple(next(iter(_Reader(io.BytesIO(data))), ()))
    except csv.Error as error:
        raise InputRefused(f"the header cannot be read: {_quoting(error)}", rule="records") from None
    except UnicodeDecodeError:
        _refuse_other_encodings(data)
        raise


def check(open_file: Callable[[], BinaryIO]) -> list[str]:
    """The header of a file of any size once every record was seen to be whole, for readers that forgive what is not.

    Blank lines may stand before the header, which is empty if the file holds nothing. NUL bytes are let through.
    """
    with open_file() as file:
        reader = _Reader(file, longest=MAX_RECORD_OF_ANY_FILE)
        try:
            header = next(filter(None, iter(reader)), [])
            whole = all(len(record) == len(header) for record in reader if record)
        except UnicodeDecodeError as error:
            raise InputRefused(f"is not UTF-8: {error}", rule="utf8") from error
        except csv.Error:
            whole = False
    if whole:
        return header
    with open_file() as file:
        raise InputRefused(_first_fault(_Reader(file, longest=MAX_RECORD_OF_ANY_FILE)), rule="records")


class _Reader:
    """Records of a file, or of its first `size` bytes; one that is longer than `longest` is a `csv.Error`, and is never
    held in memory."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        longest: int = MAX_RECORD,
        size: int = sys.maxsize,
        strict: bool = True,
        errors: str = "strict",
    ) -> None:
        csv.field_size_limit(sys.maxsize)
        self._bytes = _Measured(file, longest, size)
        text = io.TextIOWrapper(self._bytes, encoding="utf-8-sig", errors=errors, newline="")  # type: ignore[type-var]
        self._reader: _csv.Reader = csv.reader(text, strict=strict)
        self._records = self._measured()

    def __iter__(self) -> Iterator[list[str]]:
        return self._records

    def _measured(self) -> Iterator[list[str]]:
        for record in self._reader:
            self._bytes.last_record = record
            yield record

    @property
    def line_num(self) -> int:
        return self._reader.line_num


class _Measured(io.BufferedIOBase):
    """The bytes of a file for `TextIOWrapper`, until too many were read since a record was finished."""

    def __init__(self, file: BinaryIO, longest: int, size: int) -> None:
        self.last_record: object = None
        self._file = file
        self._left = size
        self._longest = longest
        self._seen: object = None
        self._since = 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        if self._seen is not self.last_record:
            self._seen, self._since = self.last_record, 0
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        self._since += len(data)
        if self._since > self._longest:
            raise csv.Error(f"a record of more than {self._longest:,} bytes, or a quote that is never closed")
        return data


class _OtherWidth(Exception):
    """A record has another number of fields than the header."""


def _columns(reader: _Reader, width: int) -> Iterator[list[pa.Array]]:
    """The data records, some at a time, turned into columns of text."""
    rows: list[list[str]] = []
    for row in reader:
        if len(row) != width:
            if row:
                raise _OtherWidth
            continue
        rows.append(row)
        if len(rows) == _BATCH_RECORDS:
            yield _as_columns(rows)
            rows = []
    if rows:
        yield _as_columns(rows)


def _as_columns(rows: list[list[str]]) -> list[pa.Array]:
    return [pa.array([cell or None for cell in column], pa.string()) for column in zip(*rows, strict=True)]


def _first_fault(reader: _Reader) -> str:
    """What is wrong with the first record that cannot be read: read again with a count, only where there is one."""
    number, line, width = -1, 0, 0
    try:
        for row in reader:
            number += bool(row)
            width = width or len(row)
            if row and len(row) != width:
                return f"record {number} (line {line + 1}) has {len(row)} fields where the header names {width}"
            line = reader.line_num
    except csv.Error as error:
        where = f"record {number + 1}" if width else "the header"
        return f"{where} (line {line + 1}): {_quoting(error)}"
    raise AssertionError("every record can be read")


def _quoting(error: csv.Error) -> str:
    if "unexpected end" in str(error) or "'\"'" in str(error):
        return "a quote is opened and never closed, or stands unescaped in a quoted field"
    return str(error)


def _refuse_other_encodings(data: bytes) -> None:
    """UTF-8 is proven from the first byte to the last."""
    position = _first_byte_that_is_not_utf8(data)
    if position is None:
        return
    if data.startswith(b"\x1f\x8b"):
        reason = "is gzip-compressed; deliver it as plain CSV"
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        reason = "is UTF-16 text; deliver it as UTF-8"
    else:
        reason = f"is not UTF-8: byte 0x{data[position]:02x} at position {position}, {_where(data, position)}"
    raise InputRefused(reason, rule="utf8")


def _first_byte_that_is_not_utf8(data: bytes) -> int | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _DECODED_AT_A_TIME):
        end = start + _DECODED_AT_A_TIME
        begun = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start:end], final=end >= len(data))
        except UnicodeDecodeError as error:
            return start - begun + error.start
    return None


def _where(data: bytes, position: int) -> str:
    """The data record that holds a byte, and its line."""
    line = data.count(b"\n", 0, position) + 1
    records = -1
    try:
        for row in _Reader(io.BytesIO(data), size=position + 1, strict=False, errors="replace"):
            records += bool(row)
    except csv.Error:
        return f"line {line}"
    return f"record {records} (line {line})" if records else f"the header (line {line})"
