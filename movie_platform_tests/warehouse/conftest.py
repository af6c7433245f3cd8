"""A warehouse of every engine over a lake that it can read, and tables like the platform's own."""

import hashlib
import io
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.settings import Settings, load_settings
from movie_platform.table import Column, Table
from movie_platform.warehouse import (
    LatestPartition,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    Warehouse,
    open_warehouse,
)
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform.warehouse.snowflake import SnowflakeWarehouse
from movie_platform_tests.warehouse.redshift_stand_in import RedshiftStandIn, redshift_stand_in

WINDOWS = Table(
    name="imdb_movie_windows",
    columns=(
        Column("movie_id", pa.int64(), nullable=False),
        Column("title", pa.string()),
        Column("rating", pa.float64()),
        Column("window", pa.string(), nullable=False, max_bytes=12),
    ),
    key=("window", "movie_id"),
    partition="window",
)
MOVIES = WINDOWS.derive("imdb_movies", key=("movie_id",), partition=None)
LATEST = LatestPartition(MOVIES, ("movie_id",))

Row = dict[str, Any]


@dataclass
class Loader:
    """Puts rows into the lake as Parquet and loads them, the way a pipeline does."""

    warehouse: Warehouse
    lake: ObjectStore
    provenance: Provenance = field(default_factory=lambda: Provenance("code-1", "rules-1", "run-1"))

    def put(self, table: Table, name: str, rows: Sequence[Row], *, without: Sequence[str] = ()) -> Source:
        schema = pa.schema([f for f in table.arrow_schema if f.name not in without])
        kept = [{k: v for k, v in row.items() if k not in without} for row in rows]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(kept, schema=schema), buffer)
        key = f"clean_files/{table.name}/{name}.parquet"
        self.lake.write(key, buffer.getvalue())
        return Source(key, hashlib.sha256(repr(kept).encode()).hexdigest(), len(rows))

    def partition(self, partition: str, version: str, rows: Sequence[Row], table: Table = WINDOWS) -> PartitionLoad:
        assert table.partition is not None
        name = f"{partition}-{version}".replace(":", "")
        source = self.put(table, name, rows, without=[table.partition])
        return PartitionLoad(partition, version, (source,))

    def window(self, window: str, version: str, rows: Sequence[Row], **options: Any) -> LoadResult:
        return self.windows([self.partition(window, version, rows)], **options)[0]

    def windows(self, loads: Sequence[PartitionLoad], *, force: bool = False) -> list[LoadResult]:
        return self.warehouse.replace_partitions(
            WINDOWS, loads, lake=self.lake, provenance=self.provenance, derived=[LATEST], force=force
        )

    def replace(self, table: Table, version: str, rows: Sequence[Row], *, force: bool = False) -> LoadResult:
        source = self.put(table, version, rows)
        return self.warehouse.replace_table(
            table, version, [source], lake=self.lake, provenance=self.provenance, force=force
        )

    def upsert(self, table: Table, version: str, rows: Sequence[Row], *, force: bool = False) -> LoadResult:
        source = self.put(table, version, rows)
        return self.warehouse.upsert_latest(
            table, version, [source], lake=self.lake, provenance=self.provenance, force=force
        )

    def rows(self, table: Table) -> list[Row]:
        """A table's rows in a stable order."""
        sql = f'SELECT * FROM "{table.schema}"."{table.name}"'
        rows = self.warehouse.query(sql).to_pylist()
        for name in table.column_names:
            if pa.types.is_nested(table[name].type):
                # Engines without nested types answer with JSON.
                for row in rows:
                    row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name]
        return sorted(rows, key=repr)


def movie(movie_id: int, title: str | None = "Up", rating: float | None = 8.3) -> Row:
    return {"movie_id": movie_id, "title": title, "rating": rating}


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


@pytest.fixture
def duckdb_path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


ENGINES = [
    "duckdb",
    "redshift",
    "snowflake",
    pytest.param("live_redshift", marks=pytest.mark.live),
    pytest.param("live_snowflake", marks=pytest.mark.live),
]


@pytest.fixture(params=ENGINES)
def loader(request: pytest.FixtureRequest) -> Loader:
    """Loads into a fresh warehouse; the test runs once per engine."""
    loader = request.getfixturevalue(f"{request.param}_loader")
    assert isinstance(loader, Loader)
    return loader


@pytest.fixture
def duckdb_loader(duckdb_path: Path, lake: ObjectStore) -> Loader:
    return Loader(DuckDBWarehouse(duckdb_path, wait=timedelta(minutes=2)), lake)


@pytest.fixture
def redshift(postgres: str) -> Iterator[RedshiftStandIn]:
    with redshift_stand_in(postgres) as stand_in:
        yield stand_in


@pytest.fixture
def redshift_loader(redshift: RedshiftStandIn, bucket: str) -> Loader:
    settings = load_settings(warehouse=redshift.address, warehouse_password=redshift.password, warehouse_wait="2m")
    return Loader(open_warehouse(settings), open_store(bucket))


@pytest.fixture
def snowflake() -> Iterator[Settings]:
    """Snowflake's driver, answered in this process by fakesnow."""
    import fakesnow

    with fakesnow.patch(), statements_translated_once():
        yield load_settings(
            warehouse="snowflake://loader@account/movies?warehouse=loads", warehouse_password="s3cret-Passw0rd"
        )


@contextmanager
def statements_translated_once() -> Iterator[None]:
    """fakesnow walks a statement ninety times to translate it, and most tests send the same few over and over.

    Of those that read or change rows the translation is a matter of the text, the database and the schema.
    """
    from fakesnow.cursor import FakeSnowflakeCursor
    from sqlglot import exp

    translate = FakeSnowflakeCursor._transform

    def translated(cursor: Any, statement: exp.Expr, parameters: Any) -> exp.Expr:
        if not isinstance(statement, (exp.Select, exp.Insert, exp.Delete, exp.Update)) or statement.find(exp.Anonymous):
            return translate(cursor, statement, parameters)
        key = (statement.sql(dialect="snowflake"), cursor._conn.database, cursor._conn.schema)
        if key not in _TRANSLATED:
            _TRANSLATED[key] = translate(cursor, statement, parameters)
        return _TRANSLATED[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeSnowflakeCursor, "_transform", translated)
        yield


_TRANSLATED: dict[tuple[str, str | None, str | None], Any] = {}


@pytest.fixture
def snowflake_loader(snowflake: Settings, lake: ObjectStore) -> Loader:
    warehouse = open_warehouse(snowflake)
    assert isinstance(warehouse, SnowflakeWarehouse)
    # fakesnow runs MERGE, but not within a transaction: it notes its temporary table in another database of its own.
    warehouse.dialect = replace(warehouse.dialect, upsert="delete_and_insert")
    return Loader(warehouse, lake)


@pytest.fixture
def live_redshift_loader() -> Iterator[Loader]:
    """A database of its own on the cluster that TEST_REDSHIFT names, over a folder of its own in TEST_LAKE."""
    names = ("TEST_REDSHIFT", "TEST_REDSHIFT_PASSWORD", "TEST_REDSHIFT_SECRET", "TEST_REDSHIFT_IAM_ROLE", "TEST_LAKE")
    address, password, secret, role, lake = (os.environ.get(name) for name in names)
    if not address or not lake:
        pytest.skip("set TEST_REDSHIFT and TEST_LAKE to run on a real cluster")
    common = {"warehouse_password": password, "warehouse_secret": secret, "redshift_iam_role": role or "default"}
    with _database_of_its_own(address, common) as inside, _folder_of_its_own(lake) as store:
        yield Loader(open_warehouse(load_settings(warehouse=inside, **common)), store)


@pytest.fixture
def live_snowflake_loader(lake: ObjectStore) -> Iterator[Loader]:
    """A database of its own in the account that TEST_SNOWFLAKE names."""
    address, password = os.environ.get("TEST_SNOWFLAKE"), os.environ.get("TEST_SNOWFLAKE_PASSWORD")
    if not address:
        pytest.skip("set TEST_SNOWFLAKE to run on a real account")
    common = {"warehouse_password": password}
    with _database_of_its_own(address, common) as inside:
        yield Loader(open_warehouse(load_settings(warehouse=inside, **common)), lake)


@contextmanager
def _database_of_its_own(address: str, common: dict[str, Any]) -> Iterator[str]:
    warehouse = open_warehouse(load_settings(warehouse=address, **common))
    name = f"movie_platform_{uuid.uuid4().hex[:12]}"
    with warehouse.connect("making a database for a test") as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(address)._replace(path=f"/{name}"))
    with warehouse.connect("removing a test's database") as connection:
        connection.execute(f"DROP DATABASE {name}")


@contextmanager
def _folder_of_its_own(lake: str) -> Iterator[ObjectStore]:
    store = open_store(f"{lake.rstrip('/')}/{uuid.uuid4().hex}")
    yield store
    store.delete([info.key for info in store.objects()])
