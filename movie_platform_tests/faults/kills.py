"""Where a run can be killed, and what it must end with when it is run again."""

import io
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.lake import ObjectStore
from movie_platform.warehouse.ledger import LEDGER
from movie_platform_tests.deliveries.sources import Subject, subject_of

IMPORTED = (__name__, "pandas", "pandera.pandas", "pyarrow.compute", "duckdb", "ibis", "boto3", "obstore.auth.boto3")
"""What a process that is killed would otherwise import for seconds."""
CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
FEW = 10
"""Bytes of a file that are written before the process is killed in the middle of it."""

How = Literal["before", "within"]


@dataclass(frozen=True)
class Place:
    """A source's raw side, lake and warehouse; opened by the process that works there."""

    kind: type[Subject]
    folder: Path
    address: str = ""
    """Of raw side and lake where they are on S3."""
    environment: dict[str, str] = field(default_factory=dict)

    def subject(self) -> Subject:
        os.environ.update(self.environment)
        self.folder.mkdir(exist_ok=True)
        base = self.address or self.folder.as_uri()
        return subject_of(self.kind, f"{base}/raw", f"{base}/lake", self.folder)

    def copied_to(self, folder: Path) -> None:
        """Files of raw side and lake are never changed in place: a link to one is a copy that keeps its etag."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("raw", "lake"))
        for name in ("raw", "lake"):
            shutil.copytree(self.folder / name, folder / name, copy_function=os.link)


@dataclass
class Boundaries:
    """What a run does to lake and warehouse, in order; at number `at` the process is killed.

    `within` lets a file that is being written then have a few bytes, and the warehouse's log or file a few more: the
    kernel ends a process that writes beyond the limit of a file's size.
    """

    at: int = 0
    how: How = "before"
    names: list[str] = field(default_factory=list)

    def before(self, what: str, size: int = 0) -> None:
        self.names.append(what)
        if len(self.names) != self.at:
            return
        if self.how == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + FEW, size + FEW))

    def watch(self, lake: Path) -> None:
        """From now on every change of a file below the folder, whichever code makes it, for as long as we live."""
        folder = os.fspath(lake)

        def hear(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open":
                path, _, flags = arguments
                if not flags & (os.O_WRONLY | os.O_RDWR):
                    return
            elif event in CHANGES:
                path = arguments[0]
            else:
                return
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder):
                key = arguments[1] if event in {"os.rename", "os.link"} else path
                self.before(f"{event} {os.fspath(key).removeprefix(folder)}")

        sys.addaudithook(hear)

    def announce(self, subject: Subject) -> None:
        """Each statement of the warehouse too, and that a connection is closed, when DuckDB tidies up its file."""
        connect, path = subject.warehouse.connect, subject.warehouse.path  # type: ignore[attr-defined]
        log = path.with_name(path.name + ".wal")

        @contextmanager
        def connected(purpose: str) -> Iterator[object]:
            with connect(purpose) as connection:
                yield _Announced(connection, self, log)
                self.before(f"close after {purpose}", size=path.stat().st_size)

        subject.warehouse.connect = connected  # type: ignore[method-assign, assignment]


@dataclass
class _Announced:
    inner: Any
    boundaries: Boundaries
    log: Path

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name not in {"execute", "insert", "begin", "commit"}:
            return value

        def announced(*arguments: Any) -> Any:
            size = self.log.stat().st_size if self.log.exists() else 0
            self.boundaries.before(f"{name} {str(arguments[0])[:60] if arguments else ''}".strip(), size)
            return value(*arguments)

        return announced


def prepared(place: Place) -> None:
    """One content is loaded, and its correction is delivered."""
    subject = place.subject()
    subject.deliver(1)
    subject.run()
    subject.deliver(2)


def corrected(place: Place, at: int = 0, how: How = "before") -> list[str]:
    """Run the correction; the names of all boundaries, for whom it lets live."""
    subject, boundaries = place.subject(), Boundaries(at, how)
    if not place.address:
        boundaries.watch(place.folder / "lake")
    boundaries.announce(subject)
    subject.run()
    return boundaries.names


def settled(place: Place) -> dict[str, object]:
    """What lake and warehouse hold after what is owed was run."""
    subject = place.subject()
    subject.settle()
    return {**_lake(subject.lake), **_warehouse(subject), "owed": subject.owed()}


def _lake(lake: ObjectStore) -> dict[str, object]:
    """The rows of Parquet, the bytes of archives, and that the other objects are there.

    Digests in names are of etags, which each write on local disk makes anew.
    """
    found: dict[str, object] = {}
    for info in lake.objects():
        key: object = None
        if info.key.endswith(".parquet"):
            key = _rows(pq.read_table(io.BytesIO(lake.read(info.key))))
        elif info.key.startswith(("archive/", "raw/")):
            key = lake.read(info.key)
        found[re.sub(r"[0-9a-f]{16}", "#", info.key)] = key
    return found


def _warehouse(subject: Subject) -> dict[str, object]:
    """The rows of every table, and of the ledger each load's newest version."""
    tables = subject.warehouse.query(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    ).to_pylist()
    names = [f"{of['table_schema']}.{of['table_name']}" for of in tables if of["table_name"] != LEDGER.name]
    last = {(row.table_name, row.partition): (row.version, row.rows) for row in subject.warehouse.ledger()}
    return {name: _rows(subject.warehouse.query(f"SELECT * FROM {name}")) for name in names} | {"ledger": last}


def _rows(table: pa.Table) -> Sequence[str]:
    return sorted(map(repr, table.to_pylist()))


def difference(found: dict[str, object], expected: dict[str, object]) -> str:
    """Nothing where they are equal."""
    names = sorted(name for name in {*found, *expected} if found.get(name, "") != expected.get(name, ""))
    return "; ".join(
        f"{name}: {found.get(name, 'missing')} instead of {expected.get(name, 'nothing')}" for name in names
    )
