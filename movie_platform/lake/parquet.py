"""Parquet in a store: written as it is made, or from what an engine wrote, the same bytes for the same rows."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.errors import ObjectMissing
from movie_platform.lake.store import ObjectStore
from movie_platform.table import Table

ROWS_A_GROUP = 65_536


@dataclass(frozen=True)
class Written:
    """A Parquet object that was put in the lake."""

    rows: int
    bytes: int
    sha256: str
    etag: str


def put_parquet(lake: ObjectStore, key: str, table: Table, path: Path | None) -> Written:
    """Put a file, or a folder of parts, or nothing, as one object with the table's columns."""
    rows = 0
    with tempfile.TemporaryDirectory(prefix="movie-platform-parquet-") as folder:
        made = Path(folder) / "object.parquet"
        with pq.ParquetWriter(made, table.arrow_schema, compression="zstd") as parquet:
            for group in _groups(path, table):
                parquet.write_table(group, row_group_size=ROWS_A_GROUP)
                rows += group.num_rows
        with made.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        return Written(rows, made.stat().st_size, digest, lake.upload(key, made))


def rows_of(lake: ObjectStore, key: str) -> int:
    """The rows of a Parquet object; 0 where it is not there."""
    try:
        with lake.open(key) as file:
            return int(pq.read_metadata(file).num_rows)
    except ObjectMissing:
        return 0


def read_parquet(lake: ObjectStore, key: str, columns: list[str] | None = None) -> Any:
    """The object as an Arrow table; None where it is not there."""
    try:
        return pq.read_table(io.BytesIO(lake.read(key)), columns=columns)
    except ObjectMissing:
        return None


def _groups(path: Path | None, table: Table) -> Iterator[pa.Table]:
    if path is None:
        return
    waiting: list[pa.RecordBatch] = []
    count = 0
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        for batch in pq.ParquetFile(file).iter_batches(ROWS_A_GROUP):
            while batch.num_rows:
                part = batch.slice(0, ROWS_A_GROUP - count)
                waiting.append(part)
                count += part.num_rows
                batch = batch.slice(part.num_rows)
                if count == ROWS_A_GROUP:
                    yield _one(waiting, table)
                    waiting, count = [], 0
    if waiting:
        yield _one(waiting, table)


def _one(batches: list[pa.RecordBatch], table: Table) -> pa.Table:
    return pa.Table.from_batches(batches).cast(table.arrow_schema).combine_chunks()


class ArrowSink:
    """A store's writer as a file that Arrow can write to; counts its bytes. The store finishes its object by itself."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.bytes = 0

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """The store's writer flushes when the object is whole."""

    def close(self) -> None:
        """The store's writer closes itself."""
