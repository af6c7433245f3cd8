"""What runs on Spark's workers. Functions of plain values, so that they travel by name."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.engine.literal import (
    MAX_PARTS,
    NATIVE_NONE,
    NATIVE_NULL,
    LiteralUnreadable,
    native_pattern,
    read_literal,
)
from movie_platform.engine.protocol import Format
from movie_platform.lake import open_store
from movie_platform.waits import Waits

if TYPE_CHECKING:
    import pandas as pd

ROW_GROUP = 122_880


def literals_as_json(texts: "pd.Series", *, kind: pa.DataType) -> "pd.Series":
    """Python literals as JSON of the type, null where unreadable: JSON is what Spark itself turns into nested values.

    As on DuckDB, what the native pattern describes is cast by DuckDB, and everything else is read exactly.
    """
    import pandas as pd

    array = pa.array(texts, pa.string(), from_pandas=True)
    answers = _natively(array, kind)
    for position, (text, answer) in enumerate(zip(array.to_pylist(), answers, strict=True)):
        if answer is None and text is not None:
            answers[position] = _exactly(text, kind)
    return pd.Series(answers, index=texts.index, dtype=object)


def _natively(texts: pa.Array, kind: pa.DataType) -> list[str | None]:
    pattern = native_pattern(kind)
    if pattern is None:
        return [None] * len(texts)
    connection, type_ = _duckdb(), _duckdb_type(kind)
    connection.register("texts", pa.table({"n": range(len(texts)), "text": texts}))
    query = (
        "SELECT CASE WHEN length(text) <= $longest AND regexp_matches(text, $pattern) "  # noqa: S608 - the type is one of ours
        f"THEN to_json(TRY_CAST(replace(text, $none, $null) AS {type_})) END::VARCHAR FROM texts ORDER BY n"
    )
    parameters = {"longest": MAX_PARTS, "pattern": pattern, "none": NATIVE_NONE, "null": NATIVE_NULL}
    return [row[0] for row in connection.execute(query, parameters).fetchall()]


@cache
def _duckdb() -> Any:
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1})


@cache
def _duckdb_type(kind: pa.DataType) -> str:
    from ibis.backends.sql.datatypes import DuckDBType
    from ibis.formats.pyarrow import PyArrowType

    return str(DuckDBType.to_string(PyArrowType.to_ibis(kind)))


def _exactly(text: str, kind: pa.DataType) -> str | None:
    try:
        value = read_literal(text, kind)
    except LiteralUnreadable:
        return None
    return None if value is None else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, order=True)
class Part:
    """A part of a written table; parts in order of their number are the table in its order."""

    SPARK_SCHEMA: ClassVar[str] = "number int, rows bigint"

    number: int
    rows: int

    def key(self, prefix: str, kind: Format) -> str:
        return f"{prefix}{self.number:05}.{kind}"


def write_part(
    batches: Iterator[pa.RecordBatch],
    *,
    store: str,
    waits: Waits,
    prefix: str,
    kind: Format,
    schema: pa.Schema,
    number: int | None = None,
    even_if_empty: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Write one task's rows as an object of their own; a task that is run again replaces its object."""
    if number is None:
        from pyspark import TaskContext

        number = TaskContext.get().partitionId()  # type: ignore[union-attr]
    groups = _groups(batches, schema)
    first = next(groups, None)
    if first is None and not even_if_empty:
        return
    rows = 0
    with open_store(store, waits).writer(Part(number, 0).key(prefix, kind)) as out:
        writer = _WRITERS[kind](out, schema)
        while first is not None:
            writer.write(first)
            rows += first.num_rows
            first = next(groups, None)
        writer.close()
    yield pa.record_batch([pa.array([number], pa.int32()), pa.array([rows], pa.int64())], names=["number", "rows"])


def read_part(batches: Iterator[pa.RecordBatch], *, store: str, waits: Waits) -> Iterator[pa.RecordBatch]:
    """The rows of the Parquet objects whose keys come in."""
    opened = open_store(store, waits)
    for batch in batches:
        for key in batch["key"].to_pylist():
            with opened.open(key) as file:
                yield from pq.ParquetFile(file).iter_batches(16_384)


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
        if rows >= ROW_GROUP:
            yield pa.Table.from_batches(waiting).cast(schema)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).cast(schema)


class _ParquetPart:
    def __init__(self, out: Any, schema: pa.Schema) -> None:
        self._out = out
        self._buffer = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._buffer, schema, compression="snappy")

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()
        self._out.write(self._buffer.getvalue().to_pybytes())


class _TextPart:
    """Values as DuckDB writes them: nested ones as JSON."""

    def __init__(self, out: Any, schema: pa.Schema) -> None:
        self._out = out
        self._start(schema)

    def _start(self, schema: pa.Schema) -> None:
        """What stands before the first row."""

    def close(self) -> None:
        """Nothing stands behind the last row."""


class _CsvPart(_TextPart):
    def _start(self, schema: pa.Schema) -> None:
        self._nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        self._line([[field.name for field in schema]])

    def _line(self, rows: Any) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._out.write(text.getvalue().encode())

    def write(self, rows: pa.Table) -> None:
        for row in rows.to_pylist():
            for name in self._nested:
                row[name] = None if row[name] is None else _json(row[name])
            self._line([[_plain(value) for value in row.values()]])


class _JsonPart(_TextPart):
    def write(self, rows: pa.Table) -> None:
        self._out.write("".join(_json(row) + "\n" for row in rows.to_pylist()).encode())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _plain(value: Any) -> Any:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


_WRITERS: dict[str, Any] = {"parquet": _ParquetPart, "csv": _CsvPart, "json": _JsonPart}
