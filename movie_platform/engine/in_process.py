"""DuckDB in this process: multi-threaded, larger than memory, nothing to install or start."""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.sql.datatypes import DuckDBType
from ibis.formats.pyarrow import PyArrowType

from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.csv_files.records import RereadableRecords
from movie_platform.engine.literal import MAX_PARTS, NATIVE_NONE, NATIVE_NULL, native_pattern, read_literals
from movie_platform.engine.protocol import Format
from movie_platform.sql_names import quoted
from movie_platform.waits import Waits

ROW_GROUP = 122_880


class DuckDBEngine:
    """Bulk transforms in process. What DuckDB holds stays below `memory`; the rest of it goes to a temporary folder."""

    name = "duckdb"

    def __init__(
        self, *, memory: str = "500MB", threads: int | None = None, work: Path | None = None, waits: Waits | None = None
    ) -> None:
        self.waits = waits or Waits()
        self._work = tempfile.TemporaryDirectory(prefix="movie-platform-engine-", dir=work)
        self._ibis = ibis.duckdb.connect(":memory:", memory_limit=memory, temp_directory=self._work.name)
        if threads:
            self._ibis.con.execute(f"SET threads = {int(threads)}")
        self._sources: dict[str, RereadableRecords] = {}
        self._names = (f"source_{number}" for number in itertools.count(1))
        self._functions = (f"function_{number}" for number in itertools.count(1))

    def records(self, file: CsvFile, columns: Sequence[RecordColumn]) -> ir.Table:
        name = next(self._names)
        self._sources[name] = RereadableRecords(file, columns)
        self._ibis.con.register(name, self._sources[name])
        return self._ibis.table(name)

    def record_count(self, records: ir.Table) -> int:
        return self._sources[records.get_name()].count()

    def literal(self, text: ir.StringValue, kind: pa.DataType) -> ir.Value:
        exact = self._function(lambda texts: read_literals((text.as_py() for text in texts), kind), kind)(text)
        pattern = native_pattern(kind)
        if pattern is None:
            return exact
        native = text.replace(NATIVE_NONE, NATIVE_NULL).try_cast(PyArrowType.to_ibis(kind))
        return ibis.cases(((text.length() <= MAX_PARTS) & text.re_search(pattern), native), else_=exact)

    def parquet(self, paths: Sequence[Path]) -> ir.Table:
        return self._ibis.read_parquet([str(path) for path in paths])

    def numbers(self, function: Callable[[Sequence[str]], Sequence[int]], text: ir.StringValue) -> ir.IntegerValue:
        def answer(texts: pa.ChunkedArray) -> pa.Array:
            return pa.array(function(texts.to_pylist()), pa.int64())

        return self._function(answer, pa.int64())(text)

    def stage(self, name: str, table: ir.Table) -> ir.Table:
        with self._reading():
            self._ibis.con.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {self._query(table)}")
        return self._ibis.table(name)

    def to_arrow(self, table: ir.Table) -> pa.Table:
        with self._reading():
            return self._ibis.to_pyarrow(table)

    def write(self, table: ir.Table, path: Path, kind: Format, schema: pa.Schema) -> int:
        types = {field.name: PyArrowType.to_ibis(field.type) for field in schema}
        shaped = table.select(*types)
        if kind == "csv":
            shaped = shaped.mutate(**{name: shaped[name].cast(dt.json) for name in types if types[name].is_nested()})
            types = {name: dt.json if type_.is_nested() else type_ for name, type_ in types.items()}
        # DuckDB's types are not always those that Ibis takes them for: a year is 64 bits wide.
        columns = ", ".join(_cast(name, type_) for name, type_ in types.items())
        query = f"FROM ({self._query(shaped)}) SELECT {columns}"
        copy = f"COPY ({query}) TO {_text(path)} ({_COPY_OPTIONS[kind]})"
        with self._reading():
            return int(self._ibis.con.execute(copy).fetchall()[0][0])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What a source refuses reaches DuckDB as text: raise the error itself."""
        try:
            yield
        except duckdb.Error:
            for source in self._sources.values():
                if source.error is not None:
                    raise source.error from None
            raise

    def _query(self, table: ir.Table) -> str:
        return str(self._ibis.compile(table))

    def _function(self, function: Callable[[pa.ChunkedArray], pa.Array], kind: pa.DataType) -> Callable[..., Any]:
        """A function of a column of text, registered in DuckDB: Ibis registers its own only when it runs something."""
        name, type_ = next(self._functions), PyArrowType.to_ibis(kind)
        self._ibis.con.create_function(
            name, function, ["VARCHAR"], DuckDBType.to_string(type_), type="arrow", null_handling="special"
        )
        registered: Callable[..., Any] = ibis.udf.scalar.builtin(
            lambda _: None, name=name, signature=((dt.string,), type_)
        )
        return registered

    def close(self) -> None:
        self._ibis.disconnect()
        self._work.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_COPY_OPTIONS = {
    "parquet": f"FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROW_GROUP}",
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json",
}


def _cast(name: str, kind: dt.DataType) -> str:
    return f"CAST({quoted(name)} AS {DuckDBType.to_string(kind)}) AS {quoted(name)}"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
