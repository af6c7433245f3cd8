"""A session in an account: how to log in, and errors that never carry a secret."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.waits import AWS, Waits, ended_within
from movie_platform.warehouse.connection import Bound, TransactionConflict, insert_values
from movie_platform.warehouse.dialect import Sql
from movie_platform.warehouse.secrets import from_secrets_manager, without_secret
from movie_platform.warehouse.views import MAIN

if TYPE_CHECKING:
    from pydantic import SecretStr

T = TypeVar("T")
MOST_PARAMETERS = 10_000
LOCK_TIMEOUT, DEADLOCK = 625, 60_000
NO_CONNECTION = range(250_000, 260_000)
OPTIONS = {"warehouse", "role", "authenticator", "private_key_file", "host", "port", "protocol"}


@dataclass(frozen=True)
class Login:
    """Where to log in and how.

    An address is `snowflake://user@account/database[?warehouse=...&role=...]`; `private_key_file` names a key pair's
    file where neither a password nor a secret is set.
    """

    address: str
    password: "SecretStr | None" = None
    secret: str | None = None
    waits: Waits = AWS
    """How long Secrets Manager may take."""

    def arguments(self) -> dict[str, Any]:
        """What the driver is given; made anew for every connection, so that rotated secrets are taken up."""
        parts = urlsplit(self.address)
        options = dict(parse_qsl(parts.query))
        if unknown := options.keys() - OPTIONS:
            raise SettingsError(f"MOVIE_PLATFORM_WAREHOUSE has no option {sorted(unknown)}; it has {sorted(OPTIONS)}")
        database = unquote(parts.path.strip("/"))
        if not database:
            raise SettingsError("MOVIE_PLATFORM_WAREHOUSE names no database: snowflake://user@account/database")
        arguments: dict[str, Any] = {
            "account": parts.hostname,
            "database": database.upper(),
            "schema": MAIN.upper(),
            **options,
        }
        if parts.username:
            arguments["user"] = unquote(parts.username)
        if self.secret is not None:
            return arguments | from_secrets_manager(self.secret, self.waits)
        if self.password is not None:
            return arguments | {"password": self.password.get_secret_value()}
        return arguments


class SnowflakeConnection:
    def __init__(self, inner: Any, bound: Bound) -> None:
        self.inner = inner
        self.bound = bound
        self.open = False

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self._run(sql, parameters, lambda cursor: cursor.close())

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        columns = [values for _, values, _ in self._columns(sql, parameters)]
        return list(zip(*columns, strict=True))

    def fetch_arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        columns = self._columns(sql, parameters)
        arrays = [pa.array(values, kind) for _, values, kind in columns]
        return pa.table(arrays, names=[name for name, _, _ in columns])

    def _columns(self, sql: str, parameters: Sequence[object]) -> list[tuple[str, list[Any], pa.DataType]]:
        """Name, values and type of each column of an answer; whole numbers as integers, whichever way they came."""
        rows, described = self._run(sql, parameters, _answer)
        columns = []
        for position, column in enumerate(described):
            values = [row[position] for row in rows]
            kind = _arrow_type(column)
            if kind == pa.int64():
                values = [None if value is None else int(value) for value in values]
            columns.append((column.name, values, kind))
        return columns

    def insert(self, into: Sql, rows: pa.Table) -> None:
        insert_values(self, into, rows, MOST_PARAMETERS)

    def begin(self) -> None:
        self.execute("BEGIN")
        self.open = True

    def commit(self) -> None:
        self.execute("COMMIT")
        self.open = False

    def rollback(self) -> None:
        if self.open and not self.bound.is_given_up:
            self.execute("ROLLBACK")
        self.open = False

    def _run(self, sql: str, parameters: Sequence[object], taken: Callable[[Any], T]) -> T:
        """What `taken` makes of the cursor, which may fetch more from the network."""
        import snowflake.connector

        def run() -> T:
            cursor = self.inner.cursor()
            cursor.execute(sql, [_bound(value) for value in parameters] or None)
            return taken(cursor)

        try:
            return self.bound.run(run)
        except snowflake.connector.Error as error:
            raise _translated(error, self.bound) from None


class SnowflakeRefused(PlatformError):
    """Snowflake answered a statement with an error."""


def _answer(cursor: Any) -> tuple[list[Any], Any]:
    rows, described = cursor.fetchall(), cursor.description
    cursor.close()
    return rows, described


def _translated(error: Any, bound: Bound) -> Exception:
    import snowflake.connector

    message = str(error.msg or error).strip()
    if error.errno in {LOCK_TIMEOUT, DEADLOCK} or "Conflict on " in message or "write-write conflict" in message:
        return TransactionConflict(message)
    if error.errno in NO_CONNECTION or isinstance(error, snowflake.connector.errors.OperationalError):
        return bound.broke(message)
    return SnowflakeRefused(f"Snowflake refuses: {message}")


def _bound(value: object) -> object:
    """Moments go as text, which keeps their zone whichever type the driver would bind them as."""
    return value.isoformat() if isinstance(value, date | datetime) else value


CONNECT, STATEMENT = 30.0, 3600.0
"""Seconds that logging in, and one statement, may take."""
FIXED = 0
ARROW_TYPES = {
    1: pa.float64(),
    3: pa.date32(),
    4: pa.timestamp("us"),
    6: pa.timestamp("us", tz="UTC"),
    7: pa.timestamp("us", tz="UTC"),
    8: pa.timestamp("us"),
    11: pa.binary(),
    12: pa.time64("us"),
    13: pa.bool_(),
}
"""By the driver's number of a type; text, and VARIANT as JSON, are the others."""


def _arrow_type(column: Any) -> pa.DataType:
    if column.type_code != FIXED:
        return ARROW_TYPES.get(column.type_code, pa.string())
    precision, scale = column.precision or 38, column.scale or 0
    return pa.int64() if scale == 0 and precision <= 19 else pa.decimal128(precision, scale)


@contextmanager
def connected(
    login: Login, purpose: str, wait: timedelta, connect: float = CONNECT, statement: float = STATEMENT
) -> Iterator[SnowflakeConnection]:
    """A session of its own; `purpose` is its query tag, where the account's people can see it.

    Logging in takes at most `connect` seconds. A statement is ended by the account after `statement` seconds, and where
    no whole answer of it has come by then by this side, `connect` seconds later.
    """
    import snowflake.connector

    arguments = login.arguments()
    session = {
        "TIMEZONE": "UTC",
        "LOCK_TIMEOUT": int(wait.total_seconds()),
        "STATEMENT_TIMEOUT_IN_SECONDS": max(1, int(statement)),
        "QUERY_TAG": f"movie-platform: {purpose}",
    }
    where = f"no connection to Snowflake account {arguments['account']}"
    check = "Check the address, the user, its password or key, and the network."

    def log_in() -> Any:
        return snowflake.connector.connect(
            **arguments,
            autocommit=True,
            paramstyle="qmark",
            session_parameters=session,
            application="movie_platform",
            login_timeout=max(1, int(connect)),
            network_timeout=max(1, int(statement)),
        )

    late = f"{where}: nobody was logged in within {connect:g} s (MOVIE_PLATFORM_WAREHOUSE_CONNECT)."
    try:
        inner = ended_within(connect, log_in, f"{late} {check}", too_late=lambda made: made.close())
    except (snowflake.connector.Error, OSError) as error:
        raise WorldUnavailable(f"{where}: {without_secret(error, arguments)}. {check}") from None
    named = "MOVIE_PLATFORM_WAREHOUSE_STATEMENT and MOVIE_PLATFORM_WAREHOUSE_CONNECT"
    try:
        what = f"Snowflake account {arguments['account']}, {purpose}"
        yield SnowflakeConnection(inner, Bound(what, statement + connect, named))
    finally:
        # It says good-bye, and what is unfinished ends with the session; an account that does not answer is left.
        with suppress(WorldUnavailable):
            ended_within(connect, inner.close, "")
