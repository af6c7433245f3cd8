"""DuckDB as a warehouse: Parquet on this machine's disk is read where it lies."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from movie_platform.warehouse.connection import Connection
from movie_platform.warehouse.dialect import Sql, literal, statement
from movie_platform.warehouse.duckdb.connection import connected
from movie_platform.warehouse.duckdb.dialect import DUCKDB
from movie_platform.warehouse.duckdb.lock import Deadline
from movie_platform.warehouse.loading import LoadingWarehouse, Staging

DOWNLOADS = 8
PLACED = "placed_files"


class DuckDBWarehouse(LoadingWarehouse):
    """Opens its file per load and per question, in turn with all other processes."""

    dialect = DUCKDB

    def __init__(self, path: Path, *, wait: timedelta = timedelta(minutes=10)) -> None:
        self.path = path
        self.wait = wait

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({str(self.path)!r})"

    def connect(self, purpose: str) -> AbstractContextManager[Connection]:
        return connected(self.path, purpose, Deadline.after(self.wait))

    def lock_ledger(self, connection: Connection) -> None:
        """The file is ours alone while the connection is open."""

    @contextmanager
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="movie-platform-load-") as folder:
            placed = _placed(staging, Path(folder))
            if placed:
                self._read(connection, staging, placed, into)
            yield

    def _read(self, connection: Connection, staging: Staging, placed: list[tuple[str, str]], into: Sql) -> None:
        d, request = self.dialect, staging.request
        files = Sql("[" + ", ".join(literal(path) for path, _ in placed) + "]")
        columns = d.quoted(request.table.column_names)
        if request.replaces != "partitions":
            parts = {"staged": into, "columns": columns, "files": files}
            connection.execute(statement("duckdb_stage", **parts))
            return
        name = request.partition_column.name
        connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {d.quote(PLACED)} (file VARCHAR, partition VARCHAR)")
        paths, partitions = zip(*placed, strict=True)
        connection.insert(d.quote(PLACED), pa.table({"file": list(paths), "partition": list(partitions)}))
        from_files = [
            f"CAST(placed.partition AS {d.type_name(column)})"
            if column.name == name
            else f"rows.{d.quote(column.name)}"
            for column in request.table.columns
        ]
        stage = statement(
            "duckdb_stage_partitions",
            staged=into,
            columns=columns,
            values=Sql(", ".join(from_files)),
            files=files,
            placed=d.quote(PLACED),
        )
        connection.execute(stage)


def _placed(staging: Staging, folder: Path) -> list[tuple[str, str]]:
    """Paths of files on this machine's disk and the partition of each; what lies elsewhere is fetched first."""
    lake = staging.lake

    def fetched(position: int, key: str) -> str:
        path = lake.local_path(key)
        if path is None:
            path = folder / f"{position}.parquet"
            path.write_bytes(lake.read(key))
        return str(path)

    placed = staging.placed
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        paths = pool.map(fetched, range(len(placed)), [source.key for _, source in placed])
        return [(path, partition) for path, (partition, _) in zip(paths, placed, strict=True)]
