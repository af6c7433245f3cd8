"""A load's rows as few large Parquet parts with exactly the table's columns, for engines that copy whole files.

A thousand windows become one part, the partition's name becomes a column, and every value is measured on the way:
what an engine would cut, or refuse with a message that names no row, is refused here by name.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.errors import LoadRefused
from movie_platform.lake import ObjectStore
from movie_platform.table import Column, Table
from movie_platform.warehouse.staging import Staging, refuse_long_text, refuse_rows_of_other_partitions

STAGE = "stage/loads/"
STAGED_FOR = timedelta(days=1)
"""Longer than any load takes."""
PART_BYTES = 64 * 1024 * 1024
BATCH_ROWS = 65_536
READ_AHEAD = 16

Convert = Callable[[pa.ChunkedArray, Column], pa.ChunkedArray]


def parquet_parts(staging: Staging, convert: Convert, longest_text: int) -> Iterator[bytes]:
    """Parquet of at most about 64 MB each; `convert` gives a column the physical form that the engine takes."""
    waiting: list[pa.Table] = []
    size = 0
    for rows in _rows(staging):
        waiting.append(rows)
        size += rows.nbytes
        if size >= PART_BYTES:
            yield _parquet(staging, pa.concat_tables(waiting), convert, longest_text)
            waiting, size = [], 0
    if waiting:
        yield _parquet(staging, pa.concat_tables(waiting), convert, longest_text)


def _rows(staging: Staging) -> Iterator[pa.Table]:
    lake, placed = staging.lake, staging.placed
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        for start in range(0, len(placed), READ_AHEAD):
            some = placed[start : start + READ_AHEAD]
            for (partition, _), path in zip(some, pool.map(lambda p: _source(lake, p[1].key), some), strict=True):
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(BATCH_ROWS):
                        yield _aligned(staging, pa.table(batch), partition)


def _source(lake: ObjectStore, key: str) -> Path | pa.BufferReader:
    path = lake.local_path(key)
    return path if path is not None else pa.BufferReader(lake.read(key))


def _aligned(staging: Staging, rows: pa.Table, partition: str) -> pa.Table:
    """The table's columns in its order and types, the partition's filled from its name."""
    request = staging.request
    own = request.partition_column.name if request.replaces == "partitions" else None
    arrays = []
    for column in request.table.columns:
        if column.name == own:
            value = request.value_of(partition)
            if staging.holds_partition:
                same = pc.equal(rows[column.name].cast(column.type), value)
                refuse_rows_of_other_partitions(request, len(same) - (pc.sum(same).as_py() or 0))
            arrays.append(pa.chunked_array([pa.repeat(value, rows.num_rows)]))
        else:
            arrays.append(rows[column.name].cast(column.type))
    return pa.table(arrays, names=list(request.table.column_names))


def _check(table: Table, rows: pa.Table, longest: dict[str, int], longest_text: int) -> None:
    for column in table.columns:
        values = rows[column.name]
        if not column.nullable and values.null_count:
            raise LoadRefused(
                f"{table.qualified_name} does not take these rows: {values.null_count} of them have no {column.name}, "
                "which the table's description does not allow. Reject them before the load."
            )
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            length = pc.max(pc.binary_length(values)).as_py() or 0
            longest[column.name] = max(length, longest.get(column.name, 0))
            refuse_long_text(table, column, length, longest_text)
            if pc.any(pc.match_substring(values, "\0")).as_py():
                raise LoadRefused(
                    f"{table.qualified_name}: a text in {column.name} holds a NUL character, which this warehouse "
                    "cannot store. Reject the row before the load."
                )


def _parquet(staging: Staging, rows: pa.Table, convert: Convert, longest_text: int) -> bytes:
    table = staging.request.table
    _check(table, rows, staging.longest, longest_text)
    arrays = [convert(rows[column.name], column) for column in table.columns]
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(table.column_names)), buffer, coerce_timestamps="us")
    return buffer.getvalue()


@dataclass
class Stage:
    """What a load has put into the lake's stage."""

    lake: ObjectStore
    written: list[str] = field(default_factory=list)

    def add(self, name: str, data: bytes) -> str:
        """Write an object; its key."""
        key = STAGE + name
        self.written.append(key)
        self.lake.write(key, data)
        return key


@contextmanager
def swept(lake: ObjectStore) -> Iterator[Stage]:
    """A stage in the lake that is empty again when the block ends, however it ends.

    What killed loads left behind is removed first, once it is old enough to be nobody's.
    """
    oldest = datetime.now(UTC) - STAGED_FOR
    lake.delete([info.key for info in lake.objects(STAGE) if info.modified < oldest])
    stage = Stage(lake)
    try:
        yield stage
    finally:
        lake.delete(stage.written)
