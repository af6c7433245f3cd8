"""The little that loading asks of a database connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from movie_platform.warehouse.dialect import Dialect, Sql, filled


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
