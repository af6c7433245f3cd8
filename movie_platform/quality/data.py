"""Data to be judged as tables that can be read in batches as often as needed."""

import io
import tempfile
import weakref
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.quality.errors import DataUnreadable, RuleNotComputable
from movie_platform.quality.presentation import harmless
from movie_platform.quality.read_ahead import read_ahead

BATCH_ROWS = 65_536

SPOOL_BYTES = 64 * 2**20
"""A stream of batches larger than this goes through a temporary file instead of memory."""

Judgeable: TypeAlias = (
    pd.DataFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader | str | Path | bytes | Iterable[Any]
)


@runtime_checkable
class DataSet(Protocol):
    """A table with a fixed schema and row order that can be read again and again."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types as the rules see them."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in order; `columns` are exact names, None means all of them.

        An empty list gives batches that have a number of rows and nothing else.
        """

    def take(self, wanted: np.ndarray) -> pa.Table:
        """The rows where `wanted` is true, in order."""


@runtime_checkable
class EncodedDataSet(DataSet, Protocol):
    """One that is stored with texts that repeat as numbers."""

    def encoded_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As `batches`, with texts that repeat as they are stored: each text once, and a number for each row."""


@dataclass(frozen=True)
class SourceFile:
    """A file on disk, or one that is in memory already."""

    name: str
    content: Path | bytes

    def open(self) -> BinaryIO:
        """The file's bytes from the start."""
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)

    @property
    def is_parquet(self) -> bool:
        """Whether the content says so; raises DataUnreadable when only the name does."""
        if isinstance(self.content, Path):
            if not self.content.exists():
                raise DataUnreadable(f"{self.name} does not exist")
            if self.content.is_dir():
                raise DataUnreadable(f"{self.name} is a folder, not a file")
        with self.open() as file:
            if file.read(4) == b"PAR1":
                return True
        if self.name.lower().endswith((".parquet", ".pq")):
            raise DataUnreadable(f"{self.name} is not a Parquet file: it does not start with PAR1")
        return False


class TableData:
    """An Arrow table in memory; batches are slices of it, not copies."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        table = self.table if columns is None else self.table.select(_places(self.schema.names, columns))
        for start in range(0, self.table.num_rows, BATCH_ROWS):
            rows = min(BATCH_ROWS, self.table.num_rows - start)
            if not table.num_columns:
                yield _rows_only(rows)
                continue
            part = table.slice(start, rows).combine_chunks()
            arrays = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in part.columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=part.schema)

    def take(self, wanted: np.ndarray) -> pa.Table:
        return self.table.filter(pa.array(wanted))


class FrameData:
    """A pandas frame; only the columns that rules ask for are converted, a batch at a time."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._names = [str(name) for name in frame.columns]
        self._types: dict[int, pa.DataType] = {}

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(name, self._type(place)) for place, name in enumerate(self._names)])

    def _type(self, place: int) -> pa.DataType:
        if place not in self._types:
            self._types[place] = _arrow_type(self.frame.iloc[:, place])
        return self._types[place]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        places = range(len(self._names)) if columns is None else _places(self._names, columns)
        for start in range(0, len(self.frame), BATCH_ROWS):
            stop = min(start + BATCH_ROWS, len(self.frame))
            if not places:
                yield _rows_only(stop - start)
                continue
            arrays = [_to_arrow(self.frame.iloc[start:stop, place], self._type(place)) for place in places]
            yield pa.RecordBatch.from_arrays(arrays, names=[self._names[place] for place in places])

    def take(self, wanted: np.ndarray) -> pa.Table:
        frame = self.frame[wanted]
        arrays = [_to_arrow(frame.iloc[:, place], self._type(place)) for place in range(len(self._names))]
        return pa.Table.from_arrays(arrays, names=self._names)


class ParquetData:
    """A Parquet file, read a batch at a time."""

    def __init__(self, source: SourceFile, leave_out: Collection[str] = ()) -> None:
        self.source = source
        try:
            with pq.ParquetFile(self._content()) as file:
                whole = file.schema_arrow.remove_metadata()
                self._encoded = repeating_texts(file)
        except (pa.ArrowException, OSError) as failure:
            raise DataUnreadable(f"{source.name} is not a readable Parquet file: {failure}") from failure
        self._schema = pa.schema([field for field in whole if field.name not in leave_out])

    def _content(self) -> Path | pa.BufferReader:
        content = self.source.content
        return content if isinstance(content, Path) else pa.BufferReader(content)

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        return read_ahead(self._read(list(columns) if columns is not None else self._schema.names, ()))

    def encoded_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return read_ahead(self._read(list(columns), self._encoded))

    def _read(self, wanted: list[str], encoded: Sequence[str]) -> Generator[pa.RecordBatch, None, None]:
        with pq.ParquetFile(self._content(), pre_buffer=False, read_dictionary=encoded) as file:
            if wanted:
                yield from parquet_batches(file, wanted)
            else:
                yield from rows_only(file.metadata.num_rows)

    def take(self, wanted: np.ndarray) -> pa.Table:
        start, kept = 0, []
        for batch in self.batches():
            mask = wanted[start : start + batch.num_rows]
            start += batch.num_rows
            if mask.any():
                kept.append(batch.filter(pa.array(mask)))
        return pa.Table.from_batches(kept, schema=self.schema)


def parquet_batches(
    file: pq.ParquetFile, columns: Sequence[str], row_groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of a file, of all its row groups or of some, in batches of BATCH_ROWS."""
    # Not in several threads: it is read once, in order, beside the work on it.
    read = file.iter_batches(BATCH_ROWS, row_groups=row_groups, columns=columns, use_threads=False)
    for batch in _of_full_size(read):
        yield batch.select(columns).replace_schema_metadata(None)


def rows_only(rows: int) -> Iterator[pa.RecordBatch]:
    """Batches that have so many rows together, and nothing else."""
    for start in range(0, rows, BATCH_ROWS):
        yield _rows_only(min(BATCH_ROWS, rows - start))


def _of_full_size(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows in batches of BATCH_ROWS: those with dictionaries come cut at the end of each row group."""
    parts: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        parts.append(batch)
        rows += batch.num_rows
        if rows >= BATCH_ROWS:
            yield from _joined(parts)
            parts, rows = [], 0
    yield from _joined(parts)


def _joined(parts: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows as one batch; as several where their texts together are beyond 2 GB."""
    if len(parts) < 2:
        return parts
    joined: list[pa.RecordBatch] = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks().to_batches()
    return joined


def repeating_texts(file: pq.ParquetFile) -> list[str]:
    """The text columns of which the file has each text once, and numbers for the rows.

    A text written out takes 4 bytes for its length alone, so less than that for a value is a number for a text.
    """
    found = {field.name for field in file.schema_arrow if field.type == pa.string()}
    for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.total_uncompressed_size >= 4 * column.num_values:
                found.discard(column.path_in_schema)
    return sorted(found)


def spool(parts: Iterable[Any]) -> DataSet:
    """A stream of record batches, tables or frames as a data set that can be read again."""
    held: list[pa.RecordBatch] = []
    size = 0
    schema: pa.Schema | None = None
    writer: pq.ParquetWriter | None = None
    path: Path | None = None
    try:
        for part in parts:
            for batch in _batches_of(part, schema):
                schema = batch.schema if schema is None else schema
                if writer is not None:
                    writer.write_batch(batch)
                    continue
                held.append(batch)
                size += batch.nbytes
                if size > SPOOL_BYTES:
                    path = Path(tempfile.mkdtemp(prefix="quality-")) / "spool.parquet"
                    writer = pq.ParquetWriter(path, schema, compression="lz4")
                    for earlier in held:
                        writer.write_batch(earlier)
                    held.clear()
    except BaseException:
        if writer is not None and path is not None:
            writer.close()
            _remove_spool(path)
        raise
    if writer is not None and path is not None:
        writer.close()
        data = ParquetData(SourceFile("the spooled data", path))
        weakref.finalize(data, _remove_spool, path)
        return data
    if schema is None:
        schema = getattr(parts, "schema", None) or pa.schema([])
    return TableData(pa.Table.from_batches(held, schema=schema))


def _remove_spool(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _batches_of(part: Any, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    if isinstance(part, pa.RecordBatch):
        part = pa.Table.from_batches([part])
    elif isinstance(part, pd.DataFrame):
        part = FrameData(part).take(np.ones(len(part), dtype=bool))
    elif not isinstance(part, pa.Table):
        raise TypeError(f"a stream of batches holds a {type(part).__name__}")
    part = part.replace_schema_metadata(None)
    if schema is not None and part.schema != schema:
        try:
            part = part.select(schema.names).cast(schema)
        except (KeyError, pa.ArrowException) as failure:
            raise DataUnreadable(f"a later batch does not have the columns of the first one: {failure}") from failure
    return iter(part.to_batches())


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted names stand, each at its first place."""
    first = {name: place for place, name in reversed(list(enumerate(names)))}
    return [first[name] for name in wanted]


def _rows_only(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def _arrow_type(series: pd.Series) -> pa.DataType:
    """The type that all of a column's values share; a mixture is text."""
    if isinstance(series.dtype, pd.ArrowDtype):
        return series.dtype.pyarrow_dtype
    if series.dtype != object:
        return pa.array(series.iloc[:0], from_pandas=True).type
    match pd.api.types.infer_dtype(series, skipna=True):
        case "string":
            return pa.string()
        case "boolean":
            return pa.bool_()
        case "integer":
            return _integer_type(series)
        case "floating" | "mixed-integer-float":
            return pa.float64()
        case "date":
            return pa.date32()
        case "datetime" | "datetime64" | "decimal" | "bytes":
            try:
                return pa.array(series, from_pandas=True).type
            except pa.ArrowException:
                return pa.string()
        case _:
            return pa.string()


def _integer_type(series: pd.Series) -> pa.DataType:
    try:
        pa.array(series, pa.int64(), from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return pa.string()
    return pa.int64()


def _to_arrow(series: pd.Series, kind: pa.DataType) -> pa.Array:
    try:
        array = pa.array(series, kind, from_pandas=True)
    except (pa.ArrowException, TypeError):
        array = pa.array([None if pd.isna(value) else str(value) for value in series], pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


class Columns:
    """Finds columns by name without regard to case; an exact spelling wins."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._folded: dict[str, list[str]] = {}
        for name in schema.names:
            self._folded.setdefault(name.casefold(), []).append(name)

    def find(self, name: str) -> str:
        """The column's exact name; raises RuleNotComputable when there is none, or several."""
        found = self._folded.get(name.casefold(), [])
        if len(found) == 1:
            return found[0]
        if not found:
            raise RuleNotComputable(f'there is no column "{name}"; the data set has {_listed(self.schema.names)}')
        if found.count(name) == 1:
            return name
        raise RuleNotComputable(f'"{name}" could be any of the columns {_listed(found)}')

    def type_of(self, exact: str) -> pa.DataType:
        """The type of a column, dictionary encoding set aside."""
        kind = self.schema.field(exact).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._folded


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{harmless(name)}"' for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") if names else "no columns"


def plain(array: pa.Array) -> pa.Array:
    """The array without dictionary encoding, views or NaN: a NaN is a missing value here."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if kind in (pa.string_view(), pa.large_string()):
        array = array.cast(pa.large_string() if array.nbytes > 2**30 else pa.string())
    elif pa.types.is_null(kind):
        array = array.cast(pa.string())
    elif pa.types.is_floating(kind):
        if pa.types.is_float16(kind):
            array = array.cast(pa.float32())
        nan = pc.is_nan(array)
        if pc.any(nan).as_py():
            array = pc.if_else(nan, pa.scalar(None, array.type), array)
    return array


def as_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a pandas frame."""
    frame: pd.DataFrame = table.to_pandas()
    return frame
