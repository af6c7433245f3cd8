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
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import pyarrow as pa

from movie_platform.errors import InputRefused

if TYPE_CHECKING:
    import _csv

_T = TypeVar("_T")

BOM = b"\xef\xbb\xbf"
MAX_RECORD = 4 * 2**20
"""Bytes of a record, more or less a chunk: what is longer is an unclosed quote or no table, and is not read further."""
MAX_RECORD_OF_ANY_FILE = 64 * 2**20
_BATCH_RECORDS = 20_000
_DECODED_AT_A_TIME = 1024 * 1024


Open = Callable[[], BinaryIO]
"""Opens a file anew from its beginning."""


@dataclass(frozen=True)
class Shape:
    """A file's header, and how many data records it has."""

    header: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class TextTable(Shape):
    """The file's data records as text too, empty cells as nulls."""

    records: pa.Table
    has_bom: bool


def read_text(data: bytes) -> TextTable:
    """The whole file, its first line the header; `InputRefused` by the rule `utf8`, `header` or `records` if it cannot
    be read.

    A NUL byte is refused as well. The text is decoded as it is read, so a large file never stands in memory as one
    string.
    """

    def columns(reader: _Reader, width: int) -> list[pa.Table]:
        names = [str(position) for position in range(width)]
        batches = [pa.table(arrays, names=names) for arrays in _columns(reader, width)]
        return batches or [pa.table([pa.array([], pa.string())] * width, names=names)]

    header, batches = _judged(lambda: io.BytesIO(data), columns)
    records = pa.concat_tables(batches)
    return TextTable(header, records.num_rows, records, data.startswith(BOM))


def shape_of(open_file: Open) -> Shape:
    """As `read_text`, of a file of any size: no more of it is in memory than its longest record."""
    return Shape(*_judged(open_file, _count))


def _judged(open_file: Open, of_records: "Callable[[_Reader, int], _T]") -> tuple[tuple[str, ...], "_T"]:
    """The header, and what is made of the reader of the data records and of their width."""
    _refuse_bytes(open_file)
    header = header_of(open_file)
    try:
        with open_file() as file:
            reader = _Reader(file)
            next(iter(reader), None)
            if not header and any(reader):
                raise InputRefused("begins with a blank line, where the header belongs", rule="header")
            return header, of_records(reader, len(header))
    except (csv.Error, _OtherWidth):
        with open_file() as file:
            raise InputRefused(_first_fault(_Reader(file)), rule="records") from None


def header_of(open_file: Open) -> tuple[str, ...]:
    """The first record's cells; empty where there is none."""
    try:
        with open_file() as file:
            return tuple(next(iter(_Reader(file)), ()))
    except csv.Error as error:
        raise InputRefused(f"the header cannot be read: {_quoting(error)}", rule="records") from None


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


def _count(reader: _Reader, width: int) -> int:
    count = 0
    for row in reader:
        if len(row) == width:
            count += 1
        elif row:
            raise _OtherWidth
    return count


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


def _refuse_bytes(open_file: Open) -> None:
    """UTF-8 is proven from the first byte to the last, and that no NUL is among them."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, nul, first = 0, -1, b""
    with open_file() as file:
        for block in _blocks(file):
            first = first or block[:2]
            begun = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                _refuse_encoding(open_file, first, position - begun + error.start, error.object[error.start])
            if nul < 0 and (found := block.find(b"\0")) >= 0:
                nul = position + found
            position += len(block)
    if cut := decoder.getstate()[0]:
        _refuse_encoding(open_file, first, position - len(cut), cut[0])
    if nul >= 0:
        raise InputRefused(f"{_where(open_file, nul)} holds a NUL byte", rule="records")


def _refuse_encoding(open_file: Open, first: bytes, position: int, byte: int) -> None:
    if first == b"\x1f\x8b":
        reason = "is gzip-compressed; deliver it as plain CSV"
    elif first in (b"\xff\xfe", b"\xfe\xff"):
        reason = "is UTF-16 text; deliver it as UTF-8"
    else:
        reason = f"is not UTF-8: byte 0x{byte:02x} at position {position}, {_where(open_file, position)}"
    raise InputRefused(reason, rule="utf8")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_DECODED_AT_A_TIME), b"")


def _where(open_file: Open, position: int) -> str:
    """The data record that holds a byte, and its line."""
    line, left = 1, position
    with open_file() as file:
        for block in _blocks(file):
            line += block.count(b"\n", 0, left) if left < len(block) else block.count(b"\n")
            left -= len(block)
            if left <= 0:
                break
    records = -1
    try:
        with open_file() as file:
            for row in _Reader(file, size=position + 1, strict=False, errors="replace"):
                records += bool(row)
    except csv.Error:
        return f"line {line}"
    return f"record {records} (line {line})" if records else f"the header (line {line})"
