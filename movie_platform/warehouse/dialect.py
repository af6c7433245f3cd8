"""What differs between engines, as data, and SQL made from it: quoted names, literals, DDL and statements."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NewType

from movie_platform.sql_names import quoted
from movie_platform.table import Column, Table

Sql = NewType("Sql", str)
"""A piece of SQL that is safe to put into a statement: a quoted name, a literal, or made of such."""


@dataclass(frozen=True)
class Dialect:
    """An engine's ways. `name` is sqlglot's name for its SQL."""

    name: str
    type_name: Callable[[Column], str]
    max_identifier_bytes: int
    upper_case: bool = False
    """Whether names are kept in capitals, so that people need not quote them in their own SQL."""
    table_options: Callable[["Dialect", Table], str] = lambda _dialect, _table: ""
    staged_type_name: Callable[[Column], str] | None = None
    """A column's type in the temporary table that Parquet goes into, where it is not the column's own."""
    transactional_ddl: bool = True
    """Whether tables made in a transaction come and go with it."""
    materialized_views: bool = False
    view_options: str = ""
    upsert: Literal["delete_and_insert", "merge"] = "delete_and_insert"

    def quote(self, name: str) -> Sql:
        if not name or "\0" in name:
            raise ValueError(f"{name!r} cannot name anything in {self.name}")
        if len(name.encode()) > self.max_identifier_bytes:
            raise ValueError(f"{name!r} is longer than the {self.max_identifier_bytes} bytes that {self.name} allows")
        cased = name.upper() if self.upper_case else name
        return Sql(quoted(cased))

    def quoted(self, names: Iterable[str], of: str = "") -> Sql:
        """Several columns, of a table's alias where one is given."""
        prefix = f"{of}." if of else ""
        return Sql(", ".join(prefix + self.quote(name) for name in names))

    def name_of(self, table: Table) -> Sql:
        return Sql(f"{self.quote(table.schema)}.{self.quote(table.name)}")

    def same(self, names: Iterable[str], left: str, right: str) -> Sql:
        """Equality of key columns, which hold no nulls; true for a key of no columns."""
        pairs = [f"{left}.{self.quote(name)} = {right}.{self.quote(name)}" for name in names]
        return Sql(" AND ".join(pairs) or "1 = 1")

    def columns_ddl(self, columns: Iterable[Column], *, staged: bool = False) -> Sql:
        type_name = (staged and self.staged_type_name) or self.type_name
        return Sql(
            ", ".join(f"{self.quote(c.name)} {type_name(c)}{'' if c.nullable else ' NOT NULL'}" for c in columns)
        )

    def create_table(self, table: Table) -> str:
        options = self.table_options(self, table)
        ddl = f"CREATE TABLE IF NOT EXISTS {self.name_of(table)} ({self.columns_ddl(table.columns)})"
        return f"{ddl} {options}" if options else ddl


def literal(text: str) -> Sql:
    """A text as it stands in SQL, for places where engines take no parameter. For paths and names of ours only."""
    if "\0" in text or "\\" in text:
        raise ValueError(f"{text!r} cannot be written into SQL")
    return Sql("'" + text.replace("'", "''") + "'")


@cache
def _template(name: str) -> str:
    text = files("movie_platform.warehouse").joinpath("sql", f"{name}.sql").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip().rstrip(";")


def filled(template: str, **parts: Sql) -> str:
    """A statement of one line, its names filled in."""
    return template.format(**parts)


def statement(name: str, **parts: Sql) -> str:
    """A statement of `sql/`, its names filled in."""
    return filled(_template(name), **parts)
