"""A day's files as one table of text with an account of every record, and as the columns that the warehouse takes."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.column_changes import changes_of
from movie_platform.csv_files.cells import read_exact
from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.csv_files.records import read_records
from movie_platform.errors import InputRefused
from movie_platform.quality.presentation import shown
from movie_platform.table import Column, Table

if TYPE_CHECKING:
    from movie_platform.quality import DataSet

_NAMED = 10
FITS = "Every value fits the table"
"""What a row breaks that the table cannot hold, beside the rules."""


BROKEN_SCHEMA = pa.schema(
    [
        pa.field("source", pa.dictionary(pa.int32(), pa.string())),
        pa.field("record", pa.int64()),
        pa.field("reason", pa.dictionary(pa.int32(), pa.string())),
        pa.field("raw", pa.string()),
    ]
)
"""Records that cannot be read as rows: each keeps its number, counted from 1 behind the header, and its text."""


@dataclass(frozen=True)
class Records:
    """All sound records of a day's files, as text, in order, and the broken ones."""

    text: "DataSet"
    sources: tuple[str, ...]
    source_of: np.ndarray = field(repr=False)
    """For each sound record, the place of its file in `sources`."""
    number_of: np.ndarray = field(repr=False)
    """For each sound record, its number in its file, from 1."""
    broken: pa.Table
    """Of `BROKEN_SCHEMA`, in order: a million of them take megabytes."""
    counts: dict[str, int]
    """Records of each file, broken ones included."""

    @property
    def sound(self) -> int:
        return len(self.source_of)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def read(files: Sequence[tuple[str, Path]]) -> Records:
    """The records of files that have the same columns, in any order; `InputRefused` says why they cannot be read.

    Columns are called as in the first file, blanks around their names aside.
    """
    from movie_platform.quality import open_data

    headers = {name: _header(name, path) for name, path in files}
    if not headers:
        raise InputRefused("there is no file", rule="delivered")
    first, columns = next(iter(headers.items()))
    for name, header in headers.items():
        if set(map(str.casefold, header)) != set(map(str.casefold, columns)):
            raise InputRefused(
                f"{name} and {first} are of one day and differ in their columns: "
                f"only the first has {_listed(header, columns)}, only the second {_listed(columns, header)}",
                rule="one_header",
            )
    rows = _Rows(files, headers, columns)
    text = open_data(rows)
    return Records(
        text,
        tuple(name for name, _ in files),
        np.concatenate([np.zeros(0, dtype=np.int32), *rows.sources]),
        np.concatenate([np.zeros(0, dtype=np.int64), *rows.numbers]),
        pa.Table.from_batches(rows.broken, BROKEN_SCHEMA).unify_dictionaries(),
        rows.counts,
    )


class _Rows:
    """The files' sound records as batches of text, read once; the rest is noted on the way."""

    def __init__(
        self, files: Sequence[tuple[str, Path]], headers: dict[str, list[str]], columns: Sequence[str]
    ) -> None:
        self.schema = pa.schema([(name, pa.string()) for name in columns])
        self.sources: list[np.ndarray] = []
        self.numbers: list[np.ndarray] = []
        self.broken: list[pa.RecordBatch] = []
        self.counts = dict.fromkeys((name for name, _ in files), 0)
        self._files = files
        self._headers = headers

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for place, (name, path) in enumerate(self._files):
            spelled = {column.casefold(): column for column in self._headers[name]}
            wanted = [RecordColumn(spelled[column.casefold()]) for column in self.schema.names]
            for batch in read_records(CsvFile(name, partial(_open, path)), wanted):
                self.counts[name] += batch.num_rows
                sound = self._sound(name, batch)
                self.sources.append(np.full(sound.num_rows, place, dtype=np.int32))
                self.numbers.append(sound.column(0).to_numpy())
                if sound.num_rows:
                    yield pa.RecordBatch.from_arrays(sound.columns[4:], schema=self.schema)

    def _sound(self, name: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        reasons = batch.column(1)
        if reasons.null_count == batch.num_rows:
            return batch
        bad = batch.filter(pc.is_valid(reasons))
        source = pa.DictionaryArray.from_arrays(pa.array(np.zeros(bad.num_rows, np.int32)), pa.array([name]))
        found = [source, bad.column(0), bad.column(1).dictionary_encode(), bad.column(3)]
        self.broken.append(pa.RecordBatch.from_arrays(found, schema=BROKEN_SCHEMA))
        return batch.filter(pc.is_null(reasons))


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _header(name: str, path: Path) -> list[str]:
    try:
        # Bytes that are no text break the record that they are in, and only the header is read here.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            header = [column.strip() for column in next(csv.reader(file), [])]
            "".join(header).encode()
    except (UnicodeEncodeError, csv.Error) as error:
        raise InputRefused(f"{name} has no header that can be read: {error}", rule="header") from error
    if not header:
        raise InputRefused(f"{name} is empty: it has not even a header", rule="header")
    times = Counter(map(str.casefold, header))
    if twice := [column for column, count in times.items() if count > 1]:
        raise InputRefused(f"{name} has two columns named {shown(twice[0])}", rule="header")
    return header


def _listed(header: Sequence[str], other: Sequence[str]) -> str:
    """The first columns of a header that another lacks."""
    known = set(map(str.casefold, other))
    lacking = [column for column in header if column.casefold() not in known]
    more = f" and {len(lacking) - _NAMED:,} more" if len(lacking) > _NAMED else ""
    return ", ".join(map(shown, lacking[:_NAMED])) + more if lacking else "no other"


class RowCaster:
    """Puts text into a table's columns; a text that is no value of its column's type keeps its row out."""

    def __init__(self, table: Table, delivered: Sequence[str]) -> None:
        self.table = table
        places = {name.casefold(): place for place, name in enumerate(delivered)}
        self._places = [places.get(column.name) for column in table.columns]
        self.changes = changes_of(
            dict.fromkeys(table.column_names, ""), dict.fromkeys(delivered, ""), ignores_case=True
        )
        """How the columns that were delivered differ from the table's."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns of the table that were not delivered."""
        return tuple(change.column for change in self.changes if change.change == "gone")

    def cast(self, text: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, list[str]]]:
        """The batch with the table's columns and types, and for each row that does not fit, why. A blank number is
        null, a blank text stays blank; a column that was not delivered is null."""
        arrays: list[pa.Array] = []
        mismatches: dict[int, list[str]] = {}
        for column, place in zip(self.table.columns, self._places, strict=True):
            if place is None:
                arrays.append(pa.nulls(text.num_rows, column.type))
            elif pa.types.is_string(column.type):
                arrays.append(text.column(place))
            else:
                arrays.append(_numbers(text.column(place), column, mismatches))
        return pa.RecordBatch.from_arrays(arrays, schema=self.table.arrow_schema), mismatches


def _numbers(cells: pa.Array, column: Column, mismatches: dict[int, list[str]]) -> pa.Array:
    """Each distinct text is read once, exactly."""
    encoded = cells.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    values = [_value(text, column.type) for text in texts]
    wrong = {place for place, value in enumerate(values) if value is _NO_VALUE}
    if wrong:
        for row, place in enumerate(encoded.indices.to_pylist()):
            if place in wrong:
                reason = f"{FITS}: {column.name} {shown(texts[place])} is no {_sql_name(column.type)}"
                mismatches.setdefault(row, []).append(reason)
    kept = [None if value is _NO_VALUE else value for value in values]
    return pa.array(kept, column.type).take(encoded.indices)


_NO_VALUE = object()


def _value(text: str, kind: pa.DataType) -> object:
    try:
        return read_exact(text, kind)
    except ValueError:
        return _NO_VALUE


def _sql_name(kind: pa.DataType) -> str:
    return f"DECIMAL({kind.precision},{kind.scale})" if pa.types.is_decimal(kind) else "INT"
