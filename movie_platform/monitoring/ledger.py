"""The warehouse's ledger as it can be read without waiting for a load: what the report and the metrics show of it."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

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

KEY = "report/ledger.json"
"""What the last report knew of the ledger, for who cannot ask the warehouse."""
LOADS_SHOWN = 200
PARTITIONS_KEPT = 400


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


def ledger_of(settings: Settings, lake: ObjectStore, now: datetime, *, wakes: bool = True) -> Ledger:
    """The ledger from the published copy, from the warehouse where it is free this moment, or from the last report.

    It never waits: a load that holds the warehouse is left alone. Who asks often does not want to wake a warehouse that
    bills its time: without `wakes` one that is no file is not asked.
    """
    is_file = urlsplit(settings.warehouse).scheme == "duckdb"
    path = duckdb_path(settings.warehouse) if is_file else None
    if path and (copy := published_path(path)).exists():
        made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
        return _summary(_read_copy(copy), made, "the published copy of the warehouse")
    if path and not path.exists():
        return Ledger(_text(now), "the warehouse, which holds nothing yet")
    if not (is_file or wakes):
        return _remembered(lake, "a warehouse that bills its time is asked by the hourly report alone")
    try:
        impatient = settings.model_copy(update={"warehouse_wait": timedelta(0)})
        return _summary(open_warehouse(impatient).ledger(), now, "the warehouse")
    except PlatformError as error:
        return _remembered(lake, str(error))


def _remembered(lake: ObjectStore, why: str) -> Ledger:
    try:
        return Ledger.parse(lake.read(KEY))
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


_FORMAT = "%Y-%m-%d %H:%M:%S UTC"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_FORMAT)


def moment_of(text: str) -> datetime:
    """A moment as a `Ledger` shows it."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
