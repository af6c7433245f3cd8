"""The little that loading asks of a database connection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from movie_platform.errors import WorldUnavailable
from movie_platform.waits import ended_within
from movie_platform.warehouse.dialect import Dialect, Sql, filled

T = TypeVar("T")
NEXT = (
    "What was not committed is loaded by the next try, or within the hour. Check the network, or run "
    "`movie-platform doctor`."
)


class TransactionConflict(Exception):
    """Another transaction came first; this one may be tried again from its beginning."""


class Connection(Protocol):
    """Statements take `?` for a parameter. Outside begin and commit each statement stands for itself."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None: ...

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...

    def fetch_arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table: ...

    def insert(self, into: Sql, rows: pa.Table) -> None:
        """Put a few thousand rows in, by position of their columns."""
        ...

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


@dataclass
class Bound:
    """How long each answer of a warehouse that is reached over the network may take in all.

    A connection whose answer did not come is given up for good: nothing is asked of it any more, also no rollback,
    which the warehouse does by itself when the connection is gone.
    """

    what: str
    """The warehouse, and what its connection is for."""
    seconds: float
    settings: str
    """Which the seconds come from."""
    is_given_up: bool = False

    def run(self, work: Callable[[], T]) -> T:
        over = False

        def noted() -> T:
            nonlocal over
            try:
                return work()
            finally:
                over = True

        try:
            return ended_within(
                self.seconds,
                noted,
                f"{self.what}: no whole answer came within {self.seconds:g} s ({self.settings}). {NEXT}",
            )
        finally:
            self.is_given_up = self.is_given_up or not over

    def broke(self, why: str) -> WorldUnavailable:
        self.is_given_up = True
        return WorldUnavailable(f"{self.what}: the connection broke: {why.rstrip('.')}. {NEXT}")


@dataclass(frozen=True)
class Session:
    """A connection, and the dialect in which to speak to it."""

    connection: Connection
    dialect: Dialect

    def count(self, relation: Sql) -> int:
        return int(self.connection.fetch(filled("SELECT count(*) FROM {relation}", relation=relation))[0][0])


def insert_values(connection: Connection, into: Sql, rows: pa.Table, most_parameters: int) -> None:
    """Put rows in as values, as many in a statement as the engine takes parameters."""
    step = max(1, most_parameters // rows.num_columns)
    one = f"({', '.join('?' * rows.num_columns)})"
    for start in range(0, rows.num_rows, step):
        part = rows.slice(start, step).to_pylist()
        values = Sql(", ".join([one] * len(part)))
        parameters = [value for row in part for value in row.values()]
        connection.execute(filled("INSERT INTO {target} VALUES {values}", target=into, values=values), parameters)
