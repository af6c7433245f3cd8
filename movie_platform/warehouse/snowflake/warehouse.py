"""Snowflake as a warehouse: Parquet parts in a stage, COPY INTO, then the transaction."""

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from movie_platform.errors import LoadRefused
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Connection
from movie_platform.warehouse.dialect import Sql, filled, literal, statement
from movie_platform.warehouse.ledger import LOAD_LOCK
from movie_platform.warehouse.restaging import parquet_parts, swept
from movie_platform.warehouse.schema import Schema
from movie_platform.warehouse.snowflake.connection import CONNECT, STATEMENT, Login, SnowflakeRefused, connected
from movie_platform.warehouse.snowflake.dialect import LONGEST_TEXT, SNOWFLAKE, physical, reported_type
from movie_platform.warehouse.staging import Staging
from movie_platform.warehouse.views import MAIN
from movie_platform.warehouse.warehouse import Warehouse


class SnowflakeSchema(Schema):
    dialect = SNOWFLAKE

    def found_types(self, connection: Connection, table: Table) -> dict[str, str]:
        by_capitals = {name.upper(): name for name in table.column_names}
        rows = connection.fetch(statement("snowflake_columns"), (table.schema.upper(), table.name.upper()))
        return {
            by_capitals.get(name, name): f"NUMBER({precision}, {scale})" if kind == "NUMBER" else kind
            for name, kind, _, precision, scale in rows
        }

    def reported_types(self, connection: Connection, columns: Sequence[Column]) -> list[str]:
        return [reported_type(column) for column in columns]


class SnowflakeWarehouse(Warehouse):
    """Parts go into a temporary stage of the session, or into the lake where a stage there is named."""

    dialect = SNOWFLAKE
    schema = SnowflakeSchema()

    def __init__(
        self,
        login: Login,
        *,
        stage: str | None = None,
        wait: timedelta = timedelta(minutes=10),
        connect_wait: float = CONNECT,
        statement_wait: float = STATEMENT,
    ) -> None:
        self.login = login
        self.external_stage = stage
        self.wait = wait
        self.connect_wait = connect_wait
        self.statement_wait = statement_wait

    @contextmanager
    def connect(self, purpose: str) -> Iterator[Connection]:
        with connected(self.login, purpose, self.wait, self.connect_wait, self.statement_wait) as connection:
            yield connection

    def prepare_lock(self, connection: Connection) -> None:
        self.schema.make(connection, LOAD_LOCK)
        # Temporary tables need a current schema, which the session lacks where the schema has just been made.
        connection.execute(f"USE SCHEMA {self.dialect.quote(MAIN)}")
        lock = self.dialect.name_of(LOAD_LOCK)
        connection.execute(
            filled("INSERT INTO {lock} SELECT 'free' WHERE NOT EXISTS (SELECT 1 FROM {lock})", lock=lock)
        )

    def lock_loads(self, connection: Connection) -> None:
        """An UPDATE holds its table until the transaction ends."""
        lock, holder = self.dialect.name_of(LOAD_LOCK), self.dialect.quote("holder")
        connection.execute(filled("UPDATE {lock} SET {holder} = ?", lock=lock, holder=holder), ("taken",))

    @contextmanager
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> Iterator[None]:
        parts = parquet_parts(staging, physical, LONGEST_TEXT)
        staged = self._internal if self.external_stage is None else self._external
        with staged(connection, staging, parts) as (stage, names):
            if names:
                self._copy(connection, staging.request.table, into, stage)
            yield

    @contextmanager
    def _internal(
        self, connection: Connection, staging: Staging, parts: Iterator[bytes]
    ) -> Iterator[tuple[Sql, list[str]]]:
        name = f"{self.dialect.quote(MAIN)}.{self.dialect.quote(f'loads_{uuid.uuid4().hex}')}"
        stage = Sql(f"@{name}")
        connection.execute(f"CREATE TEMPORARY STAGE {name}")
        with tempfile.TemporaryDirectory(prefix="movie-platform-load-") as folder:
            names = []
            for number, part in enumerate(parts):
                path = Path(folder) / f"{number:04}.parquet"
                path.write_bytes(part)
                connection.execute(f"PUT {literal(path.as_uri())} {stage} AUTO_COMPRESS = FALSE")
                names.append(path.name)
            yield stage, names

    @contextmanager
    def _external(
        self, connection: Connection, staging: Staging, parts: Iterator[bytes]
    ) -> Iterator[tuple[Sql, list[str]]]:
        with swept(staging.lake) as written:
            folder = f"{uuid.uuid4().hex}/"
            names = [written.add(f"{folder}{number:04}.parquet", part) for number, part in enumerate(parts)]
            yield Sql(f"@{external_name(str(self.external_stage))}/stage/loads/{folder}"), names

    def _copy(self, connection: Connection, table: Table, into: Sql, stage: Sql) -> None:
        try:
            connection.execute(copy_statement(table, into, stage))
        except SnowflakeRefused as error:
            raise LoadRefused(f"{table.qualified_name} does not take these rows: {error}") from error


def external_name(stage: str) -> Sql:
    """A stage's name as people write it, `database.schema.stage` or shorter, quoted."""
    return Sql(".".join(SNOWFLAKE.quote(part) for part in stage.split(".")))


def copy_statement(table: Table, into: Sql, stage: Sql) -> str:
    """COPY by name from the Parquet parts of a stage, all rows or none; nested columns become VARIANT."""
    values = [
        f'$1:"{column.name}"{"" if SNOWFLAKE.type_name(column) == "VARIANT" else "::" + SNOWFLAKE.type_name(column)}'
        for column in table.columns
    ]
    return statement(
        "snowflake_copy",
        target=into,
        columns=SNOWFLAKE.quoted(table.column_names),
        values=Sql(", ".join(values)),
        stage=stage,
    )
