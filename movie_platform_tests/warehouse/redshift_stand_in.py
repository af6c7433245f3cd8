"""A stand-in for Redshift: a real PostgreSQL behind a socket that speaks what PostgreSQL lacks.

Transactions, locks, types and errors are PostgreSQL's. The stand-in asks for the password, drops the start-up
parameters that PostgreSQL refuses, takes out distribution and sort keys, reads COPY ... FROM 's3://' from the staged
objects, and gives the database the two system tables that the platform asks. SUPER is jsonb.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

PASSWORD = "s3cret-Passw0rd"
KEPT = {"user", "database", "application_name", "client_encoding", "options"}
"""Start-up parameters that PostgreSQL knows; the driver sends several that only Redshift does."""
COPY = re.compile(
    r"COPY (?P<table>\S+) FROM '(?P<manifest>s3://[^']+)' IAM_ROLE (?P<role>default|'[^']+') "
    r"FORMAT AS PARQUET MANIFEST(?P<nested> SERIALIZETOJSON)?"
)
REWRITES = [
    (re.compile(r" DISTSTYLE (?:ALL|EVEN|KEY DISTKEY \([^)]*\))"), ""),
    (re.compile(r" SORTKEY \([^)]*\)"), ""),
    (re.compile(r" WITH NO SCHEMA BINDING"), ""),
    (re.compile(r'(" )SUPER\b'), r"\1jsonb"),
    (re.compile(r"\bVARBYTE\(\d+\)"), "bytea"),
    (re.compile(r"LISTAGG\((.+?)\) WITHIN GROUP \((ORDER BY [^)]+)\)"), r"STRING_AGG(\1 \2)"),
]
SYSTEM_TABLES = """
    CREATE VIEW svv_columns AS
    SELECT table_schema::text, table_name::text, column_name::text,
           CASE data_type WHEN 'jsonb' THEN 'super' WHEN 'bytea' THEN 'varbyte' ELSE data_type END::text AS data_type,
           character_maximum_length::int, numeric_precision::int, numeric_scale::int
    FROM information_schema.columns;
    CREATE TABLE sys_load_error_detail (
        session_id int, start_time timestamptz DEFAULT clock_timestamp(), file_name text, column_name text,
        error_message text
    );
    CREATE FUNCTION stand_in_refuses(message text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '%', message; END $$;
"""


@dataclass
class RedshiftStandIn:
    """Where it listens, whom it lets in, and every statement that reached it, as it was sent."""

    postgres: str
    user: str = "loader"
    password: str = PASSWORD
    port: int = 0
    statements: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"redshift://{self.user}@127.0.0.1:{self.port}/dev?sslmode=disable"


@contextmanager
def redshift_stand_in(postgres: str, password: str = PASSWORD) -> Iterator[RedshiftStandIn]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(SYSTEM_TABLES)
    stand_in = RedshiftStandIn(postgres, password=password)
    listener = socket.create_server(("127.0.0.1", 0))
    stand_in.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=_Session(stand_in, client).run, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield stand_in
    # A thread that is blocked in accept() would keep the port open.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


class _Closed(Exception):
    pass


class _Session:
    def __init__(self, stand_in: RedshiftStandIn, client: socket.socket) -> None:
        self.stand_in = stand_in
        self.client = client
        self.server = _postgres_socket(stand_in.postgres)

    def run(self) -> None:
        # The driver writes a request in two pieces, and waits for the first to be acknowledged.
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._start_up()
            threading.Thread(target=self._answers, daemon=True).start()
            while True:
                self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                self._forward(*_message(self.client))
        except (_Closed, OSError):
            self._close()

    def _close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):  # it may be closed already
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _start_up(self) -> None:
        (length,) = struct.unpack("!i", _exactly(self.client, 4))
        packet = _exactly(self.client, length - 4)
        words = packet[4:].rstrip(b"\0").split(b"\0")
        given = dict(zip(words[::2], words[1::2], strict=True))
        self.client.sendall(b"R" + struct.pack("!ii", 8, 3))
        _, password = _message(self.client)
        allowed = (self.stand_in.user.encode(), self.stand_in.password.encode())
        if (given[b"user"], password.rstrip(b"\0")) != allowed:
            self.client.sendall(_error("28000", f"password authentication failed for user {given[b'user'].decode()}"))
            raise _Closed
        postgres = psycopg.conninfo.conninfo_to_dict(self.stand_in.postgres)
        kept = {name: value for name, value in given.items() if name.decode() in KEPT}
        kept[b"user"], kept[b"database"] = str(postgres["user"]).encode(), str(postgres["dbname"]).encode()
        body = packet[:4] + b"".join(name + b"\0" + value + b"\0" for name, value in kept.items()) + b"\0"
        self.server.sendall(struct.pack("!i", len(body) + 4) + body)
        self.copying = threading.Event()
        self.copied: list[tuple[bytes, bytes]] = []
        self.ready = threading.Condition()

    def _answers(self) -> None:
        """PostgreSQL's messages to the client; those to a COPY of ours stay here."""
        try:
            while True:
                kind, body = _message(self.server)
                if self.copying.is_set():
                    with self.ready:
                        self.copied.append((kind, body))
                        self.ready.notify_all()
                else:
                    self.client.sendall(kind + struct.pack("!i", len(body) + 4) + body)
        except (_Closed, OSError):
            self._close()

    def _forward(self, kind: bytes, body: bytes) -> None:
        if kind in {b"P", b"Q"}:
            start = body.index(b"\0") + 1 if kind == b"P" else 0
            end = body.index(b"\0", start)
            sql = body[start:end].decode()
            self.stand_in.statements.append(sql)
            body = body[:start] + self._rewritten(sql).encode() + body[end:]
        self.server.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _rewritten(self, sql: str) -> str:
        if sql.startswith("COPY "):
            match = COPY.fullmatch(sql)
            refusal = self._copy(match) if match else f"syntax error in COPY: {sql}"
            return f"SELECT stand_in_refuses({_quoted(refusal)})" if refusal else "SELECT 1"
        for pattern, replacement in REWRITES:
            sql = pattern.sub(replacement, sql)
        return sql

    def _copy(self, copy: re.Match) -> str | None:
        """Load what the manifest lists, in this session; why not, if not."""
        s3 = boto3.client("s3")
        manifest = json.loads(_object(s3, copy["manifest"]))
        for entry in manifest["entries"]:
            data = _object(s3, entry["url"])
            if len(data) != entry["meta"]["content_length"]:
                return f"{entry['url']} has {len(data)} bytes and the manifest says otherwise"
            rows = pq.read_table(pa.BufferReader(data))
            if any(pa.types.is_nested(f.type) for f in rows.schema) and not copy["nested"]:
                return "nested columns need SERIALIZETOJSON"
            answer = self._session(f"COPY {copy['table']} FROM STDIN", _copy_text(rows))
            if answer:
                failed = re.search(r'column "?(\w+)', answer)
                values = [entry["url"], failed[1] if failed else "", answer]
                self._session(
                    "INSERT INTO sys_load_error_detail (session_id, file_name, column_name, error_message) "
                    f"VALUES (pg_backend_pid(), {', '.join(map(_quoted, values))})"
                )
                return "Load into table failed. Check 'sys_load_error_detail' for details."
        return None

    def _session(self, sql: str, data: bytes | None = None) -> str | None:
        """Run a statement of ours between two of the client's; the error's message, if there is one."""
        self.copying.set()
        self.copied.clear()
        query = sql.encode() + b"\0"
        self.server.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
        if data is not None:
            self.server.sendall(b"d" + struct.pack("!i", len(data) + 4) + data + b"c" + struct.pack("!i", 4))
        with self.ready:
            assert self.ready.wait_for(lambda: any(kind == b"Z" for kind, _ in self.copied), timeout=60)
        self.copying.clear()
        errors = [body for kind, body in self.copied if kind == b"E"]
        return _fields(errors[0])["M"] + " " + _fields(errors[0]).get("W", "") if errors else None


def _postgres_socket(address: str) -> socket.socket:
    postgres: dict[str, Any] = dict(psycopg.conninfo.conninfo_to_dict(address))
    host, port = str(postgres["host"]), int(postgres.get("port") or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"{host}/.s.PGSQL.{port}")
    return connection


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise _Closed
        data += more
    return data


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!ci", _exactly(source, 5))
    return kind, _exactly(source, length - 4)


def _error(code: str, message: str) -> bytes:
    body = b"".join(f"{k}{v}\0".encode() for k, v in {"S": "FATAL", "C": code, "M": message}.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def _fields(body: bytes) -> dict[str, str]:
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _object(s3: Any, address: str) -> bytes:
    parts = urlsplit(address)
    return s3.get_object(Bucket=parts.netloc, Key=unquote(parts.path[1:]))["Body"].read()


def _copy_text(rows: pa.Table) -> bytes:
    """PostgreSQL's text form of COPY."""
    buffer = BytesIO()
    for row in rows.to_pylist():
        buffer.write("\t".join(map(_field, row.values())).encode() + b"\n")
    return buffer.getvalue()


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return r"\\x" + value.hex()
    text = json.dumps(value) if isinstance(value, list | dict) else value if isinstance(value, str) else str(value)
    for plain, escaped in [("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r")]:
        text = text.replace(plain, escaped)
    return text
