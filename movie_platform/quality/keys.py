"""How often each key occurs, exactly: keys are held while they are few, and known by hashes when they are many."""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import Batch
from movie_platform.quality.errors import RuleNotComputable

if TYPE_CHECKING:
    import duckdb

HELD_BYTES = 8 * 2**20
"""Keys larger than this together are known by their hashes."""
MEMORY_BYTES = 256 * 2**20
"""Hashes, or repeated keys, larger than this together are counted by an engine that spills to disk."""


class KeyCounts:
    """Counts the values of one column, or the combinations of several.

    A row has a key when at least one of the columns has a value. Keys with different hashes are different, so of many
    keys only those whose hash occurs twice are compared themselves: `again` reads the key columns once more for that.
    """

    def __init__(
        self,
        columns: Sequence[str],
        again: Callable[[], Iterator[pa.RecordBatch]],
        *,
        held_bytes: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self._again = again
        self._most_held = HELD_BYTES if held_bytes is None else held_bytes
        self._most_memory = MEMORY_BYTES if memory_bytes is None else memory_bytes
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._hashes: _Hashes | None = None

    def add(self, batch: Batch, within: np.ndarray | None = None) -> None:
        """Counts the rows of a batch; rows outside `within` have no key."""
        part = keys_of(self.columns, batch, within)
        if self._hashes is not None:
            self._hashes.add(part)
            return
        self._held.append(part)
        self._size += part.nbytes
        if self._size > self._most_held:
            self._hashes = _Hashes(self._most_memory)
            for earlier in self._held:
                self._hashes.add(earlier)
            self._held = []

    def finish(self) -> "Occurrences":
        """What was counted; the counter holds nothing afterwards."""
        if self._hashes is None:
            held, self._held = self._held, []
            return _counted(held, self._most_memory)
        keyed, shared = self._hashes.finish()
        found = _counted(self._read_again(shared), self._most_memory)
        alone = keyed - found.keyed_rows
        counts = {1: alone} if alone else {}
        for times, keys in found.counts.items():
            counts[times] = counts.get(times, 0) + keys
        shared[shared] = found.repeated
        return Occurrences(counts, shared, keyed)

    def _read_again(self, wanted: np.ndarray) -> Iterator[pa.RecordBatch]:
        """The keys of the wanted rows."""
        if not wanted.any():
            return
        start = 0
        for rows in self._again():
            mask = wanted[start : start + rows.num_rows]
            start += rows.num_rows
            if mask.any():
                yield keys_of(self.columns, Batch(rows)).filter(pa.array(mask))


class Occurrences:
    """`counts[k]` keys occur k times; `repeated` marks the rows whose key occurs more than once."""

    def __init__(self, counts: dict[int, int], repeated: np.ndarray, keyed_rows: int) -> None:
        self.counts = counts
        self.repeated = repeated
        self.keyed_rows = keyed_rows

    @property
    def unique(self) -> int:
        """Keys that occur exactly once."""
        return self.counts.get(1, 0)

    @property
    def distinct(self) -> int:
        """Different keys."""
        return sum(self.counts.values())


class KeyHashes:
    """Counts nothing: for rows of which only a part is here, 64 bits of each key and the rows that have one."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._hashes = _Hashes(sys.maxsize)

    def add(self, batch: Batch, within: np.ndarray | None = None) -> None:
        """Takes in the rows of a batch; rows outside `within` have no key."""
        self._hashes.add(keys_of(self.columns, batch, within))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The hashes of the keys, and the places of their rows."""
        return self._hashes.with_rows()


class _Hashes:
    """64 bits of each key: keys that differ in them are different, and others may be."""

    def __init__(self, memory_bytes: int) -> None:
        self._connection = hasher()
        self._most = memory_bytes // 8
        self._hashes: list[np.ndarray] | None = []
        self._keyed: list[np.ndarray] = []
        self._count = 0

    def add(self, part: pa.RecordBatch) -> None:
        keyed = _has_key(part)
        self._keyed.append(keyed)
        self._count += int(np.count_nonzero(keyed))
        if self._hashes is None:
            return
        if self._count > self._most:
            self._hashes = None
            return
        found = hashes_of(self._connection, pa.Table.from_batches([part]))
        self._hashes.append(found if keyed.all() else found[keyed])

    def finish(self) -> tuple[int, np.ndarray]:
        """How many rows have a key, and which of them may share it with another."""
        self._connection.close()
        shared = np.concatenate(self._keyed)
        if self._hashes is None:
            return self._count, shared
        hashes = np.concatenate(self._hashes)
        self._hashes = []
        shared[shared] = occurring_twice(hashes)
        return self._count, shared

    def with_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The hashes, and the places of their rows."""
        self._connection.close()
        if not self._hashes:
            return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
        return np.concatenate(self._hashes), np.flatnonzero(np.concatenate(self._keyed))


def occurring_twice(hashes: np.ndarray) -> np.ndarray:
    """Which of the hashes occur more than once."""
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.isin(hashes, twice) if len(twice) else np.zeros(len(hashes), dtype=bool)


def hasher() -> "duckdb.DuckDBPyConnection":
    """A connection for `hashes_of`, to be closed: to a database that is started once, which takes 40 ms."""
    return _database().cursor()


@cache
def _database() -> "duckdb.DuckDBPyConnection":
    import duckdb

    return duckdb.connect(config={"threads": "1"})


def hashes_of(connection: "duckdb.DuckDBPyConnection", keys: pa.Table) -> np.ndarray:
    """64 bits of each row, equal for equal rows."""
    connection.register("part", keys)
    names = ", ".join(keys.schema.names)
    found: np.ndarray = connection.sql(f"SELECT hash({names}) AS hash FROM part").fetchnumpy()["hash"]  # noqa: S608
    return found


def keys_of(columns: Sequence[str], batch: Batch, within: np.ndarray | None = None) -> pa.RecordBatch:
    """The key columns of a batch, in types that Arrow encodes and DuckDB hashes; null outside `within`."""
    arrays = [_comparable(column, batch.column(column)) for column in columns]
    if within is not None:
        mask = pa.array(within)
        arrays = [pc.if_else(mask, array, pa.scalar(None, array.type)) for array in arrays]
    return pa.RecordBatch.from_arrays(arrays, names=[f"k{place}" for place in range(len(arrays))])


def _comparable(name: str, column: pa.Array) -> pa.Array:
    """The values in another type where need be: equal where they are."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _comparable(name, column.storage)
    if pa.types.is_nested(kind):
        raise RuleNotComputable(f'"{name}" holds {kind}, which is no part of a key')
    if pa.types.is_decimal(kind) and not pa.types.is_decimal128(kind):
        return column.cast(pa.string())
    return column.cast(pa.binary()) if kind == pa.binary_view() else column


def _has_key(part: pa.RecordBatch) -> np.ndarray:
    keyed = np.zeros(part.num_rows, dtype=bool)
    for column in part.columns:
        keyed |= column.is_valid().to_numpy(zero_copy_only=False)
    return keyed


def _counted(parts: Iterable[pa.RecordBatch], memory_bytes: int) -> Occurrences:
    """The keys themselves counted: in memory, or on disk when they need more."""
    coming = iter(parts)
    held: list[pa.RecordBatch] = []
    size = 0
    for part in coming:
        held.append(part)
        size += part.nbytes
        if size > memory_bytes:
            return _counted_on_disk(chain(held, coming), part.schema)
    if not held:
        return Occurrences({}, np.zeros(0, dtype=bool), 0)
    codes = _codes(pa.Table.from_batches(held))
    counted = codes >= 0
    per_code = np.bincount(codes[counted], minlength=int(codes.max(initial=-1)) + 1)
    repeated = np.zeros(len(codes), dtype=bool)
    repeated[counted] = per_code[codes[counted]] > 1
    often, values = np.unique(per_code[per_code > 0], return_counts=True)
    counts = dict(zip(often.tolist(), values.tolist(), strict=True))
    return Occurrences(counts, repeated, int(counted.sum()))


def _codes(table: pa.Table) -> np.ndarray:
    """A whole number per row, equal for equal keys; -1 where every column is null."""
    combined: np.ndarray | None = None
    for column in table.columns:
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        if combined is None:
            combined = indices
            continue
        _, dense = np.unique(combined, return_inverse=True)
        none = (combined == -1) & (indices == -1)
        combined = dense.astype(np.int64) * (len(encoded.dictionary) + 1) + indices + 1
        _, combined = np.unique(combined, return_inverse=True)
        combined = combined.astype(np.int64)
        combined[none] = -1
    assert combined is not None
    return combined


def _counted_on_disk(parts: Iterable[pa.RecordBatch], schema: pa.Schema) -> Occurrences:
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="quality-keys-") as folder,
        duckdb.connect(
            str(Path(folder) / "keys.duckdb"),
            config={"memory_limit": "1GB", "temp_directory": folder, "threads": "2"},
        ) as connection,
    ):
        return _counted_by(connection, parts, schema)


def _counted_by(
    connection: "duckdb.DuckDBPyConnection", parts: Iterable[pa.RecordBatch], schema: pa.Schema
) -> Occurrences:
    connection.execute("SET enable_progress_bar = false")
    connection.register("part", schema.empty_table())
    connection.execute("CREATE TABLE keys AS SELECT 0::BIGINT AS row, * FROM part")
    total = 0
    for part in parts:
        row = pa.array(np.arange(total, total + part.num_rows))
        connection.register("part", pa.table([row, *part.columns], names=["row", *schema.names]))
        connection.execute("INSERT INTO keys SELECT * FROM part")
        total += part.num_rows
    names = ", ".join(schema.names)
    present = " OR ".join(f"{name} IS NOT NULL" for name in schema.names)
    same = " AND ".join(f"keys.{name} IS NOT DISTINCT FROM counted.{name}" for name in schema.names)
    connection.execute(
        f"CREATE TABLE counted AS SELECT {names}, count(*) AS times FROM keys WHERE {present} GROUP BY {names}"  # noqa: S608
    )
    counts = dict(connection.execute("SELECT times, count(*) FROM counted GROUP BY times ORDER BY times").fetchall())
    repeated = np.zeros(total, dtype=bool)
    cursor = connection.execute(
        f"SELECT row FROM keys SEMI JOIN (FROM counted WHERE times > 1) counted ON {same}"  # noqa: S608
    )
    while rows := cursor.fetchmany(1_000_000):
        repeated[np.fromiter((row for (row,) in rows), dtype=np.int64, count=len(rows))] = True
    return Occurrences(counts, repeated, sum(times * values for times, values in counts.items()))
