"""Parquet objects in a store as a data set that is read in parts, each wherever it is judged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.lake import ObjectStore, open_store
from movie_platform.lake.parquet import ArrowSink
from movie_platform.quality.data import parquet_batches, repeating_texts, rows_only
from movie_platform.quality.errors import DataUnreadable
from movie_platform.quality.opening import named
from movie_platform.waits import Waits

PART_ROWS = 262_144
"""Row groups are read together until they have so many rows: fewer are not worth a task, more wait for one worker."""


@dataclass(frozen=True)
class Part:
    """Row groups of one object."""

    store: str
    key: str
    row_groups: tuple[int, ...]
    rows: int


class StoredParquet:
    """Parts in the order of their rows. It is a few plain values, and travels to workers."""

    def __init__(
        self,
        parts: Sequence[Part],
        schema: pa.Schema,
        waits: Waits,
        encoded: Collection[str] = (),
        left_out: Sequence[str] = (),
    ) -> None:
        self.parts = tuple(parts)
        self.schema = schema
        self.waits = waits
        self._encoded = sorted(encoded)
        self.left_out = tuple(left_out)
        """Columns of the objects that are not among its own."""

    @classmethod
    def of(
        cls, store: ObjectStore, keys: Iterable[str], waits: Waits, *, leave_out: Collection[str] = ()
    ) -> "StoredParquet":
        """The rows of the objects, one after the other, without the columns that are left out, in whatever case.

        Raises DataUnreadable where one is no Parquet or has other columns than the first.
        """
        parts: list[Part] = []
        schema: pa.Schema | None = None
        left_out: list[str] = []
        encoded: set[str] = set()
        for key in keys:
            try:
                with store.open(key) as opened, pq.ParquetFile(opened) as file:
                    found = file.schema_arrow.remove_metadata()
                    repeating = repeating_texts(file)
                    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
            except (pa.ArrowException, OSError) as failure:
                raise DataUnreadable(f"{key} is not a readable Parquet file: {failure}") from failure
            left_out = named(found.names, leave_out)
            found = pa.schema([field for field in found if field.name not in left_out])
            if schema is not None and found != schema:
                raise DataUnreadable(f"{key} has other columns, or other types, than the files before it")
            encoded = encoded.intersection(repeating) if schema is not None else set(repeating)
            schema = found
            parts += [Part(store.uri, key, *group) for group in _together(groups)]
        if schema is None:
            raise DataUnreadable(f"there is no Parquet file at {store.uri}")
        return cls(parts, schema, waits, encoded.difference(left_out), left_out)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)

    @property
    def starts(self) -> list[int]:
        """The number of the first row of each part."""
        return [0, *np.cumsum([part.rows for part in self.parts]).tolist()][: len(self.parts)]

    def part(self, number: int) -> "StoredParquet":
        """One part by itself."""
        return StoredParquet(self.parts[number : number + 1], self.schema, self.waits, self._encoded)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        wanted = list(columns) if columns is not None else self.schema.names
        yield from self._read(wanted, ()) if wanted else rows_only(self.rows)

    def encoded_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._read(columns, self._encoded) if columns else rows_only(self.rows)

    def _read(self, columns: Sequence[str], encoded: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for part in self.parts:
            store = open_store(part.store, self.waits)
            with ExitStack() as stack:
                # Arrow reads a file of this machine by itself, and every other one through Python.
                opened = store.local_path(part.key) or stack.enter_context(store.open(part.key))
                file = stack.enter_context(pq.ParquetFile(opened, read_dictionary=encoded))
                yield from parquet_batches(file, columns, part.row_groups)

    def take(self, wanted: np.ndarray) -> pa.Table:
        kept, start = [], 0
        for batch in self.batches():
            kept.append(batch.filter(pa.array(wanted[start : start + batch.num_rows])))
            start += batch.num_rows
        return pa.Table.from_batches(kept, self.schema)


def put_parts(store: ObjectStore, prefix: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> list[str]:
    """The batches as Parquet objects of about PART_ROWS rows; their keys, of which there is one even without rows."""
    keys: list[str] = []
    batch = next(batches, None)
    while batch is not None or not keys:
        keys.append(f"{prefix}{len(keys):06}.parquet")
        rows = 0
        with store.writer(keys[-1]) as out, pq.ParquetWriter(ArrowSink(out.write), schema) as writer:
            while batch is not None and rows < PART_ROWS:
                writer.write_batch(batch)
                rows += batch.num_rows
                batch = next(batches, None)
    return keys


def _together(groups: Sequence[int]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Row groups, by their numbers of rows, in runs of about PART_ROWS."""
    waiting: list[int] = []
    rows = 0
    for number, size in enumerate(groups):
        if waiting and rows + size > PART_ROWS:
            yield tuple(waiting), rows
            waiting, rows = [], 0
        waiting.append(number)
        rows += size
    if rows:
        yield tuple(waiting), rows
