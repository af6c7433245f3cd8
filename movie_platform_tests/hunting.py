"""Finds marked credentials in whatever a run leaves behind, also where they are packed, encoded or compressed."""

import base64
import binascii
import gzip
import io
import re
import sqlite3
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq

SURROUNDED = '{core}"/+%@\\ü'
"""A password that needs escaping wherever it is written; its core needs none, and is what is searched for."""
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{48,}")
URL_SAFE = bytes.maketrans(b"-_", b"+/")
DEEP_ENOUGH = 5


def password(core: str, *, ascii_only: bool = False) -> str:
    found = SURROUNDED.format(core=core)
    return found.removesuffix("ü") if ascii_only else found


def forms(core: str) -> set[bytes]:
    """How a text may stand in bytes: plain (and so with any escaping of what surrounds it), backwards, in UTF-16 and
    hexadecimal, and in base64 at each of the three places where it may begin."""
    plain = core.encode()
    found = {plain, plain[::-1], core.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    found.add("".join(f"%{byte:02x}" for byte in plain).encode())
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + plain)
        found.add(coded[before + bool(before) : len(plain) * 4 // 3 - 2])
    return found


def opened(data: bytes, deep: int = 0) -> Iterator[bytes]:
    """The bytes, and what is in them: members of archives, rows of Parquet, SQLite and DuckDB, base64 and zlib."""
    yield data
    if deep == DEEP_ENOUGH:
        return
    for inner in (*_inside(data), *_decoded(data)):
        yield from opened(inner, deep + 1)


def _inside(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"PAR1"):
        yield repr(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif data.startswith(b"SQLite format 3\0"):
        yield from _cells(data)
    elif data[8:12] == b"DUCK":
        yield _duckdb_rows(data)
    elif data[:1] == b"x":
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(data)


def _cells(database: bytes) -> Iterator[bytes]:
    """Dagster keeps snapshots compressed."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(database[:18] + b"\1\1" + database[20:])  # as one without a log beside it
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield from (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
    connection.close()


def _duckdb_rows(data: bytes) -> bytes:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.duckdb"
        path.write_bytes(data)
        with duckdb.connect(str(path), read_only=True) as connection:
            names = connection.execute("SELECT schema_name, table_name, sql FROM duckdb_tables()").fetchall()
            rows = [connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall() for schema, name, _ in names]
            views = connection.execute("SELECT sql FROM duckdb_views()").fetchall()
    return repr((names, views, rows)).encode()


def _decoded(data: bytes) -> Iterator[bytes]:
    for run in BASE64.findall(data):
        with suppress(binascii.Error):  # a run of letters that is none
            yield base64.b64decode(run.translate(URL_SAFE) + b"=" * (-len(run) % 4))


class Hunt:
    """Cores of credentials by their names, and the places that were searched for all of them."""

    def __init__(self, *names: str) -> None:
        self.cores = {name: f"Mk{zlib.crc32(name.encode()):08x}{name}Zq" for name in names}
        self.places: list[str] = []
        self.found: set[str] = set()
        self._forms = {name: forms(core) for name, core in self.cores.items()}

    def search(self, place: str, what: bytes | str) -> None:
        self.places.append(place)
        for data in opened(what if isinstance(what, bytes) else what.encode("utf-8", "surrogateescape")):
            self.found |= {
                f"{name} in {place}" for name, known in self._forms.items() if any(form in data for form in known)
            }

    def search_folder(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(folder))
                self.search(name, name.encode("utf-8", "surrogateescape") + b"\n")
                self.search(name, path.read_bytes())

    @contextmanager
    def watching_processes(self) -> Iterator[set[str]]:
        """Search the arguments of every process of this machine that is seen meanwhile; these, when it is over."""
        over, seen = threading.Event(), set[str]()

        def watch() -> None:
            while not over.wait(0.2):
                for process in psutil.process_iter():
                    with suppress(psutil.Error):
                        seen.add(" ".join(process.cmdline()))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()
            self.search_all("arguments of a process", seen)

    def search_all(self, place: str, texts: Iterable[bytes | str]) -> None:
        for text in texts:
            self.search(place, text)
