"""CSV records with their record number, none of them lost.

A record is what Python's `csv` module takes for one, read leniently: quotes hold line breaks, and a line with nothing
on it is a record too. Records are numbered from 1, the header not counted. A record that cannot be used (blank, another
number of fields than the header, not UTF-8, a number that is none) keeps its number, its reason and its raw text, and
has no values. Whoever implements reading on another engine is held to the same cases.

Chunks that leave no doubt are read by Arrow: whole records, each cell without a quote or in quotes from end to end.
Any other chunk, and any that Arrow objects to, is read record by record. Both ways give the same result, so the fast
one is never a matter of luck.
"""

import csv
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from movie_platform.arrays import array_of
from movie_platform.column_changes import changes_of, shown, summary_of
from movie_platform.csv_files.cells import has_large, read_number, read_whole
from movie_platform.csv_files.columns import (
    CsvFile,
    RecordColumn,
    record_schema,
)
from movie_platform.errors import InputRefused, PlatformError

MAX_CELL = 64 * 2**20
"""A longer cell is an unclosed quote that swallows the file: the record is broken, and reading goes on behind it."""

CHUNK_BYTES = 2**20
BATCH_RECORDS = 4096
BATCH_CHARACTERS = 16 * 2**20
LOOK_AHEAD = 3

_CELL = r"""(?:[^",\r\n]*|"(?:[^"]|"")*")"""
_WHOLE_RECORDS = rf"^(?:{_CELL}(?:,|\r?\n))*{_CELL}$"
"""Cells without a quote, or in quotes from end to end."""
_HEXADECIMAL = r"""(?:^|[,"\s+-])0[xX]"""
"""At the start of a cell, where Arrow takes it for an integer."""


def read_records(file: CsvFile, columns: Sequence[RecordColumn]) -> pa.RecordBatchReader:
    """All records of the file in order. A file without the columns asked for is an `InputRefused`, raised at once."""
    with file.open() as stream:
        _read_header(file, stream, columns)
    return pa.RecordBatchReader.from_batches(record_schema(columns), _batches(file, columns))


class RereadableRecords:
    """Records for engines that scan Arrow streams: each scan reads the file anew, so none finds it used up."""

    def __init__(self, file: CsvFile, columns: Sequence[RecordColumn]) -> None:
        self._file = file
        self._columns = tuple(columns)
        self._count: int | None = None
        self.error: PlatformError | None = None
        """What ended the last scan before its time."""
        read_records(file, columns).close()

    def count(self) -> int:
        """How many records the file has, known from the last scan that came to the end, or from one of its own."""
        if self._count is None:
            for _ in self._counted():
                pass
        assert self._count is not None
        return self._count

    def _counted(self) -> Iterator[pa.RecordBatch]:
        count = 0
        self.error = None
        try:
            for batch in _ahead(_batches(self._file, self._columns)):
                count += batch.num_rows
                yield batch
        except PlatformError as error:
            self.error = error
            raise
        self._count = count

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches = self._counted()
        reader = pa.RecordBatchReader.from_batches(record_schema(self._columns), batches)
        return reader.__arrow_c_stream__(requested_schema)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, read ahead in a thread of its own: an engine's threads wait for nothing but work."""
    with ThreadPoolExecutor(1, thread_name_prefix="records") as reader:
        upcoming = deque(reader.submit(next, batches, None) for _ in range(LOOK_AHEAD))
        try:
            while (batch := upcoming.popleft().result()) is not None:
                upcoming.append(reader.submit(next, batches, None))
                yield batch
        finally:
            for future in upcoming:
                future.cancel()


@dataclass(frozen=True)
class _Header:
    names: list[str]
    positions: list[int]
    columns: tuple[RecordColumn, ...]
    chunks: Iterator[bytes]
    """What is behind the header."""


def _read_header(file: CsvFile, stream: BinaryIO, columns: Sequence[RecordColumn]) -> _Header:
    chunks = _chunks(stream)
    first = next(chunks, b"").removeprefix(b"\xef\xbb\xbf")
    lines = _Lines(iter([first]))
    try:
        names = [name.strip() for name in next(csv.reader(lines), [])]
    except csv.Error:
        names = []
    asked = {column.name: "" for column in columns}
    if gone := [of for of in changes_of(asked, dict.fromkeys(names, "")) if of.change == "gone"]:
        raise InputRefused(
            f"{file.name} {summary_of(gone)}; its header reads {', '.join(names) or '(nothing)'}", rule="header"
        )
    if twice := [name for name in asked if names.count(name) > 1]:
        raise InputRefused(f"{file.name} has two columns named {shown(twice[0])}: which one counts?", rule="header")
    positions = [names.index(column.name) for column in columns]
    return _Header(names, positions, tuple(columns), itertools.chain(filter(None, [lines.rest()]), chunks))


def _batches(file: CsvFile, columns: Sequence[RecordColumn]) -> Iterator[pa.RecordBatch]:
    schema = record_schema(columns)
    with file.open() as stream, ThreadPoolExecutor(1, thread_name_prefix="csv") as pool:
        header = _read_header(file, stream, columns)
        number = 1
        for sound in _parts(header, header.chunks, pool):
            for part in sound:
                batch = _numbered(part, number, schema)
                number += batch.num_rows
                yield batch


def _numbered(part: pa.RecordBatch, first: int, schema: pa.Schema) -> pa.RecordBatch:
    count = np.arange(first, first + part.num_rows, dtype=np.int64)
    numbers = pa.Array.from_buffers(pa.int64(), part.num_rows, [None, pa.py_buffer(count)])
    if part.num_columns == len(schema):
        arrays = [numbers, *part.columns[1:]]
    else:
        nothing = pa.nulls(part.num_rows, pa.string())
        arrays = [numbers, nothing, nothing, nothing, *part.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream in pieces that end with a line break, the last one excepted."""
    pieces: list[bytes] = []
    while data := stream.read(CHUNK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            pieces.append(data[:cut])
            yield b"".join(pieces)
            pieces = [data[cut:]] if cut < len(data) else []
        else:
            pieces.append(data)
    if pieces:
        yield b"".join(pieces)


def _parts(header: _Header, chunks: Iterator[bytes], pool: ThreadPoolExecutor) -> Iterator[Iterator[pa.RecordBatch]]:
    """Runs of batches in file order. Arrow parses ahead in its thread while the consumer works on earlier batches."""
    waiting: deque[tuple[bytes, Future[list[pa.RecordBatch] | None]]] = deque()

    def refill() -> None:
        while len(waiting) < LOOK_AHEAD and (chunk := next(chunks, None)) is not None:
            waiting.append((chunk, pool.submit(_parse_fast, chunk, header)))

    def upcoming() -> Iterator[bytes]:
        """What the slow reader may pull on: the chunk at hand, then further ones while a record is open."""
        while True:
            refill()
            if not waiting:
                return
            yield waiting.popleft()[0]

    while True:
        refill()
        if not waiting:
            return
        fast = waiting[0][1].result()
        if fast is not None:
            waiting.popleft()
            yield iter(fast)
        else:
            yield _parse_slowly(_Lines(upcoming()), header)


def _parse_fast(chunk: bytes, header: _Header) -> list[pa.RecordBatch] | None:
    """What Arrow reads in one go, or None where anything about the chunk needs a closer look."""
    quoted = b'"' in chunk
    if b"\0" in chunk or len(chunk) > MAX_CELL or not any(column.required for column in header.columns):
        return None
    if len(set(header.names)) != len(header.names):
        return None
    if len(header.columns) < len(header.names) and not _is_utf8(chunk):  # Arrow looks at the columns asked for only
        return None
    if quoted and not _matches(chunk, _WHOLE_RECORDS):
        return None
    if (b"x" in chunk or b"X" in chunk) and _matches(chunk, _HEXADECIMAL):
        return None
    names = [column.name for column in header.columns]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(chunk),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, column_names=header.names, block_size=max(len(chunk), 1)
            ),
            parse_options=pyarrow.csv.ParseOptions(
                quote_char='"' if quoted else False, newlines_in_values=quoted, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={column.name: column.type for column in header.columns},
                include_columns=names,
                null_values=[""],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    for column in header.columns:
        values = table[column.name]
        if column.required and (values.null_count or (column.kind == "text" and _shortest(values) == 0)):
            return None
        if column.kind == "number" and (_any(pc.invert(pc.is_finite(values))) or has_large(values)):
            return None
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches


def _matches(chunk: bytes, pattern: str) -> bool:
    """Whether the pattern is found; unlike Python's own search it lets other threads run meanwhile."""
    ends = pa.py_buffer(np.array([0, len(chunk)], np.int64))
    text = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(chunk)])
    return bool(pc.match_substring_regex(text, pattern)[0].as_py())


def _is_utf8(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shortest(values: pa.ChunkedArray) -> int | None:
    """Characters of the shortest text without the blanks around it."""
    shortest: int | None = pc.min(pc.utf8_length(pc.utf8_trim_whitespace(values))).as_py()
    return shortest


def _any(mask: pa.ChunkedArray) -> bool:
    return bool(pc.any(mask).as_py())


class _Lines:
    """Lines of text from chunks of bytes. Remembers those of the record at hand, and says where a chunk ends."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._lines: list[bytes] = []
        self._position = 0
        self._started = False
        self.of_record: list[str] = []
        self.is_utf8 = True
        self.ended_in_record = False
        """Whether the file ended where a record wanted more lines: a quote was never closed."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while self._position == len(self._lines):
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended_in_record = bool(self.of_record)
                raise StopIteration
            self._lines, self._position = chunk.splitlines(keepends=True), 0
            self._started = True
        line = self._lines[self._position]
        self._position += 1
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode(errors="replace")
            self.is_utf8 = False
        self.of_record.append(text)
        return text

    def start_record(self) -> None:
        self.of_record.clear()
        self.is_utf8 = True

    @property
    def at_chunk_end(self) -> bool:
        return self._started and self._position == len(self._lines)

    def rest(self) -> bytes:
        """The lines of the chunk that nobody asked for."""
        return b"".join(self._lines[self._position :])


class _Rows:
    """Records on their way into a batch."""

    def __init__(self, header: _Header) -> None:
        self._schema = record_schema(header.columns)
        self._reasons: list[str | None] = []
        self._reason_columns: list[str | None] = []
        self._raw: list[str | None] = []
        self._nothing: Sequence[object] = (None,) * len(header.columns)
        self._cells: list[Sequence[object]] = []
        self._characters = 0

    def add(self, cells: Sequence[object], characters: int) -> None:
        self._add(None, None, None, cells, characters)

    def add_broken(self, reason: str, column: str | None, raw: str) -> None:
        self._add(reason, column, raw, self._nothing, len(raw))

    def _add(
        self, reason: str | None, column: str | None, raw: str | None, cells: Sequence[object], characters: int
    ) -> None:
        self._reasons.append(reason)
        self._reason_columns.append(column)
        self._raw.append(raw)
        self._cells.append(cells)
        self._characters += characters

    @property
    def is_full(self) -> bool:
        return len(self._reasons) >= BATCH_RECORDS or self._characters >= BATCH_CHARACTERS

    def batch(self) -> pa.RecordBatch | None:
        if not self._reasons:
            return None
        columns = [self._reasons, self._reason_columns, self._raw, *zip(*self._cells, strict=True)]
        fields = list(self._schema)[1:]
        arrays = [array_of(values, field.type) for values, field in zip(columns, fields, strict=True)]
        numbers = pa.nulls(len(self._reasons), pa.int64())
        return pa.RecordBatch.from_arrays([numbers, *arrays], names=self._schema.names)


def _parse_slowly(lines: _Lines, header: _Header) -> Iterator[pa.RecordBatch]:
    """Records one by one up to the first chunk border that is also a record's end."""
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(lines)
    rows = _Rows(header)
    cells = _CellReader(header)
    while not lines.at_chunk_end:
        lines.start_record()
        try:
            record = next(reader, None)
        except csv.Error as error:
            rows.add_broken(f"unreadable: {error}", None, _raw(lines))
            continue
        if record is None:
            break
        if lines.ended_in_record:
            rows.add_broken("a quote is opened and never closed", None, _raw(lines))
            break
        _take(rows, record, lines, cells)
        if rows.is_full:
            if batch := rows.batch():
                yield batch
            rows = _Rows(header)
    if batch := rows.batch():
        yield batch


class _CellReader:
    """The cells of a record that are asked for, by their kinds."""

    def __init__(self, header: _Header) -> None:
        self.width = len(header.names)
        self._pick = itemgetter(*header.positions, *header.positions[:1])  # two at least, so that they are a tuple
        self._count = len(header.positions)
        # Text that may be blank is taken as it is, and most cells are.
        self._converted = [
            (place, column.name, _cell_reader(column))
            for place, column in enumerate(header.columns)
            if column.kind != "text" or column.required
        ]

    def read(self, record: Sequence[str]) -> list[object]:
        """Raises `_CellBroken` for the first cell that is none of its kind."""
        cells: list[object] = list(self._pick(record)[: self._count])
        for place, name, read in self._converted:
            try:
                cells[place] = read(cells[place])  # type: ignore[arg-type]
            except ValueError as error:
                raise _CellBroken(str(error), name) from None
        return cells


class _CellBroken(Exception):
    def __init__(self, reason: str, column: str) -> None:
        super().__init__(reason)
        self.reason, self.column = reason, column


def _take(rows: _Rows, record: list[str], lines: _Lines, cells: _CellReader) -> None:
    width = cells.width
    if not lines.is_utf8:
        rows.add_broken("not UTF-8", None, _raw(lines))
    elif not any(cell and not cell.isspace() for cell in record):
        rows.add_broken("blank", None, _raw(lines))
    elif len(record) != width and (len(record) < width or any(record[width:])):
        rows.add_broken(f"{len(record)} fields where the header has {width}", None, _raw(lines))
    else:
        try:
            rows.add(cells.read(record), sum(map(len, record)))
        except _CellBroken as broken:
            rows.add_broken(broken.reason, broken.column, _raw(lines))


def _raw(lines: _Lines) -> str:
    return "".join(lines.of_record).rstrip("\r\n")


def _cell_reader(column: RecordColumn) -> Callable[[str], object]:
    read = {"text": _text, "integer": _integer, "number": _number}[column.kind]
    return partial(read, required=column.required)


def _text(cell: str, *, required: bool) -> str:
    if required and not cell.strip():
        raise ValueError("required, but blank")
    return cell


def _integer(cell: str, *, required: bool) -> int | None:
    return read_whole(_text(cell, required=required))


def _number(cell: str, *, required: bool) -> float | None:
    return read_number(_text(cell, required=required))
