"""The judged data set and its references as tables of the sandbox, loaded when the first rule asks for them."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from movie_platform.quality.data import Columns, DataSet, Judgeable, as_frame
from movie_platform.quality.errors import DataUnreadable, RuleNotComputable
from movie_platform.quality.opening import open_data
from movie_platform.quality.sandbox import Sandbox
from movie_platform.sql_names import quoted

PRIMARY = "primary"


class SandboxTables:
    """Data sets by name, with the queries that rules run over them."""

    def __init__(self, data: DataSet, references: Mapping[str, Judgeable], sandbox: Callable[[], Sandbox]) -> None:
        self.data = data
        self.row_number = f"row_{uuid.uuid4().hex}"
        """The column that numbers the rows of the judged data set; no delivery can have it, and no query know it."""
        self._references = {name.casefold(): (name, source) for name, source in references.items()}
        self._opened: dict[str, DataSet] = {}
        self._sandbox = sandbox
        self._columns_of: dict[str, set[str]] = {}
        self._generation = 0

    def scalar(self, sql: str) -> float:
        """The one number that a query gives."""
        from movie_platform.quality.sql_text import translated

        statement = translated(sql, self._known())
        self._load_for(sql)
        result = self._sandbox().select(f"SELECT * FROM ({statement}) LIMIT 2")  # noqa: S608
        if result.num_rows != 1 or result.num_columns != 1:
            rows = {0: "no row", 1: "1 row"}.get(result.num_rows, "several rows")
            columns = "1 column" if result.num_columns == 1 else f"{result.num_columns} columns"
            raise RuleNotComputable(
                f"a CustomSql with a condition gives one number; this one gives {rows} of {columns}"
            )
        value = result.column(0)[0].as_py()
        if value is None:
            raise RuleNotComputable("the query gives NULL, which cannot be compared")
        try:
            return float(value)
        except (TypeError, ValueError) as failure:
            raise RuleNotComputable(f"the query gives {value!r}, which is not a number") from failure

    def passing(self, sql: str) -> str:
        """A query that returns rows of the data set, as one that returns their numbers; refused where it cannot be."""
        from movie_platform.quality.sql_text import passing_rows

        return passing_rows(sql, self._known(), self.data.schema.names, self.row_number)

    def rows(self, sql: str, count: int) -> np.ndarray:
        """Which rows of the data set a query returns."""
        statement = self.passing(sql)
        self._load_for(sql)
        return self.marked(statement, count)

    def marked(self, statement: str, count: int) -> np.ndarray:
        """Which rows have the numbers that a statement gives."""
        found = self._sandbox().select(statement, most_bytes=16 * count + 2**20).column(0).to_numpy()
        mask = np.zeros(count, dtype=bool)
        mask[found[~pd.isna(found)].astype(np.int64)] = True
        return mask

    def number(self, statement: str) -> float | None:
        """The one value that a statement of this package gives."""
        value = self._sandbox().select(statement).column(0)[0].as_py()
        return None if value is None else float(value)

    def predicate(self, where: str) -> str:
        """A `where` as a condition on rows of the data set, whose columns have to be loaded."""
        from movie_platform.quality.sql_text import Predicate

        return Predicate(where).condition(self._named(where))

    def columns_of(self, where: str) -> list[str]:
        """The exact names of the columns that a `where` mentions."""
        return list(self._named(where).values())

    def _named(self, where: str) -> dict[str, str]:
        from movie_platform.quality.sql_text import Predicate

        columns = Columns(self.data.schema)
        return {name: columns.find(name) for name in Predicate(where).columns}

    def frame(self, columns: Sequence[str] | None) -> pd.DataFrame:
        """The data set, or some of its columns, as a frame."""
        batches = list(self.data.batches(columns))
        schema = self.data.schema if columns is None else pa.schema([self.data.schema.field(c) for c in columns])
        return as_frame(pa.Table.from_batches(batches, schema=schema))

    def side(self, alias: str) -> DataSet:
        """The data set of this name; raises RuleNotComputable when there is none."""
        key = alias.casefold()
        if key == PRIMARY:
            return self.data
        if key not in self._opened:
            if key not in self._references:
                known = ", ".join(name for name, _ in self._references.values()) or "none was given"
                raise RuleNotComputable(f'there is no data set "{alias}" to compare with ({known})')
            try:
                self._opened[key] = open_data(self._references[key][1])
            except DataUnreadable as failure:
                raise RuleNotComputable(f'the data set "{alias}" cannot be read: {failure}') from failure
        return self._opened[key]

    def table(self, alias: str) -> str:
        """The quoted name of a data set's table."""
        key = alias.casefold()
        return quoted(PRIMARY if key == PRIMARY else self._references[key][0])

    def load(self, alias: str, columns: set[str]) -> None:
        """Makes columns of a data set readable in the sandbox, rows of the judged one with their numbers."""
        sandbox = self._sandbox()
        if sandbox.generation != self._generation:
            self._columns_of.clear()
            self._generation = sandbox.generation
        key = alias.casefold()
        source = self.side(alias)
        have = self._columns_of.get(key)
        if have is not None and columns <= have:
            return
        wanted = [column for column in source.schema.names if column in columns | (have or set())]
        times = Counter(map(str.casefold, wanted))
        if twice := [column for column, count in times.items() if count > 1]:
            raise RuleNotComputable(f'"{alias}" has several columns "{twice[0]}" that differ in case only; SQL has one')
        name = PRIMARY if key == PRIMARY else self._references[key][0]
        numbered = self.row_number if key == PRIMARY else None
        schema, batches = _numbered(source, wanted, numbered)
        sandbox.load(name, schema, batches)
        self._columns_of[key] = set(wanted)

    def _known(self) -> set[str]:
        return {PRIMARY, *self._references}

    def _load_for(self, sql: str) -> None:
        """Loads what a query mentions; every known data set can be mentioned."""
        from movie_platform.quality.sql_text import columns_in

        mentioned = columns_in(sql)
        for name in sorted(self._known()):
            if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE):
                continue
            schema = self.side(name).schema
            self.load(name, {c for c in schema.names if mentioned is None or c.casefold() in mentioned})


def _numbered(
    source: DataSet, columns: Sequence[str], row_number: str | None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Columns of a data set and the number of each row; a table without columns has its numbers all the same."""
    fields = [source.schema.field(column) for column in columns]
    schema = pa.schema([*fields, pa.field(row_number or f"row_{uuid.uuid4().hex}", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        row = 0
        for batch in source.batches(columns):
            numbers = pa.array(np.arange(row, row + batch.num_rows))
            row += batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)

    return schema, batches()
