"""DuckDB as a warehouse: Parquet on this machine's disk is read in place."""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from movie_platform.errors import LoadRefused, PlatformError, WorldUnavailable
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Connection
from movie_platform.warehouse.dialect import Sql, filled, literal, statement
from movie_platform.warehouse.duckdb.connection import connected, faults_named
from movie_platform.warehouse.duckdb.dialect import DUCKDB
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform.warehouse.duckdb.published import Published
from movie_platform.warehouse.schema import Schema
from movie_platform.warehouse.staging import Staging, refuse_long_text, refuse_rows_of_other_partitions
from movie_platform.warehouse.warehouse import Warehouse

DOWNLOADS = 8
PLACED = "placed_files"


class DuckDBSchema(Schema):
    dialect = DUCKDB

    def reported_types(self, connection: Connection, columns: Sequence[Column]) -> list[str]:
        types = ", ".join(f"typeof(CAST(NULL AS {self.dialect.type_name(column)}))" for column in columns)
        return list(connection.fetch(f"SELECT {types}")[0])


class DuckDBWarehouse(Warehouse):
    """Opens its file per load and per question, in turn with all other processes."""

    dialect = DUCKDB
    schema = DuckDBSchema()

    def __init__(
        self, path: Path, *, wait: timedelta = timedelta(minutes=10), publish_every: timedelta = timedelta(0)
    ) -> None:
        self.path = path
        self.wait = wait
        self.published = Published(path, publish_every)

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({str(self.path)!r})"

    @contextmanager
    def connect(self, purpose: str) -> Iterator[Connection]:
        deadline = Deadline.after(self.wait)
        with held(self.path.with_name(self.path.name + ".lock"), purpose, deadline):
            with connected(self.path, purpose, deadline) as connection:
                yield connection
            self.published.renew_if_due()

    def lock_loads(self, connection: Connection) -> None:
        """Nothing to do: no other process opens the file while this connection is open."""

    @contextmanager
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> Iterator[None]:
        table = staging.request.table
        with tempfile.TemporaryDirectory(prefix="movie-platform-load-") as folder:
            placed = _placed(staging, Path(folder))
            try:
                with faults_named(self.path, f"loading {table.qualified_name}"):
                    if placed:
                        self._read(connection, staging, placed, into)
                        self._measure(connection, table, into)
                    yield
            except duckdb.ConstraintException as error:
                raise LoadRefused(f"{table.qualified_name} does not take these rows: {error}") from error
            except duckdb.IOException as error:
                raise WorldUnavailable(f"{table.qualified_name}: an object could not be read: {error}") from error
            except duckdb.Error as error:
                raise PlatformError(f"{table.qualified_name}: an object could not be loaded: {error}") from error

    def _read(self, connection: Connection, staging: Staging, placed: list[tuple[str, str]], into: Sql) -> None:
        d, request = self.dialect, staging.request
        files = Sql("[" + ", ".join(literal(path) for path in dict.fromkeys(path for path, _ in placed)) + "]")
        columns = d.quoted(request.table.column_names)
        if request.replaces == "table":
            # A whole table is read once, straight into its place.
            connection.execute(f"DROP TABLE {into}")
            connection.execute(statement("duckdb_stage_view", staged=into, columns=columns, files=files))
            return
        if request.replaces == "keys":
            connection.execute(statement("duckdb_stage", staged=into, columns=columns, files=files))
            return
        partition, partition_type = request.partition_column, Sql(d.type_name(request.partition_column))
        parts = {"files": files, "placed": d.quote(PLACED), "partition_type": partition_type}
        connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {parts['placed']} (file VARCHAR, partition VARCHAR)")
        paths, partitions = zip(*placed, strict=True)
        connection.insert(parts["placed"], pa.table({"file": list(paths), "partition": list(partitions)}))
        if staging.holds_partition:
            others = statement("duckdb_rows_of_other_partitions", partition=d.quote(partition.name), **parts)
            refuse_rows_of_other_partitions(request, connection.fetch(others)[0][0])
        columns_but_one = [name for name in request.table.column_names if name != partition.name]
        stage = statement(
            "duckdb_stage_partitions",
            staged=into,
            columns=Sql(f"{d.quoted(columns_but_one)}, {d.quote(partition.name)}"),
            others=d.quoted(columns_but_one, of="rows"),
            **parts,
        )
        connection.execute(stage)

    def _measure(self, connection: Connection, table: Table, staged: Sql) -> None:
        limited = [column for column in table.columns if column.max_bytes is not None]
        if limited:
            longest = Sql(", ".join(f"coalesce(max(strlen({self.dialect.quote(c.name)})), 0)" for c in limited))
            found = connection.fetch(filled("SELECT {longest} FROM {staged}", longest=longest, staged=staged))[0]
            for column, length in zip(limited, found, strict=True):
                refuse_long_text(table, column, length)


def _placed(staging: Staging, folder: Path) -> list[tuple[str, str]]:
    """Paths of files on this machine's disk and the partition of each; files of other stores are fetched first."""
    lake = staging.lake
    keys = list(dict.fromkeys(source.key for _, source in staging.placed))

    def fetched(number: int, key: str) -> str:
        return str(lake.on_disk(key, folder / f"{number}.parquet"))

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        paths = dict(zip(keys, pool.map(fetched, range(len(keys)), keys), strict=True))
    return [(paths[source.key], partition) for partition, source in staging.placed]
