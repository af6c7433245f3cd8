"""What the report is made from: the lake, the settings, the moment, and what the warehouse's ledger last held."""

import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import duckdb
import pyarrow.parquet as pq

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.settings import Settings
from movie_platform.warehouse import LedgerRow, open_warehouse
from movie_platform.warehouse.address import duckdb_path
from movie_platform.warehouse.connection import Session
from movie_platform.warehouse.duckdb.connection import DuckDBConnection
from movie_platform.warehouse.duckdb.dialect import DUCKDB
from movie_platform.warehouse.duckdb.published import published_path
from movie_platform.warehouse.ledger import read_ledger

LEDGER_KEY = "report/ledger.json"
"""What the last report knew of the ledger, for a report that cannot ask."""
LOADS_SHOWN = 200
PARTITIONS_KEPT = 400
UNDER_WAY = 16

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ledger:
    """Committed loads as the warehouse's ledger shows them at a moment."""

    at: str
    source: str
    """Where that was read, in words."""
    total: int = 0
    tables: tuple[tuple[str, int, int | None, str], ...] = ()
    """Table, loads, rows of each partition's last load summed, and when the last one was committed."""
    loads: tuple[tuple[int, str, str, str, str, int, int, str], ...] = ()
    """The newest: number, table, partition, version, outcome, rows, rows before, when."""
    partitions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Rows of the last load of each table's highest partitions."""

    def rows(self, table: str, partitions: Iterable[str]) -> int | None:
        """The rows that the table serves of the partitions; None where the ledger is not known."""
        known = self.partitions.get(table, {})
        return sum(known.get(partition, 0) for partition in partitions) if self.at else None

    @classmethod
    def parse(cls, text: bytes) -> "Ledger":
        found = json.loads(text)
        tables, loads = (tuple(tuple(row) for row in found[name]) for name in ("tables", "loads"))
        return cls(str(found["at"]), str(found["source"]), int(found["total"]), tables, loads, found["partitions"])

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Inputs:
    lake: ObjectStore
    settings: Settings
    now: datetime
    ledger: Ledger

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The work on each item in order, several at a time where the lake is far away."""
        if self.lake.local_path("report"):
            return map(work, items)
        with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="report") as pool:
            return iter(list(pool.map(work, items)))


def rows_of(lake: ObjectStore, key: str) -> int:
    """The rows of a Parquet object; 0 where it is not there."""
    try:
        with lake.open(key) as file:
            return int(pq.read_metadata(file).num_rows)
    except ObjectMissing:
        return 0


def read_parquet(lake: ObjectStore, key: str, columns: list[str] | None = None) -> Any:
    """The object as an Arrow table; None where it is not there."""
    try:
        return pq.read_table(io.BytesIO(lake.read(key)), columns=columns)
    except ObjectMissing:
        return None


def ledger_of(settings: Settings, lake: ObjectStore, now: datetime) -> Ledger:
    """The ledger from the published copy, from the warehouse where it is free this moment, or from the last report.

    It never waits: a load that holds the warehouse is left alone.
    """
    is_file = urlsplit(settings.warehouse).scheme == "duckdb"
    path = duckdb_path(settings.warehouse) if is_file else None
    if path and (copy := published_path(path)).exists():
        made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
        return _summary(_read_copy(copy), made, "the published copy of the warehouse")
    if path and not path.exists():
        return Ledger(_text(now), "the warehouse, which holds nothing yet")
    try:
        impatient = settings.model_copy(update={"warehouse_wait": timedelta(0)})
        return _summary(open_warehouse(impatient).ledger(), now, "the warehouse")
    except PlatformError as error:
        return _remembered(lake, str(error))


def _remembered(lake: ObjectStore, why: str) -> Ledger:
    try:
        return Ledger.parse(lake.read(LEDGER_KEY))
    except (ObjectMissing, ValueError, TypeError, KeyError):
        return Ledger("", f"No earlier report has read it, and the warehouse cannot be asked now: {why}")


def _read_copy(copy: Path) -> list[LedgerRow]:
    config: dict[str, Any] = {"TimeZone": "UTC", "autoinstall_known_extensions": False}
    with duckdb.connect(str(copy), read_only=True, config=config) as connection:
        try:
            return read_ledger(Session(DuckDBConnection(connection), DUCKDB), None, None)
        except duckdb.CatalogException:  # the copy was made before the first load
            return []


def _summary(rows: Sequence[LedgerRow], at: datetime, source: str) -> Ledger:
    last: dict[str, dict[str, LedgerRow]] = {}
    for row in rows:
        last.setdefault(row.table_name, {})[row.partition] = row
    loads = Counter(row.table_name for row in rows)
    tables = tuple(
        (name, loads[name], _served(of.values()), _text(max(row.ended for row in of.values())))
        for name, of in sorted(last.items())
    )
    newest = tuple(
        (r.load_number, r.table_name, r.partition, r.version, r.outcome, r.rows, r.rows_before, _text(r.ended))
        for r in reversed(rows[-LOADS_SHOWN:])
    )
    partitions = {
        name: {partition: of[partition].rows for partition in sorted(of)[-PARTITIONS_KEPT:]}
        for name, of in last.items()
    }
    return Ledger(_text(at), source, len(rows), tables, newest, partitions)


def _served(rows: Collection[LedgerRow]) -> int | None:
    """The rows of the last loads; None for a table that follows another, whose loads say nothing of its rows."""
    return None if any(row.outcome == "built" for row in rows) else sum(row.rows for row in rows)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
