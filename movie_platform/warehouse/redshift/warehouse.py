"""Redshift as a warehouse: Parquet parts and a manifest in the lake, one COPY, then the transaction."""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from movie_platform.errors import LoadRefused, SettingsError, WorldUnavailable
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Connection
from movie_platform.warehouse.dialect import Sql, filled, literal, statement
from movie_platform.warehouse.ledger import LOAD_LOCK
from movie_platform.warehouse.redshift.connection import (
    CONNECT,
    STATEMENT,
    Cancelled,
    Login,
    RedshiftConnection,
    RedshiftRefused,
    connected,
)
from movie_platform.warehouse.redshift.dialect import LONGEST_TEXT, REDSHIFT, is_text, physical, reported_type, room
from movie_platform.warehouse.restaging import parquet_parts, swept
from movie_platform.warehouse.schema import Schema
from movie_platform.warehouse.staging import Staging
from movie_platform.warehouse.warehouse import Warehouse


class RedshiftSchema(Schema):
    dialect = REDSHIFT

    def make_room(self, connection: Connection, table: Table, longest: dict[str, int]) -> None:
        """Text columns grow to what their description says, or to what a load brings; they never shrink."""
        columns = connection.fetch(statement("redshift_columns"), (table.schema, table.name))
        lengths = {name: characters for name, _, characters, *_ in columns}
        for column in table.columns:
            if is_text(column.type):
                needed = column.max_bytes or room(longest.get(column.name, 0))
                if lengths[column.name] < needed:
                    name = self.dialect.quote(column.name)
                    connection.execute(
                        f"ALTER TABLE {self.dialect.name_of(table)} ALTER COLUMN {name} TYPE VARCHAR({needed})"
                    )

    def found_types(self, connection: Connection, table: Table) -> dict[str, str]:
        rows = connection.fetch(statement("redshift_columns"), (table.schema, table.name))
        return {
            name: f"numeric({precision},{scale})" if kind == "numeric" else kind
            for name, kind, _, precision, scale in rows
        }

    def reported_types(self, connection: Connection, columns: Sequence[Column]) -> list[str]:
        return [reported_type(column) for column in columns]


class RedshiftWarehouse(Warehouse):
    """Loads from a lake on S3. The cluster reads it with an IAM role of its own: no credential is in any statement."""

    dialect = REDSHIFT
    schema = RedshiftSchema()

    def __init__(
        self,
        login: Login,
        *,
        iam_role: str = "default",
        wait: timedelta = timedelta(minutes=10),
        connect_wait: float = CONNECT,
        statement_wait: float = STATEMENT,
    ) -> None:
        self.login = login
        self.iam_role = iam_role
        self.wait = wait
        self.connect_wait = connect_wait
        self.statement_wait = statement_wait

    @contextmanager
    def connect(self, purpose: str) -> Iterator[Connection]:
        with connected(self.login, purpose, self.connect_wait, self.statement_wait) as connection:
            yield connection

    def prepare_lock(self, connection: Connection) -> None:
        self.schema.make(connection, LOAD_LOCK)

    def lock_loads(self, connection: Connection) -> None:
        """A table is locked until the transaction ends; waiting for it ends when the settings say."""
        table = self.dialect.name_of(LOAD_LOCK)
        waiting = cast(RedshiftConnection, connection)
        waiting.limit_statements(self.wait.total_seconds())
        try:
            waiting.execute(f"LOCK {table}")
        except Cancelled:
            raise WorldUnavailable(
                f"{table} is still locked by another load after {self.wait.total_seconds():g} s. Try again, or look "
                "into svv_transactions for who holds it."
            ) from None
        waiting.limit_statements(self.statement_wait)

    @contextmanager
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> Iterator[None]:
        lake = staging.lake
        if not lake.uri.startswith("s3://"):
            raise SettingsError(f"Redshift loads from S3 only, and MOVIE_PLATFORM_LAKE_URI is {lake.uri}")
        with swept(lake) as stage:
            folder, entries = f"{uuid.uuid4().hex}/", []
            for number, part in enumerate(parquet_parts(staging, physical, LONGEST_TEXT)):
                key = stage.add(f"{folder}{number:04}.parquet", part)
                entries.append({"url": lake.uri_of(key), "mandatory": True, "meta": {"content_length": len(part)}})
            if entries:
                manifest = stage.add(f"{folder}manifest", json.dumps({"entries": entries}).encode())
                self._copy(connection, staging.request.table, into, lake.uri_of(manifest))
            yield

    def _copy(self, connection: Connection, table: Table, into: Sql, manifest: str) -> None:
        try:
            connection.execute(copy_statement(table, into, manifest, self.iam_role))
        except RedshiftRefused as error:
            rows = connection.fetch(statement("redshift_load_errors"))
            found = "; ".join(
                f"{column or 'a column'}: {message} (in {file})" for file, column, message in _stripped(rows)
            )
            raise LoadRefused(f"{table.qualified_name} does not take these rows: {found or error}") from error


def copy_statement(table: Table, into: Sql, manifest: str, iam_role: str) -> str:
    """COPY of the parts that a manifest lists; nested columns become SUPER."""
    nested = any(reported_type(column) == "super" for column in table.columns)
    return filled(
        "COPY {target} FROM {manifest} IAM_ROLE {iam_role} FORMAT AS PARQUET MANIFEST {nested}",
        target=into,
        manifest=literal(manifest),
        iam_role=Sql("default") if iam_role == "default" else literal(iam_role),
        nested=Sql("SERIALIZETOJSON" if nested else ""),
    ).rstrip()


def _stripped(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    return [tuple(str(value or "").strip() for value in row) for row in rows]
