"""Rows that an engine reads or computes, described when somebody asks for the description."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Relation:
    """Rows as an Ibis expression that is made when it is asked for.

    `name` is that of a table of the engine's, or the call that the expression comes from; `sql`, where it is known, is
    the expression as DuckDB reads it. With it an engine in process needs neither the expression nor Ibis.
    """

    def __init__(self, name: str, make: Callable[[], "ir.Table"], sql: str | None = None) -> None:
        self.name, self.sql = name, sql
        self._make = make

    @cached_property
    def table(self) -> "ir.Table":
        return self._make()


Rows = Union["ir.Table", Relation]


def expression_of(rows: Rows) -> "ir.Table":
    return rows.table if isinstance(rows, Relation) else rows
