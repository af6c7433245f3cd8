"""Where purchases come from: a PostgreSQL, or the embedded warehouse of the demonstration.

A source is asked for its columns first, so that a renamed or retyped one is reported before a row is read. Rows come in
one order whatever the source, so that the same purchases give the same object.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.csv

from movie_platform.errors import InputRefused, SettingsError, WorldUnavailable
from movie_platform.pipelines.user_behavior.purchase_columns import check_columns
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.settings import Settings
from movie_platform.sql_names import quoted
from movie_platform.warehouse.address import duckdb_path

if TYPE_CHECKING:
    import psycopg

CHUNK_BYTES = 8 * 2**20
BATCH_ROWS = 65_536
SILENCE = 60.0
"""Seconds without a byte after which a database counts as cut off."""
CONNECT, READ = 15.0, 1800.0
"""Seconds that a connection, and one reading of the purchases, may take."""

_SQL = Template(files(__package__).joinpath("purchases.sql").read_text())


class PurchaseSource(Protocol):
    """Where purchases come from."""

    @property
    def name(self) -> str:
        """What people call it; never holds a secret."""

    @property
    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """By the name of the relation its columns with their types, once `batches` has begun to read."""

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        """The purchases of the day by invoice date, or all, in the order of all their columns."""

    def without_date(self) -> int:
        """How many purchases have no invoice date, and so belong to no day."""


def _select(relation: str, day: date | None, parameter: str) -> tuple[str, list[date]]:
    columns = [quoted(name) for name in USER_PURCHASE.column_names]
    of_day = f"{quoted('invoice_date')} >= {parameter} AND {quoted('invoice_date')} < {parameter}"
    text = _SQL.substitute(
        columns=", ".join(columns),
        relation=_quoted_relation(relation),
        condition="TRUE" if day is None else of_day,
        order=", ".join(
            f'{column} COLLATE "C"' if pa.types.is_string(field.type) else column
            for column, field in zip(columns, USER_PURCHASE.columns, strict=True)
        ),
    )
    return text, [] if day is None else [day, day + timedelta(days=1)]


class PostgresPurchases:
    """`retail.user_purchase`, or another relation of that shape, in a PostgreSQL that is read by COPY.

    Never more than a chunk of rows is in memory. A database that refuses, drops the connection, says nothing for
    `silence` seconds, or needs more than `read` seconds for all of it is a `WorldUnavailable`.
    """

    def __init__(
        self,
        uri: str,
        *,
        password: str | None = None,
        relation: str = USER_PURCHASE.qualified_name,
        silence: float = SILENCE,
        connect: float = CONNECT,
        read: float = READ,
    ) -> None:
        from psycopg.conninfo import conninfo_to_dict

        self._uri = uri
        self._password = password
        self._relation = relation
        self._silence = silence
        self._connect = connect
        self._read = read
        self.columns: Mapping[str, Mapping[str, str]] = {}
        known = conninfo_to_dict(uri)
        self.name = f"{relation} in {known.get('dbname', 'postgres')} on {known.get('host', 'localhost')}"

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        import psycopg

        try:
            with self._connection() as connection, _Watchdog(connection, self._silence, self._read) as watchdog:
                watchdog.alive()
                self.columns = {self._relation: self._columns(connection)}
                check_columns(self.name, self.columns)
                query, parameters = _select(self._relation, day, "%s")
                with psycopg.ClientCursor(connection) as cursor:
                    copy = f"COPY ({cursor.mogrify(query, parameters)}) TO STDOUT (FORMAT csv)"
                    with cursor.copy(copy.encode()) as blocks:
                        yield from _parsed(self.name, watchdog.watched(blocks))
        except psycopg.OperationalError as error:
            raise WorldUnavailable(
                f"{self.name} could not be read: {_first_line(error)}. Check that the database runs, its address in "
                "MOVIE_PLATFORM_PURCHASES and the network."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise InputRefused(
                f"{self.name} may not be read: {_first_line(error)}. Grant SELECT on it to the platform's user.",
                rule="privileges",
            ) from error

    def without_date(self) -> int:
        import psycopg

        try:
            with self._connection() as connection, _Watchdog(connection, self._silence, self._read):
                (count,) = connection.execute(_undated(self._relation).encode()).fetchone() or (0,)
                return int(count)
        except psycopg.OperationalError as error:
            raise WorldUnavailable(f"{self.name} could not be read: {_first_line(error)}") from error

    @contextmanager
    def _connection(self) -> Iterator["psycopg.Connection[Any]"]:
        import psycopg

        with psycopg.connect(
            self._uri,
            connect_timeout=max(2, int(min(self._silence, self._connect))),  # libpq's own least is two seconds
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
            application_name="movie-platform",
            client_encoding="utf8",
            password=self._password,
        ) as connection:
            # A repeatable read sees one state of the table from the first row to the last.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("SET datestyle = 'ISO'")
            connection.execute(f"SET statement_timeout = {max(1, int(self._read * 1000))}")
            yield connection

    def _columns(self, connection: "psycopg.Connection[Any]") -> dict[str, str]:
        query = files(__package__).joinpath("postgres_columns.sql").read_bytes()
        found = connection.execute(query, [_quoted_relation(self._relation)]).fetchall()
        if not found:
            raise InputRefused(
                f"{self.name} does not exist, or its schema may not be used. Check the database that "
                "MOVIE_PLATFORM_PURCHASES names.",
                rule="columns",
            )
        return dict(found)


class EmbeddedPurchases:
    """A `retail.user_purchase` in the embedded warehouse: what the demo delivers, where there is no PostgreSQL."""

    def __init__(
        self, path: Path, *, wait: timedelta = timedelta(minutes=10), relation: str = USER_PURCHASE.qualified_name
    ) -> None:
        self._path = path
        self._wait = wait
        self._relation = relation
        self.columns: Mapping[str, Mapping[str, str]] = {}
        self.name = f"{relation} in the embedded warehouse"

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        schema, _, table = self._relation.rpartition(".")
        from movie_platform.warehouse.duckdb.connection import connected
        from movie_platform.warehouse.duckdb.lock import Deadline

        with connected(self._path, f"reading {self._relation}", Deadline.after(self._wait)) as connection:
            columns = files(__package__).joinpath("embedded_columns.sql").read_text()
            found = connection.fetch(columns, [schema, table])
            if not found:
                raise InputRefused(
                    f"{self.name} does not exist. `movie-platform simulate behavior` delivers sample purchases; "
                    "MOVIE_PLATFORM_PURCHASES=postgresql://... names the shop's own database.",
                    rule="columns",
                )
            self.columns = {self._relation: dict(found)}
            check_columns(self.name, self.columns)
            query, parameters = _select(self._relation, day, "?")
            for batch in connection.inner.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(USER_PURCHASE.arrow_schema)

    def without_date(self) -> int:
        from movie_platform.warehouse.duckdb.connection import connected
        from movie_platform.warehouse.duckdb.lock import Deadline

        with connected(self._path, f"reading {self._relation}", Deadline.after(self._wait)) as connection:
            return int(connection.fetch(_undated(self._relation))[0][0])


@dataclass(frozen=True)
class ShiftedPurchases:
    """Purchases of another time: those of a day are what the source has so much earlier."""

    source: PurchaseSource
    shift: timedelta

    @property
    def name(self) -> str:
        return f"{self.source.name}, {self.shift.days} days later"

    @property
    def columns(self) -> Mapping[str, Mapping[str, str]]:
        return self.source.columns

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        return self.source.batches(None if day is None else day - self.shift)

    def without_date(self) -> int:
        return self.source.without_date()


def _undated(relation: str) -> str:
    return f"SELECT COUNT(*) FROM {_quoted_relation(relation)} WHERE {quoted('invoice_date')} IS NULL"  # noqa: S608


def purchase_source(settings: Settings) -> PurchaseSource:
    """Where the settings say that purchases come from. Nothing is opened before the first row is asked for."""
    source = _source(settings)
    return ShiftedPurchases(source, settings.purchases_date_shift) if settings.purchases_date_shift else source


def _source(settings: Settings) -> PurchaseSource:
    if settings.purchases != "warehouse":
        password = settings.purchases_password
        return PostgresPurchases(
            settings.purchases,
            password=password.get_secret_value() if password else None,
            relation=settings.purchases_table,
            silence=settings.purchases_silence.total_seconds(),
            connect=settings.purchases_connect.total_seconds(),
            read=settings.purchases_read.total_seconds(),
        )
    if not settings.warehouse.startswith("duckdb:"):
        raise SettingsError(
            "MOVIE_PLATFORM_PURCHASES='warehouse' means sample purchases in the embedded warehouse, and "
            "MOVIE_PLATFORM_WAREHOUSE names another one: set MOVIE_PLATFORM_PURCHASES=postgresql://user@host:port/db"
        )
    return EmbeddedPurchases(
        duckdb_path(settings.warehouse), wait=settings.warehouse_wait, relation=settings.purchases_table
    )


def _parsed(source: str, blocks: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
    """Blocks of COPY's CSV as batches of about `CHUNK_BYTES`; unquoted blanks are nulls, quoted ones empty text."""
    options = {
        "read_options": pa.csv.ReadOptions(column_names=USER_PURCHASE.column_names, block_size=2 * CHUNK_BYTES),
        "parse_options": pa.csv.ParseOptions(newlines_in_values=True),
        "convert_options": pa.csv.ConvertOptions(
            column_types=USER_PURCHASE.arrow_schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }
    for chunk in _whole_records(blocks):
        try:
            table = pa.csv.read_csv(pa.BufferReader(chunk), **options)
        except pa.ArrowInvalid as error:
            raise InputRefused(
                f"{source} holds a value that does not fit: {_first_line(error)}", rule="columns"
            ) from error
        yield from table.combine_chunks().to_batches()


def _whole_records(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Chunks that end where a record ends: at a line break with all quotes before it closed."""
    pieces: list[bytes] = []
    size = quotes = 0
    for block in blocks:
        pieces.append(block)
        size += len(block)
        quotes += block.count(b'"')
        if size >= CHUNK_BYTES and quotes % 2 == 0 and block.endswith(b"\n"):
            yield b"".join(pieces)
            pieces, size, quotes = [], 0, 0
    if pieces:
        yield b"".join(pieces)


class _Watchdog:
    """Ends a connection that has gone silent, or on which little comes for too long: libpq would wait for ever."""

    def __init__(self, connection: "psycopg.Connection[Any]", silence: float, read: float) -> None:
        import threading

        self._connection = connection
        self._silence = silence
        self._read = read
        self._last = time.monotonic()
        self._waited = 0.0
        self._done = threading.Event()
        self._waiting = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="purchases-watchdog", daemon=True)
        self._fired = ""

    def alive(self) -> None:
        self._last = time.monotonic()

    def watched(self, blocks: Any) -> Iterator[bytes]:
        """The blocks, each taken as a sign of life; the time that the consumer takes does not count."""
        self._waiting.set()
        for block in blocks:
            self._waiting.clear()
            self._waited += time.monotonic() - self._last
            yield bytes(block)
            self.alive()
            self._waiting.set()

    def _watch(self) -> None:
        import os
        import socket

        while not self._done.wait(min(1.0, self._silence / 4)):
            if not self._waiting.is_set():
                continue
            silent = time.monotonic() - self._last
            if silent > self._silence:
                self._fired = f"the database said nothing for {self._silence:g} s"
            elif self._waited + silent > self._read:
                self._fired = f"the database needed more than {self._read:g} s for its answer"
            if self._fired:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
                return

    def __enter__(self) -> "_Watchdog":
        self._waiting.set()
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._done.set()
        self._thread.join()
        if self._fired and error is not None:
            raise WorldUnavailable(self._fired) from error


def _quoted_relation(relation: str) -> str:
    return ".".join(quoted(part) for part in relation.split("."))


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
