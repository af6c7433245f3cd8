"""Purchases of a day from where the shop keeps them into the lake, as a stream.

A source is asked for its columns first, so that a renamed or retyped one is reported before a byte is written. Rows
come in one order whatever the source, so that the same purchases give the same object.
"""

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from movie_platform.deliveries import Manifest, ManifestFile, Overtaken, manifests, until_undisturbed
from movie_platform.errors import InputRefused, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior.archive import PURCHASES
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.settings import Settings
from movie_platform.sql_names import quoted
from movie_platform.warehouse.address import duckdb_path
from movie_platform.warehouse.duckdb.connection import connected
from movie_platform.warehouse.duckdb.lock import Deadline

if TYPE_CHECKING:
    import psycopg

CODE_VERSION = "1"
"""Changes when the same purchases would give another object."""

QUANTITY = pa.decimal128(10, 0)
"""A quantity as a factor of a price, exactly."""

CHUNK_BYTES = 8 * 2**20
BATCH_ROWS = 65_536
ATTEMPTS = 4
RETRY = 30.0
"""Seconds after its first attempt until which a reading is tried again: what took longer to fail fails again."""
FIRST_PAUSE = 2.0
SILENCE = 60.0
"""Seconds without a byte after which a database counts as cut off."""
CONNECT, READ = 15.0, 1800.0
"""Seconds that a connection, and one reading of the purchases, may take."""

_SQL = Template(files(__package__).joinpath("purchases.sql").read_text())


class PurchaseSource(Protocol):
    """Where purchases come from."""

    name: str
    """What people call it; never holds a secret."""

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        """The purchases of the day by invoice date, or all, in the order of all their columns."""


@dataclass
class Extract:
    """What was staged, and what is special about it."""

    key: str
    etag: str = ""
    sha256: str = ""
    rows: int = 0
    bytes: int = 0
    without_customer: int = 0
    cancellations: int = 0
    amount: Decimal = Decimal("0.000")
    cancelled_amount: Decimal = Decimal("0.000")
    attempts: int = 1
    setbacks: list[str] = field(default_factory=list)
    """Why earlier attempts did not end well."""


def stage_prefix(day: date) -> str:
    return f"stage/user_purchase/{day:%Y-%m-%d}/"


def stage_key(day: date) -> str:
    return f"{stage_prefix(day)}user_purchase.parquet"


def extract(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool = False,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], object] = time.sleep,
) -> Extract:
    """Stage the day's purchases, or with `full` all of them, under the day.

    The object appears when the last row is in it, and an attempt that the world cut short leaves nothing, so that the
    next one starts over and nothing is doubled. After the last attempt the `WorldUnavailable` is the caller's. Of two
    runs at once the one that reads the database last stays: the other one reads it again.
    """
    return until_undisturbed(
        lambda: _extract_and_archive(source, lake, day, full=full, attempts=attempts, pause=pause),
        f"the purchases of {day}",
    )


def _extract_and_archive(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool,
    attempts: int,
    pause: Callable[[float], object],
) -> Extract:
    before = manifests.latest(lake, PURCHASES, day.isoformat())
    staged = _extract(source, lake, day, full=full, attempts=attempts, pause=pause)
    file = ManifestFile("", staged.sha256, staged.bytes, staged.etag, staged.rows)
    if before and {found.sha256 for found in before.files.values()} == {staged.sha256}:
        manifest = replace(before, files={staged.key: file})
        manifests.rewrite(lake, manifest)  # the same purchases, staged again
    else:
        manifest = manifests.publish(lake, PURCHASES, day.isoformat(), {staged.key: file}, after=before)
    manifests.must_be_newest(lake, manifest)
    must_be_staged(lake, manifest)
    return staged


def must_be_staged(lake: ObjectStore, manifest: Manifest) -> None:
    """`Overtaken` where another run's purchases are staged than those of the manifest."""
    for key, file in manifest.files.items():
        found = lake.info(key)
        if found is None or found.etag != file.archived:
            raise Overtaken(f"another run staged the purchases of {manifest.partition}")


def _extract(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool,
    attempts: int,
    pause: Callable[[float], object],
) -> Extract:
    setbacks: list[str] = []
    until = time.monotonic() + RETRY
    while True:
        try:
            staged = _extract_once(source, lake, stage_key(day), None if full else day)
        except WorldUnavailable as error:
            setbacks.append(str(error))
            if len(setbacks) >= attempts or time.monotonic() >= until:
                raise WorldUnavailable(f"{error} ({len(setbacks)} attempts were made)") from error
            pause(FIRST_PAUSE * 2 ** (len(setbacks) - 1))
        else:
            staged.attempts, staged.setbacks = len(setbacks) + 1, setbacks
            return staged


def _extract_once(source: PurchaseSource, lake: ObjectStore, key: str, day: date | None) -> Extract:
    staged = Extract(key)
    with tempfile.TemporaryDirectory(prefix="movie-platform-purchases-") as folder:
        path = Path(folder) / "user_purchase.parquet"
        with pq.ParquetWriter(path, USER_PURCHASE.arrow_schema, compression="zstd") as parquet:
            for batch in source.batches(day):
                parquet.write_batch(batch)
                _add(staged, batch)
        staged.bytes = path.stat().st_size
        with path.open("rb") as written:
            staged.sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        staged.etag = lake.upload(key, path)
    return staged


def _add(staged: Extract, batch: pa.RecordBatch) -> None:
    amounts = pc.multiply(pc.cast(batch["quantity"], QUANTITY), batch["unit_price"])
    cancelled = pc.fill_null(pc.starts_with(batch["invoice_number"], "C"), False)
    staged.rows += batch.num_rows
    staged.without_customer += batch["customer_id"].null_count
    staged.cancellations += pc.sum(cancelled).as_py() or 0
    staged.amount += pc.sum(amounts).as_py() or 0
    staged.cancelled_amount += pc.sum(amounts.filter(cancelled)).as_py() or 0


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source's catalogue shows it."""

    name: str
    type: str


_TEXT = re.compile(r"(character varying|varchar|character|text|bpchar)(\(\d+\))?", re.IGNORECASE)
_WHOLE = re.compile(r"integer|smallint", re.IGNORECASE)
_TIME = re.compile(r"timestamp(\(\d\))?( without time zone)?", re.IGNORECASE)
_NUMERIC = re.compile(r"(?:numeric|decimal)\((\d+),\s*(\d+)\)", re.IGNORECASE)


def check_columns(source: str, found: Sequence[SourceColumn]) -> None:
    """Refuse a source that lacks a column of `USER_PURCHASE`, or has one of a type that does not fit into it."""
    types = {column.name: column.type for column in found}
    problems = []
    for column in USER_PURCHASE.columns:
        if column.name not in types:
            problems.append(f"has no column {column.name} ({_wanted(column.type)})")
        elif not _fits(types[column.name], column.type):
            problems.append(f"has {column.name} as {types[column.name]} where {_wanted(column.type)} is expected")
    if problems:
        raise InputRefused(
            f"{source} {', and '.join(problems)}. Mend the table, or give the platform a view that has these columns.",
            rule="columns",
        )


def _wanted(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    return {pa.string(): "text", pa.int32(): "integer"}.get(kind, "timestamp without time zone")


def _fits(found: str, kind: pa.DataType) -> bool:
    if pa.types.is_decimal(kind):
        match = _NUMERIC.fullmatch(found)
        # Digits before the point and behind it must both have room.
        return match is not None and int(match[2]) <= kind.scale and int(match[1]) - int(match[2]) <= 5
    pattern = {pa.string(): _TEXT, pa.int32(): _WHOLE}.get(kind, _TIME)
    return pattern.fullmatch(found) is not None


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
        known = conninfo_to_dict(uri)
        self.name = f"{relation} in {known.get('dbname', 'postgres')} on {known.get('host', 'localhost')}"

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        import psycopg

        try:
            with self._connection() as connection, _Watchdog(connection, self._silence, self._read) as watchdog:
                watchdog.alive()
                check_columns(self.name, self._columns(connection))
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

    def _columns(self, connection: "psycopg.Connection[Any]") -> list[SourceColumn]:
        query = files(__package__).joinpath("postgres_columns.sql").read_bytes()
        found = connection.execute(query, [_quoted_relation(self._relation)]).fetchall()
        if not found:
            raise InputRefused(
                f"{self.name} does not exist, or its schema may not be used. Check the database that "
                "MOVIE_PLATFORM_PURCHASES names.",
                rule="columns",
            )
        return [SourceColumn(name, kind) for name, kind in found]


class EmbeddedPurchases:
    """A `retail.user_purchase` in the embedded warehouse: what the demo delivers, where there is no PostgreSQL."""

    def __init__(
        self, path: Path, *, wait: timedelta = timedelta(minutes=10), relation: str = USER_PURCHASE.qualified_name
    ) -> None:
        self._path = path
        self._wait = wait
        self._relation = relation
        self.name = f"{relation} in the embedded warehouse"

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        schema, _, table = self._relation.rpartition(".")
        with connected(self._path, f"reading {self._relation}", Deadline.after(self._wait)) as connection:
            columns = files(__package__).joinpath("embedded_columns.sql").read_text()
            found = connection.fetch(columns, [schema, table])
            if not found:
                raise InputRefused(
                    f"{self.name} does not exist. `movie-platform simulate behavior` delivers sample purchases; "
                    "MOVIE_PLATFORM_PURCHASES=postgresql://... names the shop's own database.",
                    rule="columns",
                )
            check_columns(self.name, [SourceColumn(name, kind) for name, kind in found])
            query, parameters = _select(self._relation, day, "?")
            for batch in connection.inner.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(USER_PURCHASE.arrow_schema)


def purchase_source(settings: Settings) -> PurchaseSource:
    """Where the settings say that purchases come from. Nothing is opened before the first row is asked for."""
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
