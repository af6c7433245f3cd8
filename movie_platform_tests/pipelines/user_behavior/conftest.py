"""A shop's database with purchases in it, and a line to it that can break."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pyarrow as pa
import pyarrow.csv
import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.samples import user_behavior as samples

DAY = date(2026, 1, 5)
NEXT_DAY = date(2026, 1, 6)

SHOP = """
CREATE SCHEMA retail;
CREATE TABLE retail.user_purchase (
    invoice_number varchar(10), stock_code varchar(20), detail varchar(1000), quantity int,
    invoice_date timestamp, unit_price numeric(8, 3), customer_id int, country varchar(20)
);
"""


def fill(address: str, day: date, rows: int) -> None:
    columns = ", ".join(USER_PURCHASE.column_names)
    with (
        psycopg.connect(address) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY retail.user_purchase ({columns}) FROM STDIN (FORMAT csv)") as copy,
    ):
        for batch in samples.purchases(day, rows):
            out = pa.BufferOutputStream()
            pyarrow.csv.write_csv(batch, out, pyarrow.csv.WriteOptions(include_header=False))
            copy.write(out.getvalue().to_pybytes())


@pytest.fixture
def shop(postgres: str) -> str:
    """The address of a database with an empty `retail.user_purchase`."""
    with psycopg.connect(postgres) as connection:
        connection.execute(SHOP)
    return postgres


@pytest.fixture(scope="module")
def busy_shop(postgres_server: str) -> Iterator[str]:
    """A database with 500,000 purchases on DAY and 1,000 on the next."""
    name = f"shop_{uuid.uuid4().hex}"
    base, separator, query = postgres_server.partition("?")
    address = base.rsplit("/", 1)[0] + "/" + name + separator + query
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(address) as shop:
            shop.execute(SHOP)
        fill(address, DAY, 500_000)
        fill(address, NEXT_DAY, 1_000)
        yield address
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


class Line:
    """A TCP line to a PostgreSQL that listens on a socket file; `faults` say what happens to one connection each."""

    def __init__(self, server: str, faults: list[Callable[[int], str]]) -> None:
        self._path = str(Path(parse_qs(urlsplit(server).query)["host"][0]) / ".s.PGSQL.5432")
        self._faults = faults
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.connections = 0
        database = urlsplit(server).path
        self.address = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}{database}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            fault = self._faults[self.connections] if self.connections < len(self._faults) else _no_fault
            self.connections += 1
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            self._ends += [client, server]
            threading.Thread(target=_pass_on, args=(client, server, _no_fault), daemon=True).start()
            threading.Thread(target=_pass_on, args=(server, client, fault), daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.close()


def _no_fault(passed: int) -> str:
    return "pass"


def cut_after(count: int) -> Callable[[int], str]:
    """The connection drops once so many bytes have come back."""
    return lambda passed: "cut" if passed > count else "pass"


def silent_after(count: int) -> Callable[[int], str]:
    """Nothing more comes back after so many bytes, and nobody says so."""
    return lambda passed: "silence" if passed > count else "pass"


def _pass_on(source: socket.socket, target: socket.socket, fault: Callable[[int], str]) -> None:
    passed = 0
    try:
        while data := source.recv(65_536):
            passed += len(data)
            what = fault(passed)
            if what == "silence":
                return
            if what == "cut":
                source.shutdown(socket.SHUT_RDWR)
                target.shutdown(socket.SHUT_RDWR)
                return
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def line(server: str, *faults: Callable[[int], str]) -> Iterator[Line]:
    made = Line(server, list(faults))
    try:
        yield made
    finally:
        made.close()
