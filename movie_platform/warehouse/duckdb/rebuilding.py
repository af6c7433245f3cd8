"""The warehouse's file made anew beside the old one, which it replaces when it is whole."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from movie_platform.errors import PlatformError, WarehouseDamaged
from movie_platform.warehouse.dialect import Sql, filled, literal
from movie_platform.warehouse.duckdb.connection import connected
from movie_platform.warehouse.duckdb.dialect import DUCKDB
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform.warehouse.duckdb.published import published_path
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse

_TABLES = (
    "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT temporary AND NOT internal AND database_name = ?"
)


@dataclass(frozen=True)
class Rebuilt:
    """What was done: tables taken over from the old file, and where that file is now (None where there was none)."""

    carried_over: tuple[str, ...]
    kept_as: Path | None


def rebuild(
    warehouse: DuckDBWarehouse,
    load: Callable[[DuckDBWarehouse], object],
    *,
    not_from_lake: Collection[str] = (),
    without: Collection[str] = (),
) -> Rebuilt:
    """Let `load` fill a new file, take over the tables of the old one that the lake does not make, and swap the files.

    Other loads wait meanwhile. The old file stays beside the new one under another name. Where it is damaged, its
    published copy is read instead; where that cannot be read either, `PlatformError` names the tables of
    `not_from_lake`, unless the caller does `without` them. Until the swap nothing of the old file changes.
    """
    path = warehouse.path
    deadline = Deadline.after(warehouse.wait)
    with held(path.with_name(path.name + ".lock"), "making the warehouse anew", deadline):
        new = path.with_name(f".{path.name}.rebuilt")
        _remove(new)
        try:
            fresh = DuckDBWarehouse(new, wait=timedelta(seconds=1))
            load(fresh)
            carried = _carry_over(path, fresh, {*not_from_lake} - {*without}, {*without}, deadline)
            return Rebuilt(carried, _swap(path, new))
        finally:
            _remove(new)
            new.with_name(new.name + ".lock").unlink(missing_ok=True)


def _carry_over(
    old: Path, fresh: DuckDBWarehouse, required: Collection[str], without: Collection[str], deadline: Deadline
) -> tuple[str, ...]:
    """Copy what the new file has no table for, from the old file or else from its published copy."""
    sources = [path for path in (old, published_path(old)) if path.exists()]
    if not sources:
        return ()
    problems = []
    for source in sources:
        try:
            return _copy(source, fresh, without, deadline)
        except (WarehouseDamaged, duckdb.Error, OSError) as error:
            problems.append(str(error).splitlines()[0])
    if required:
        raise PlatformError(
            f"{', '.join(sorted(required))} is not in the lake and cannot be taken over from {old}: "
            f"{'; '.join(problems)}. Restore the file from a copy, or add --without for each table to do without it."
        )
    return ()


def _copy(source: Path, fresh: DuckDBWarehouse, without: Collection[str], deadline: Deadline) -> tuple[str, ...]:
    d, carried = DUCKDB, []
    with connected(fresh.path, "making the warehouse anew", deadline) as connection:
        connection.execute(filled("ATTACH {file} AS old (READ_ONLY)", file=literal(str(source))))
        try:
            current = str(connection.fetch("SELECT current_database()")[0][0])
            made = set(connection.fetch(_TABLES, [current]))
            connection.begin()
            for schema, table in sorted(set(connection.fetch(_TABLES, ["old"])) - made):
                name = f"{schema}.{table}"
                if name in without:
                    continue
                target = Sql(f"{d.quote(schema)}.{d.quote(table)}")
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {d.quote(schema)}")
                connection.execute(filled("CREATE TABLE {t} AS SELECT * FROM old.{t}", t=target))
                carried.append(name)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.execute("DETACH old")
    return tuple(carried)


def _swap(path: Path, new: Path) -> Path | None:
    """Put the new file in place; a process that is killed in between leaves the old one under its other name."""
    if new.with_name(new.name + ".wal").exists():
        raise PlatformError(f"{new} was not closed by its last writer, and is not put in place. Try again.")
    kept = None
    if path.exists():
        kept = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        log = path.with_name(path.name + ".wal")
        # The log first: the new file must never meet the log of the old one.
        if log.exists():
            log.rename(kept.with_name(kept.name + ".wal"))
        path.rename(kept)
    new.rename(path)
    return kept


def _remove(path: Path) -> None:
    for name in (path.name, path.name + ".wal"):
        path.with_name(name).unlink(missing_ok=True)
