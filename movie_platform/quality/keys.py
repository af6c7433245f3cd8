"""How often each key occurs, exactly: in memory while the keys are few, on disk when they are many."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import Batch

MEMORY_BYTES = 256 * 2**20
"""Keys larger than this together are counted by an engine that spills to disk."""


class KeyCounts:
    """Counts the values of one column, or the combinations of several.

    A row has a key when at least one of the columns has a value. `finish` gives the counts; which rows repeat a key is
    worked out only when asked for, since that needs each row's key again.
    """

    def __init__(self, columns: Sequence[str], *, memory_bytes: int | None = None) -> None:
        self.columns = tuple(columns)
        self._limit = MEMORY_BYTES if memory_bytes is None else memory_bytes
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._rows = 0
        self._disk: _DiskCounts | None = None

    def add(self, batch: Batch, within: np.ndarray | None = None) -> None:
        """Counts the rows of a batch; rows outside `within` have no key."""
        arrays = [batch.column(column) for column in self.columns]
        if within is not None:
            mask = pa.array(within)
            arrays = [pc.if_else(mask, array, pa.scalar(None, array.type)) for array in arrays]
        part = pa.RecordBatch.from_arrays(arrays, names=[f"k{place}" for place in range(len(arrays))])
        self._rows += part.num_rows
        if self._disk is not None:
            self._disk.add(part)
            return
        self._held.append(part)
        self._size += part.nbytes
        if self._size > self._limit:
            self._disk = _DiskCounts(part.schema)
            for earlier in self._held:
                self._disk.add(earlier)
            self._held.clear()

    def finish(self) -> "Occurrences":
        """What was counted; the counter holds nothing afterwards."""
        if self._disk is not None:
            return self._disk.finish()
        if not self._held:
            return Occurrences({}, np.zeros(self._rows, dtype=bool), 0)
        table = pa.Table.from_batches(self._held)
        self._held = []
        codes = _codes(table)
        counted = codes >= 0
        times = np.bincount(codes[counted]) if counted.any() else np.zeros(0, dtype=np.int64)
        times = times[times > 0] if (times == 0).any() else times
        per_code = np.bincount(codes[counted], minlength=int(codes.max(initial=-1)) + 1)
        repeated = np.zeros(len(codes), dtype=bool)
        repeated[counted] = per_code[codes[counted]] > 1
        often, values = np.unique(times, return_counts=True)
        counts = dict(zip(often.tolist(), values.tolist(), strict=True))
        return Occurrences(counts, repeated, int(counted.sum()))


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


class _DiskCounts:
    def __init__(self, schema: pa.Schema) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="quality-keys-")
        folder = Path(self._folder.name)
        self._connection = duckdb.connect(
            str(folder / "keys.duckdb"), config={"memory_limit": "1GB", "temp_directory": str(folder), "threads": "2"}
        )
        self._connection.execute("SET enable_progress_bar = false")
        self._names = schema.names
        self._rows = 0
        self._connection.register("part", schema.empty_table())
        self._connection.execute("CREATE TABLE keys AS SELECT 0::BIGINT AS row, * FROM part")

    def add(self, part: pa.RecordBatch) -> None:
        row = pa.array(np.arange(self._rows, self._rows + part.num_rows))
        numbered = pa.RecordBatch.from_arrays([row, *part.columns], names=["row", *self._names])
        self._connection.register("part", pa.Table.from_batches([numbered]))
        self._connection.execute("INSERT INTO keys SELECT * FROM part")
        self._rows += part.num_rows

    def finish(self) -> Occurrences:
        names = ", ".join(self._names)
        present = " OR ".join(f"{name} IS NOT NULL" for name in self._names)
        same = " AND ".join(f"keys.{name} IS NOT DISTINCT FROM counted.{name}" for name in self._names)
        self._connection.execute(
            f"CREATE TABLE counted AS SELECT {names}, count(*) AS times FROM keys WHERE {present} GROUP BY {names}"  # noqa: S608
        )
        counts = dict(
            self._connection.execute("SELECT times, count(*) FROM counted GROUP BY times ORDER BY times").fetchall()
        )
        repeated = np.zeros(self._rows, dtype=bool)
        cursor = self._connection.execute(
            f"SELECT row FROM keys SEMI JOIN (FROM counted WHERE times > 1) counted ON {same}"  # noqa: S608
        )
        while rows := cursor.fetchmany(1_000_000):
            repeated[np.fromiter((row for (row,) in rows), dtype=np.int64, count=len(rows))] = True
        keyed = sum(times * values for times, values in counts.items())
        self._connection.close()
        self._folder.cleanup()
        return Occurrences(counts, repeated, keyed)
