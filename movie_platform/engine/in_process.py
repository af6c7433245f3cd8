"""DuckDB in this process: multi-threaded, larger than memory, nothing to install or start."""

import itertools
import tempfile
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from movie_platform.arrays import array_of
from movie_platform.csv_files.columns import CsvFile, RecordColumn, record_schema
from movie_platform.csv_files.records import RereadableRecords
from movie_platform.engine.literal import MAX_PARTS, NATIVE_NONE, NATIVE_NULL, native_pattern, read_literals
from movie_platform.engine.processes import Processes
from movie_platform.engine.protocol import Format, LiteralReader
from movie_platform.engine.relation import Relation, Rows, expression_of
from movie_platform.sql_names import quoted
from movie_platform.waits import Waits

if TYPE_CHECKING:
    import ibis.expr.types as ir

ROW_GROUP = 122_880
_SUM_OF_INTEGERS = pa.decimal128(38)
"""DuckDB adds whole numbers up in 128 bits."""
_AT_ONCE = 2
"""Steps at a time: each has phases that use one core only. More would share the same memory."""


class DuckDBEngine:
    """Bulk transforms in process. What DuckDB holds stays below `memory`; the rest of it goes to a temporary folder.

    Several threads may use it; each has a connection of its own to the same tables.
    """

    name = "duckdb"

    def __init__(
        self, *, memory: str = "500MB", threads: int | None = None, work: Path | None = None, waits: Waits | None = None
    ) -> None:
        self.waits = waits or Waits()
        self._work = tempfile.TemporaryDirectory(prefix="movie-platform-engine-", dir=work)
        limits: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": self._work.name,
        }
        self._database = duckdb.connect(config=limits | ({"threads": threads} if threads else {}))
        self._of_thread = threading.local()
        self._connections: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._sources: dict[str, RereadableRecords] = {}
        self._functions: set[str] = set()
        self._processes = Processes(threads)
        self._adding = threading.Lock()
        self._numbered = (f"numbers_{number}" for number in itertools.count(1))

    def records(self, name: str, file: CsvFile, columns: Sequence[RecordColumn]) -> Relation:
        self._sources[name] = RereadableRecords(file, columns)
        return _table(name, lambda: record_schema(columns))

    def record_count(self, records: Relation) -> int:
        return self._sources[records.name].count()

    def literal(self, kind: pa.DataType) -> LiteralReader:
        name = f"read_literals_{zlib.crc32(str(kind).encode()):08x}"
        self._add_function(name, lambda texts: read_literals((text.as_py() for text in texts), kind), kind)
        pattern = native_pattern(kind)

        def read(text: "ir.StringValue") -> "ir.Value":
            import ibis
            from ibis.formats.pyarrow import PyArrowType

            exact: ir.Value = _function(name, kind)(text)
            if pattern is None:
                return exact
            native = text.replace(NATIVE_NONE, NATIVE_NULL).try_cast(PyArrowType.to_ibis(kind))
            return ibis.cases(((text.length() <= MAX_PARTS) & text.re_search(pattern), native), else_=exact)

        return read

    def parquet(self, name: str, paths: Sequence[Path]) -> Relation:
        import pyarrow.parquet as pq

        files = ", ".join(map(_text, paths))
        self._connection.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS FROM read_parquet([{files}])")
        return _table(name, lambda: pq.read_schema(paths[0]))

    def numbers(self, function: Callable[[Sequence[str]], Sequence[int]], text: "ir.StringValue") -> "ir.IntegerValue":
        def answer(texts: pa.ChunkedArray) -> pa.Array:
            return array_of(self._processes.answers(function, texts.to_pylist()), pa.int64())

        name = next(self._numbered)
        self._add_function(name, answer, pa.int64())
        asked: ir.IntegerValue = _function(name, pa.int64())(text)
        return asked

    def stage(self, name: str, rows: Rows) -> Relation:
        with self._reading():
            self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS {_sql(rows)}")
        return _table(name, lambda: expression_of(rows).schema())

    def to_arrow(self, rows: Rows) -> pa.Table:
        with self._reading():
            found: pa.Table = self._connection.sql(_sql(rows)).to_arrow_table()
        types = [pa.int64() if field.type == _SUM_OF_INTEGERS else field.type for field in found.schema]
        return found.cast(pa.schema(zip(found.column_names, types, strict=True)))

    def write(self, rows: Rows, path: Path, kind: Format, schema: pa.Schema) -> int:
        types = self._connection.from_arrow(pa.Table.from_batches([], schema)).types
        # Whatever the query computes, a column has the type of the schema: a year is 64 bits wide in DuckDB.
        columns = ", ".join(
            f"CAST({quoted(field.name)} AS {'JSON' if kind == 'csv' and pa.types.is_nested(field.type) else type_}) "
            f"AS {quoted(field.name)}"
            for field, type_ in zip(schema, types, strict=True)
        )
        copy = f"COPY (FROM ({_sql(rows)}) SELECT {columns}) TO {_text(path)} ({_COPY_OPTIONS[kind]})"
        with self._reading():
            ((count,),) = self._connection.execute(copy).fetchall()
        return int(count)

    def side_by_side(self, steps: Sequence[Callable[[], None]]) -> Iterator[None]:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="engine") as pool:
            under_way = [pool.submit(step) for step in steps]
            try:
                for step in under_way:
                    yield step.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                while not all(step.done() for step in under_way):
                    # Again and again: a step that is between two queries has none to interrupt.
                    with self._adding:
                        for connection in self._connections:
                            connection.interrupt()
                    time.sleep(0.05)
                raise

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's, with all sources: what is registered is a connection's own."""
        of_thread = self._of_thread
        if not hasattr(of_thread, "connection"):
            of_thread.connection, of_thread.registered = self._database.cursor(), {}
            with self._adding:
                self._connections.add(of_thread.connection)
        for name, source in list(self._sources.items()):
            if of_thread.registered.get(name) is not source:
                of_thread.connection.register(name, source)
                of_thread.registered[name] = source
        connection: duckdb.DuckDBPyConnection = of_thread.connection
        return connection

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

    def _add_function(self, name: str, function: Callable[[pa.ChunkedArray], pa.Array], kind: pa.DataType) -> None:
        """A function of a column of text, which all connections have from now on. It is the first one's: a function
        lives as long as the connection that made it, and a call after that ends the process."""
        with self._adding:
            if name not in self._functions:
                (type_,) = self._database.from_arrow(pa.Table.from_batches([], pa.schema([("answer", kind)]))).types
                self._database.create_function(
                    name,
                    function,
                    ["VARCHAR"],
                    type_,
                    type=PythonUDFType.ARROW,
                    null_handling=FunctionNullHandling.SPECIAL,
                )
                self._functions.add(name)

    def close(self) -> None:
        self._processes.close()
        for connection in [*self._connections, self._database]:
            connection.close()
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


def _table(name: str, schema: Callable[[], Any]) -> Relation:
    """A table of the engine's; its schema, Arrow's or Ibis', is asked for when an expression needs it."""

    def make() -> "ir.Table":
        import ibis

        return ibis.table(ibis.schema(schema()), name=name)

    return Relation(name, make, f"FROM {quoted(name)}")


def _sql(rows: Rows) -> str:
    if isinstance(rows, Relation) and rows.sql is not None:
        return rows.sql
    return sql_of(expression_of(rows))


def sql_of(expression: "ir.Table") -> str:
    """The expression as DuckDB reads it."""
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))


def _function(name: str, kind: pa.DataType) -> Callable[..., Any]:
    """Ibis takes the function for one of DuckDB's own: it registers those that it knows when it runs something."""
    import ibis
    import ibis.expr.datatypes as dt
    from ibis.formats.pyarrow import PyArrowType

    signature = ((dt.string,), PyArrowType.to_ibis(kind))
    declared: Callable[..., Any] = ibis.udf.scalar.builtin(lambda _: None, name=name, signature=signature)
    return declared


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
