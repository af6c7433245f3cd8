"""One description per table; every form of it that the platform needs comes from here.

A pipeline describes its tables in its `tables.py`. Arrow and Pandera schemas are made here, DDL in `warehouse/`
(an engine's types are its own data) and the UI's column schema in `orchestration/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandera.pandas as pandera


@dataclass(frozen=True)
class ValueCheck:
    """One of Pandera's built-in checks, by what Pandera calls it: a description of a table imports no Pandera."""

    name: str
    builtin: str
    arguments: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.builtin}({', '.join(map(str, self.arguments))})"

    def allows_between(self, smallest: float, largest: float) -> bool:
        """Whether the check is known to pass for every value from the smallest to the largest."""
        bounds = (*self.arguments, largest) if self.builtin == "greater_than_or_equal_to" else self.arguments
        if self.builtin not in {"in_range", "greater_than_or_equal_to"} or len(bounds) != 2:
            return False
        return bounds[0] <= smallest <= largest <= bounds[1]

    @cached_property
    def pandera(self) -> "pandera.Check":
        from movie_platform.pandera_alone import pandera

        check: pandera.Check = getattr(pandera.Check, self.builtin)(*self.arguments, name=self.name)
        return check


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type says what it holds, `checks` what a value must satisfy."""

    name: str
    type: pa.DataType
    description: str = ""
    nullable: bool = True
    checks: tuple[ValueCheck, ...] = ()
    max_bytes: int | None = None
    """Text longer than this does not fit the warehouse column; None means as long as the engine allows."""


@dataclass(frozen=True)
class Table:
    """A table of the lake and the warehouse.

    `key` names the columns that identify a row, `partition` the column that a load replaces by, `sort` and
    `distribution` how a columnar warehouse lays it out (a column's name, "all" or "even").
    """

    name: str
    columns: tuple[Column, ...]
    description: str = ""
    schema: str = "main"
    key: tuple[str, ...] = ()
    partition: str | None = None
    sort: tuple[str, ...] = ()
    distribution: str = "even"
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({column.name: column for column in self.columns})
        if len(self._by_name) != len(self.columns):
            raise ValueError(f"table {self.name} names a column twice")
        for name in (*self.key, *self.sort, *([self.partition] if self.partition else [])):
            if name not in self._by_name:
                raise ValueError(f"table {self.name} has no column {name!r} for its key, partition or sort order")

    def __getitem__(self, column: str) -> Column:
        return self._by_name[column]

    def __hash__(self) -> int:
        return hash((self.schema, self.name, self.column_names))

    @property
    def qualified_name(self) -> str:
        """`schema.name`, the way people and the ledger call the table."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def unchanged(self) -> dict[str, tuple[str, ...]]:
        """Each column made of that of the same name: how a table is made that only holds other rows."""
        return {name: (name,) for name in self.column_names}

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @cached_property
    def pandera_schema(self) -> "pandera.DataFrameSchema":
        """A schema for frames with Arrow-backed columns (`arrow.to_pandas(types_mapper=pandas.ArrowDtype)`)."""
        import pandas as pd

        from movie_platform.pandera_alone import pandera

        return pandera.DataFrameSchema(
            {
                c.name: pandera.Column(
                    pd.ArrowDtype(c.type), checks=[check.pandera for check in c.checks], nullable=c.nullable
                )
                for c in self.columns
            },
            strict=True,
            ordered=True,
            name=self.name,
        )

    def derive(
        self, name: str, *, first: Sequence[Column] = (), last: Sequence[Column] = (), **changes: object
    ) -> "Table":
        """The same columns under another name, with columns added before or after."""
        columns = (*first, *self.columns, *last)
        return replace(self, name=name, columns=columns, **changes)  # type: ignore[arg-type]
