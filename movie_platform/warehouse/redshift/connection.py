"""A connection to the cluster or workgroup: how to log in, and errors that never carry a secret."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.waits import AWS, Waits, ended_within
from movie_platform.warehouse.connection import Bound, TransactionConflict, insert_values
from movie_platform.warehouse.dialect import Sql
from movie_platform.warehouse.secrets import from_secrets_manager, without_secret

if TYPE_CHECKING:
    from pydantic import SecretStr

CONNECT, STATEMENT = 30.0, 3600.0
"""Seconds that logging in, and one statement, may take."""
MOST_PARAMETERS = 20_000
CONFLICTS = {"40001", "40P01", "23505", "42P07", "42P06"}
"""SQLSTATEs of transactions, and of tables made, that came second."""
CONFLICT_SIGNS = ("Serializable isolation violation", "concurrent transaction")
"""What Redshift says of the same where its SQLSTATE is only that of an internal error."""
CANCELLED = "57014"
ARROW_TYPES = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
}
NUMERIC = 1700


@dataclass(frozen=True)
class Login:
    """Where to log in and how: a password, a secret in Secrets Manager, or else IAM.

    An address is `redshift://[user@]host[:port]/database[?sslmode=...&workgroup=...&cluster=...&region=...]`.
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
        arguments: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or 5439,
            "database": unquote(parts.path.strip("/")) or "dev",
            "tcp_keepalive": True,
        }
        if options.get("sslmode") == "disable":
            arguments["ssl"] = False
        else:
            arguments |= {"ssl": True, "sslmode": options.get("sslmode", "verify-ca")}
        if self.secret is not None:
            return arguments | from_secrets_manager(self.secret, self.waits)
        if self.password is not None:
            if not parts.username:
                raise SettingsError("MOVIE_PLATFORM_WAREHOUSE names no user for MOVIE_PLATFORM_WAREHOUSE_PASSWORD")
            return arguments | {"user": unquote(parts.username), "password": self.password.get_secret_value()}
        return arguments | self._iam(parts.hostname or "", unquote(parts.username or ""), options)

    def _iam(self, host: str, user: str, options: dict[str, str]) -> dict[str, Any]:
        arguments: dict[str, Any] = {"iam": True}
        if "region" in options:
            arguments["region"] = options["region"]
        if "workgroup" in options or host.endswith(".redshift-serverless.amazonaws.com"):
            workgroup = options.get("workgroup") or host.split(".", 1)[0]
            return arguments | {"is_serverless": True, "serverless_work_group": workgroup}
        cluster = options.get("cluster") or host.split(".", 1)[0]
        return arguments | {"cluster_identifier": cluster, "db_user": user}


class RedshiftConnection:
    def __init__(self, inner: Any, bound: Bound, longer: float) -> None:
        self.inner = inner
        self.bound = bound
        self._longer = longer

    def limit_statements(self, seconds: float) -> None:
        """The cluster ends a statement after so many seconds, and this side a little later."""
        self.execute(f"SET statement_timeout TO {max(1, int(seconds * 1000))}")
        self.bound.seconds = seconds + self._longer

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self._run(sql, parameters).close()

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        cursor = self._run(sql, parameters)
        rows = [tuple(row) for row in cursor.fetchall()]
        cursor.close()
        return rows

    def fetch_arrow(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        cursor = self._run(sql, parameters)
        rows, described = cursor.fetchall(), cursor.description
        cursor.close()
        columns = list(zip(*rows, strict=True)) or [()] * len(described)
        arrays = [_arrow(values, column[1]) for values, column in zip(columns, described, strict=True)]
        names = [name.decode() if isinstance(name, bytes) else name for name, *_ in described]
        return pa.table(arrays, names=names)

    def insert(self, into: Sql, rows: pa.Table) -> None:
        insert_values(self, into, rows, MOST_PARAMETERS)

    def begin(self) -> None:
        self.execute("BEGIN")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self.inner.in_transaction and not self.bound.is_given_up:
            self.execute("ROLLBACK")

    def _run(self, sql: str, parameters: Sequence[object]) -> Any:
        from redshift_connector import error as errors

        cursor = self.inner.cursor()
        cursor.paramstyle = "qmark"
        try:
            self.bound.run(lambda: cursor.execute(sql, tuple(parameters)))
        except (errors.InterfaceError, errors.OperationalError, OSError, AttributeError) as error:
            # The driver lets a broken socket through as it is, and as an AttributeError once it has closed it.
            raise self.bound.broke(_message(error)) from None
        except errors.Error as error:
            raise _translated(error) from None
        finally:
            if self.bound.is_given_up:
                _cut(self.inner)
        return cursor


class Cancelled(WorldUnavailable):
    """A statement that waited longer than it may."""


class RedshiftRefused(PlatformError):
    """Redshift answered a statement with an error."""


def _translated(error: Exception) -> Exception:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code, message = details.get("C", ""), details.get("M") or str(error)
    if code in CONFLICTS or any(sign in message for sign in CONFLICT_SIGNS):
        return TransactionConflict(message)
    if code == CANCELLED:
        return Cancelled(f"Redshift cancelled the statement: {message}")
    more = "; ".join(str(details[field]) for field in ("D", "H") if details.get(field))
    return RedshiftRefused(f"Redshift refuses: {message}{f' ({more})' if more else ''}")


def _arrow(values: Sequence[object], oid: int) -> pa.Array:
    if oid == NUMERIC:
        return (
            pa.array(values) if any(value is not None for value in values) else pa.nulls(len(values), pa.decimal128(38))
        )
    return pa.array(values, ARROW_TYPES.get(oid, pa.string()))


@contextmanager
def connected(
    login: Login, purpose: str, connect: float = CONNECT, statement: float = STATEMENT
) -> Iterator[RedshiftConnection]:
    """A session of its own; `purpose` is its application's name, where the cluster's people can see it.

    Logging in, with all that it takes to find out how, takes at most `connect` seconds. A statement is ended by the
    cluster after `statement` seconds, and where no whole answer of it has come by then by this side, `connect` seconds
    later.
    """
    import redshift_connector
    from botocore.exceptions import BotoCoreError
    from redshift_connector import error as errors

    arguments = login.arguments()
    where = f"{arguments['host']}:{arguments['port']}/{arguments['database']}"
    check = "Check the address, the user, its password or IAM permissions, and the network."

    def log_in() -> Any:
        name = f"movie-platform: {purpose}"[:60]
        return redshift_connector.connect(**arguments, application_name=name, timeout=max(1, int(connect)))

    late = f"no connection to {where}: nobody was logged in within {connect:g} s (MOVIE_PLATFORM_WAREHOUSE_CONNECT)."
    try:
        inner = ended_within(connect, log_in, f"{late} {check}", too_late=_cut)
    except (errors.Error, BotoCoreError, OSError, ValueError) as error:
        raise WorldUnavailable(
            f"no connection to {where}: {without_secret(_message(error), arguments)}. {check}"
        ) from None
    inner.autocommit = True
    try:
        inner._usock.settimeout(None)  # the driver has one time-out for logging in and for all that follows
        named = "MOVIE_PLATFORM_WAREHOUSE_STATEMENT and MOVIE_PLATFORM_WAREHOUSE_CONNECT"
        connection = RedshiftConnection(inner, Bound(f"Redshift {where}, {purpose}", connect, named), connect)
        connection.limit_statements(statement)
        yield connection
    finally:
        # If it broke earlier, the error of that is on its way already.
        with suppress(errors.Error, OSError, AttributeError):
            inner.close()


def _cut(inner: Any) -> None:
    """End the connection without a word, below TLS: whoever still waits for an answer of it gets an error."""
    with suppress(OSError, AttributeError), socket.socket(fileno=os.dup(inner._usock.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _message(error: Exception) -> str:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return str(details.get("M") or error) or type(error).__name__
