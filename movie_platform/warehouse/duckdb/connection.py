"""A connection to the file, for one load or question."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from movie_platform.errors import WorldUnavailable
from movie_platform.warehouse.dialect import Sql, statement
from movie_platform.warehouse.duckdb.lock import Deadline

_ROWS = "rows_to_insert"


class DuckDBConnection:
    def __init__(self, inner: duckdb.DuckDBPyConnection) -> None:
        self.inner = inner

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self.inner.execute(sql, list(parameters))

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple]:
        return self.inner.execute(sql, list(parameters)).fetchall()

    def fetch_arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        return self.inner.sql(sql, params=list(parameters)).to_arrow_table()

    def insert(self, into: Sql, rows: pa.Table) -> None:
        self.inner.register(_ROWS, rows)
        try:
            self.inner.execute(statement("duckdb_insert", target=into, rows=Sql(_ROWS)))
        finally:
            self.inner.unregister(_ROWS)

    def begin(self) -> None:
        self.inner.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        self.inner.execute("COMMIT")

    def rollback(self) -> None:
        # An error in a statement may have ended the transaction already.
        with suppress(duckdb.TransactionException):
            self.inner.execute("ROLLBACK")


@contextmanager
def connected(path: Path, purpose: str, deadline: Deadline) -> Iterator[DuckDBConnection]:
    """The file, opened for one purpose and closed after it, so that others get their turn."""
    inner = _open(path, purpose, deadline)
    try:
        yield DuckDBConnection(inner)
    finally:
        inner.close()


def _open(path: Path, purpose: str, deadline: Deadline) -> duckdb.DuckDBPyConnection:
    """The file may be held by a program that knows nothing of our lock: wait for it as well, and name it."""
    attempts = deadline.pauses()
    while True:
        try:
            return duckdb.connect(str(path), config={"TimeZone": "UTC", "autoinstall_known_extensions": False})
        except duckdb.IOException as error:
            holder = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", str(error))
            if holder is None and "lock" not in str(error):
                raise WorldUnavailable(f"{path} could not be opened: {error}") from None
            if next(attempts, StopIteration) is StopIteration:
                who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
                raise WorldUnavailable(
                    f"{path} is held open by {who}, still after {deadline.wait.total_seconds():g} s of waiting for "
                    f"{purpose}. Close it there, or give that program the published read-only copy."
                ) from None
