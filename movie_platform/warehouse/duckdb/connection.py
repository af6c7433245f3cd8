"""A connection to the file, for one load or question."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from movie_platform.disks import NEXT, problem_of_duckdb
from movie_platform.errors import WarehouseDamaged, WorldUnavailable
from movie_platform.warehouse.dialect import Sql, filled
from movie_platform.warehouse.duckdb.lock import Deadline
from movie_platform.warehouse.duckdb.published import published_path

_ROWS = "rows_to_insert"


class DuckDBConnection:
    def __init__(self, inner: duckdb.DuckDBPyConnection) -> None:
        self.inner = inner

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self.inner.execute(sql, list(parameters))

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self.inner.execute(sql, list(parameters)).fetchall()

    def fetch_arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        return self.inner.sql(sql, params=list(parameters)).to_arrow_table()

    def insert(self, into: Sql, rows: pa.Table) -> None:
        self.inner.register(_ROWS, rows)
        try:
            self.inner.execute(filled("INSERT INTO {target} SELECT * FROM {rows}", target=into, rows=Sql(_ROWS)))
        finally:
            self.inner.unregister(_ROWS)

    def begin(self) -> None:
        self.inner.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        self.inner.execute("COMMIT")

    def rollback(self) -> None:
        # An error in a statement may have ended the transaction already, or the whole connection.
        with suppress(duckdb.TransactionException, duckdb.FatalException):
            self.inner.execute("ROLLBACK")


@contextmanager
def connected(path: Path, purpose: str, deadline: Deadline) -> Iterator[DuckDBConnection]:
    """The file, opened for one purpose and closed after it, so that others get their turn.

    `WarehouseDamaged` if the file turns out to be damaged, when it is opened or while it is read; `WorldUnavailable`
    if its disk, or that of its temporary files, takes nothing more.
    """
    with faults_named(path, purpose):
        inner = _open(path, purpose, deadline)
        try:
            yield DuckDBConnection(inner)
        finally:
            inner.close()


@contextmanager
def faults_named(path: Path, purpose: str) -> Iterator[None]:
    """Turn an error of DuckDB into one of ours where it says that the file at `path` is damaged, or that a disk takes
    nothing more."""
    try:
        yield
    except duckdb.Error as error:
        file, problem = problem_of_duckdb(error)
        if problem:
            raise WorldUnavailable(
                f"{purpose}: {file} could not be written: {problem}. Nothing of it is committed. {NEXT}"
            ) from error
        if not _says_damaged(error, path):
            raise
        copy = published_path(path)
        there = f", such as {copy}" if copy.exists() else ""
        raise WarehouseDamaged(
            f"{path} is damaged: {str(error).splitlines()[0]}. Restore it from a copy{there}, or run "
            "`movie-platform warehouse rebuild`, which makes it anew from the lake."
        ) from error


def _says_damaged(error: duckdb.Error, path: Path) -> bool:
    """Whether DuckDB found the file, or its log, to hold something else than it wrote.

    It has no error class for that. Only the beginning of its text counts: what follows may quote data.
    """
    if isinstance(error, duckdb.FatalException):
        return "Corrupt " in str(error)
    file = f'"{re.escape(str(path))}(\\.wal)?"'
    signs = (
        "Corrupt database file",
        "Corrupt WAL file",
        f"Failure while replaying WAL file {file}",
        f"The file {file} exists, but it is not a valid DuckDB database file",
        f"Could not read enough bytes from file {file}",
    )
    return re.match(rf"([\w ]+ Error: )?({'|'.join(signs)})", str(error)) is not None


def _make(path: Path) -> None:
    """An empty file, at once: one whose making ended half-way, for want of room, would count as damaged."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        duckdb.connect(str(new)).close()
        with suppress(FileExistsError):  # another process was faster
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def _open(path: Path, purpose: str, deadline: Deadline) -> duckdb.DuckDBPyConnection:
    """The file may be held by a program that knows nothing of our lock: wait for it as well, and name it."""
    attempts = deadline.pauses()
    while True:
        try:
            if not path.exists():
                _make(path)
            return duckdb.connect(str(path), config={"TimeZone": "UTC", "autoinstall_known_extensions": False})
        except duckdb.IOException as error:
            if _says_damaged(error, path) or problem_of_duckdb(error)[1]:
                raise
            if not str(error).startswith("IO Error: Could not set lock on file"):
                raise WorldUnavailable(
                    f"{path} could not be opened: {error}. Check the address in MOVIE_PLATFORM_WAREHOUSE, the disk and "
                    "the permissions."
                ) from error
            holder = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", str(error))
            if next(attempts, StopIteration) is StopIteration:
                who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
                raise WorldUnavailable(
                    f"{path} is held open by {who}, still after {deadline.wait.total_seconds():g} s of waiting for "
                    f"{purpose}. Close it there, or give that program the published read-only copy."
                ) from None
