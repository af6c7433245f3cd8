"""Rows of the judged data set and their counterparts in another: searched for by SQL, over all rows or over some."""

from dataclasses import dataclass

import numpy as np

from movie_platform.quality.batches import Batch, Mask
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.measures import Measure
from movie_platform.quality.sandbox_tables import PRIMARY, SandboxTables
from movie_platform.sql_names import quoted

Pairs = tuple[tuple[str, str], ...]
"""Exact names of columns of the judged data set, each with that of the other."""


@dataclass(frozen=True)
class Found:
    """Which rows have no counterpart and which are not judged; how many keys of either side are none."""

    broken: np.ndarray
    outside: np.ndarray | None = None
    not_keys: tuple[int, ...] = (0, 0, 0, 0)
    """Here, then in the other: rows that lack a part of their key, keys that occur more than once."""


@dataclass(frozen=True)
class Counterpart:
    """What a row of the judged data set must have in another: a row with its key and, beside it, its values."""

    alias: str
    keys: Pairs
    values: Pairs = ()
    where: str | None = None
    where_columns: tuple[str, ...] = ()
    of_its_own: bool = False
    """Whether keys have to be complete and unique; where some are not, nothing is searched for."""

    @property
    def key(self) -> list[str]:
        """The columns of the key, of the judged data set."""
        return [left for left, _ in self.keys]

    @property
    def their_key(self) -> list[str]:
        """The columns of the key, of the other."""
        return [right for _, right in self.keys]

    @property
    def mine(self) -> list[str]:
        """The columns that are needed of the judged data set."""
        return list(dict.fromkeys([*(left for left, _ in (*self.keys, *self.values)), *self.where_columns]))

    @property
    def theirs(self) -> list[str]:
        """The columns that are needed of the other."""
        return list(dict.fromkeys(right for _, right in (*self.keys, *self.values)))

    def search(self, tables: SandboxTables, rows: int) -> Found:
        """The rows without a counterpart, of so many."""
        tables.load(PRIMARY, set(self.mine))
        tables.load(self.alias, set(self.theirs))
        if self.of_its_own:
            here = _not_keys(tables, PRIMARY, self.key)
            there = _not_keys(tables, self.alias, self.their_key)
            if any((*here, *there)):
                return Found(np.zeros(rows, dtype=bool), not_keys=(*here, *there))
        start = f"SELECT p.{quoted(tables.row_number)} FROM {quoted(PRIMARY)} p WHERE "  # noqa: S608
        same = [f"p.{quoted(a)} = r.{quoted(b)}" for a, b in self.keys]
        same += [f"p.{quoted(a)} IS NOT DISTINCT FROM r.{quoted(b)}" for a, b in self.values]
        there_is = f"EXISTS (SELECT 1 FROM {tables.table(self.alias)} r WHERE {' AND '.join(same)})"  # noqa: S608
        if self.where is None:
            return Found(tables.marked(f"{start} NOT {there_is}", rows))
        outside = tables.marked(f"{start} NOT {tables.predicate(self.where)}", rows)
        return Found(tables.marked(f"{start} NOT {there_is}", rows) & ~outside, outside)


class Counterparts(Measure):
    """Which rows have no counterpart: nothing is seen batch by batch, it is searched for when all rows went by."""

    def __init__(self, counterpart: Counterpart, tables: SandboxTables) -> None:
        super().__init__()
        self.counterpart = counterpart
        self._tables = tables
        self._found: Found | None = None

    def look(self, batch: Batch, within: Mask | None) -> None:
        pass

    def take(self, found: Found | RuleNotComputable) -> None:
        """Takes over what was found elsewhere."""
        if isinstance(found, RuleNotComputable):
            self._failure = found
        else:
            self._found = found

    def found(self, rows: int) -> Found:
        """What was found, once all rows were seen, so many."""
        self.done()
        if self._found is None:
            self._found = self.counterpart.search(self._tables, rows)
        return self._found


def _not_keys(tables: SandboxTables, alias: str, columns: list[str]) -> tuple[int, int]:
    """Rows that lack a part of their key, and keys that occur more than once."""
    names = ", ".join(quoted(column) for column in columns)
    missing = " OR ".join(f"{quoted(column)} IS NULL" for column in columns)
    table = tables.table(alias)
    nulls = tables.number(f"SELECT count(*) FROM {table} WHERE {missing}")  # noqa: S608
    repeated = tables.number(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {names} HAVING count(*) > 1)"  # noqa: S608
    )
    return int(nulls or 0), int(repeated or 0)
