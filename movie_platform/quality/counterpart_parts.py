"""Counterparts that are searched for in parts: rows of both data sets meet in buckets, and each is searched by itself.

Equal keys have equal hashes, where both sides have the same types, and meet in the bucket that the hash is of. Where
the other data set is small it goes to every bucket, so that the rows of a frequent key need not be in one.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.quality.batches import as_mask, kind_of
from movie_platform.quality.buckets import as_bytes, bucketed, without_numbers
from movie_platform.quality.counterparts import Counterpart, Counterparts, Found
from movie_platform.quality.data import DataSet
from movie_platform.quality.errors import NOT_COMPUTABLE, RuleNotComputable, not_computable
from movie_platform.quality.evaluation import Options, planned
from movie_platform.quality.keys import hasher, hashes_of
from movie_platform.quality.ruleset import Ruleset
from movie_platform.quality.sandbox_tables import PRIMARY

SMALL_ROWS = 65_536
"""Another data set of at most so many rows goes to every bucket."""

Sided = tuple[bool, bytes]
"""Whether rows are of the other data set; the rows in Arrow's stream format, with their numbers."""


@dataclass(frozen=True)
class Meeting:
    """Where the rows of two data sets meet, in plain values for whoever holds a part of one."""

    counterpart: Counterpart
    mine: pa.Schema
    theirs: pa.Schema
    buckets: int
    everywhere: bool
    """Whether the other data set goes to every bucket."""

    def rows(self, data: DataSet, start: int, *, other: bool) -> Iterator[tuple[int, Sided]]:
        """The rows of a part that starts at a row, of either data set, with the buckets that they belong in."""
        schema = self.theirs if other else self.mine
        for batch in data.batches(schema.names):
            table = pa.Table.from_batches([batch], schema)
            numbers = np.arange(start, start + table.num_rows)
            start += table.num_rows
            numbered = table.append_column("", pa.array(numbers))
            if other and self.everywhere:
                content = as_bytes(numbered)
                yield from ((bucket, (True, content)) for bucket in range(self.buckets))
                continue
            by = numbers.astype(np.uint64) if self.everywhere else self._hashes(table, numbers, other=other)
            for bucket, content in bucketed(numbered, by % np.uint64(self.buckets), self.buckets):
                yield bucket, (other, content)

    def _hashes(self, table: pa.Table, numbers: np.ndarray, *, other: bool) -> np.ndarray:
        """64 bits of each key; rows that lack a part of theirs have no counterpart wherever they are."""
        hashed, lacking = [], np.zeros(table.num_rows, dtype=bool)
        for pair in self.counterpart.keys:
            column = table.column(pair[other])
            lacking |= as_mask(column.is_null())
            kinds = {_widened(self.mine.field(pair[0]).type), _widened(self.theirs.field(pair[1]).type)}
            if len(kinds) == 1 and _has_hash(kind := kinds.pop()):
                hashed.append(column.cast(kind))
        hashes = np.zeros(table.num_rows, dtype=np.uint64)
        if hashed and table.num_rows:
            with hasher() as connection:
                hashes = hashes_of(connection, pa.table(hashed, [f"k{place}" for place in range(len(hashed))]))
        return np.where(lacking, numbers.astype(np.uint64), hashes)


def meeting(counterpart: Counterpart, mine: DataSet, theirs: DataSet, rows: tuple[int, int], size: int) -> Meeting:
    """Of two data sets with so many rows, in buckets of about `size`."""
    here, there = (
        pa.schema([data.schema.field(name) for name in names])
        for data, names in ((mine, counterpart.mine), (theirs, counterpart.theirs))
    )
    everywhere = rows[1] <= SMALL_ROWS and not counterpart.of_its_own
    return Meeting(counterpart, here, there, max(1, -(-sum(rows) // size)), everywhere)


@dataclass(frozen=True)
class FoundInBucket:
    """What a search found, with the numbers of rows that the whole data set gives them."""

    broken: np.ndarray
    outside: np.ndarray | None
    not_keys: tuple[int, ...]


def search_bucket(meeting: Meeting, rows: Iterable[Sided], options: Options) -> FoundInBucket | RuleNotComputable:
    """Searches among the rows that met in a bucket; they may be more than fit in memory."""
    alias = meeting.counterpart.alias
    if alias.casefold() == PRIMARY:
        alias = "other"
    numbers: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    given: Options = {**options}
    with tempfile.TemporaryDirectory(prefix="quality-counterparts-") as folder:
        mine, theirs = Path(folder) / "mine.parquet", Path(folder) / "theirs.parquet"
        with pq.ParquetWriter(mine, meeting.mine) as here, pq.ParquetWriter(theirs, meeting.theirs) as there:
            for other, stream in rows:
                for batch in without_numbers([stream], [] if other else numbers):
                    (there if other else here).write_batch(batch)
        row = np.concatenate(numbers)
        given["references"] = {alias: theirs}
        try:
            with planned(mine, Ruleset([]), **given) as plan:
                found = replace(meeting.counterpart, alias=alias).search(plan.context.tables, len(row))
        except NOT_COMPUTABLE as failure:
            return not_computable(failure)
    outside = row[found.outside] if found.outside is not None else None
    return FoundInBucket(row[found.broken], outside, found.not_keys)


class CounterpartsTogether:
    """What was found for one measure in the buckets of a data set of so many rows, put together."""

    def __init__(self, measure: Counterparts, rows: int) -> None:
        self._measure = measure
        self._broken = np.zeros(rows, dtype=bool)
        self._outside = np.zeros(rows, dtype=bool) if measure.counterpart.where is not None else None
        self._not_keys = np.zeros(4, dtype=int)
        self._failure: RuleNotComputable | None = None

    def add(self, found: FoundInBucket | RuleNotComputable) -> None:
        """Adds a bucket."""
        if isinstance(found, RuleNotComputable):
            self._failure = self._failure or found
            return
        self._broken[found.broken] = True
        if self._outside is not None and found.outside is not None:
            self._outside[found.outside] = True
        self._not_keys += found.not_keys

    def finish(self) -> None:
        """Hands what was found to the measure."""
        found = Found(self._broken, self._outside, tuple(self._not_keys.tolist()))
        self._measure.take(self._failure or found)


def _widened(kind: pa.DataType) -> pa.DataType:
    """The type whose hashes are those of all types that hold the same values alike."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pa.int64()
    return pa.string() if kind_of(kind) == "text" else kind


def _has_hash(kind: pa.DataType) -> bool:
    return kind_of(kind) != "other" and not pa.types.is_decimal(kind) and not pa.types.is_float16(kind)
