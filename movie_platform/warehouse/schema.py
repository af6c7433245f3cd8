"""Tables in the warehouse as their descriptions say: made, given columns that they lack, and their types compared."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from movie_platform.errors import PlatformError
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Connection
from movie_platform.warehouse.dialect import Dialect, filled, statement


class Schema(ABC):
    """Makes an engine's tables. What differs between engines is how their catalogue names the types it holds."""

    dialect: Dialect

    @abstractmethod
    def reported_types(self, connection: Connection, columns: Sequence[Column]) -> list[str]:
        """What the engine's catalogue would say of columns as described."""

    def found_types(self, connection: Connection, table: Table) -> dict[str, str]:
        """The table's columns and their types as the catalogue has them; nothing where there is no such table."""
        rows = connection.fetch(statement("columns"), (table.schema, table.name))
        return {name: kind for name, kind, *_ in rows}

    def make_room(self, connection: Connection, table: Table, longest: dict[str, int]) -> None:  # noqa: B027
        """Widen columns whose texts would not fit, in engines where a text's length is part of its type."""

    def make(self, connection: Connection, table: Table) -> bool:
        """Make the table, or the columns that it lacks; whether anything was made."""
        d = self.dialect
        found = self.found_types(connection, table)
        if not found:
            connection.execute(filled("CREATE SCHEMA IF NOT EXISTS {schema}", schema=d.quote(table.schema)))
            connection.execute(d.create_table(table))
            return True
        described = dict(zip(table.column_names, self.reported_types(connection, table.columns), strict=True))
        other = [name for name, kind in described.items() if name in found and found[name] != kind]
        if other:
            differences = "; ".join(f"{name} is {found[name]} there and {described[name]} here" for name in other)
            raise PlatformError(
                f"{table.qualified_name} in the warehouse is not as its description says: {differences}. Change the "
                "column there, or drop the table and load it again: the lake holds all that it held."
            )
        missing = [column for column in table.columns if column.name not in found]
        for column in missing:
            # Rows from before have nothing to put there, so it is nullable whatever the description says.
            connection.execute(
                f"ALTER TABLE {d.name_of(table)} ADD COLUMN {d.quote(column.name)} {d.type_name(column)}"
            )
        return bool(missing)
