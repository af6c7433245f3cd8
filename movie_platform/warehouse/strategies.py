"""What a load's transaction does with the rows that were staged: replace partitions, replace the table, or upsert."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from movie_platform.errors import LoadRefused, PlatformError
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Session
from movie_platform.warehouse.derived import build, note_affected_keys, replace_affected_keys
from movie_platform.warehouse.dialect import Sql, filled, statement
from movie_platform.warehouse.loads import LoadResult, PartitionLoad, Request, refuse_shrinking
from movie_platform.warehouse.staging import LOADING, STAGED, WINNING

VERSION = "loaded_version"

Strategy = Callable[[Session, Request, Sequence[PartitionLoad]], dict[str, LoadResult]]


def replace_partitions(session: Session, request: Request, loads: Sequence[PartitionLoad]) -> dict[str, LoadResult]:
    """Each partition holds the rows that were staged for it, and derived tables what all partitions imply."""
    table, d, connection = request.table, session.dialect, session.connection
    parts = {
        "target": d.name_of(table),
        "partition": d.quote(request.partition_column.name),
        "staged": d.quote(STAGED),
        "loading": d.quote(LOADING),
    }
    staged = dict(connection.fetch(filled("SELECT {partition}, count(*) FROM {staged} GROUP BY {partition}", **parts)))
    before = dict(connection.fetch(statement("partition_rows", **parts)))
    results = {}
    for value, load in zip(request.partition_values(loads).to_pylist(), loads, strict=True):
        results[load.partition] = _loaded(table, load, staged.get(value, 0), before.get(value, 0))

    keyed = [derived for derived in request.derived if derived.key]
    for derived in keyed:
        note_affected_keys(session, derived, parts)
    connection.execute(filled("DELETE FROM {target} WHERE {partition} IN (SELECT {partition} FROM {loading})", **parts))
    _insert(session, parts["target"], table, parts["staged"])
    for derived in keyed:
        replace_affected_keys(session, request, derived)
    for derived in request.derived:
        if not derived.key:
            build(session, request, derived)
    return results


def replace_table(session: Session, request: Request, loads: Sequence[PartitionLoad]) -> dict[str, LoadResult]:
    """The table holds the staged rows; `LoadRefused` if it would lose more than half of its own."""
    table = request.table
    name = session.dialect.name_of(table)
    (load,) = loads
    rows_before = session.count(name)
    if not request.force:
        refuse_shrinking(table, rows_before, load.rows)
    session.connection.execute(filled("DELETE FROM {table}", table=name))
    _insert(session, name, table, session.dialect.quote(STAGED))
    return {load.partition: _loaded(table, load, session.count(name), rows_before)}


def upsert(session: Session, request: Request, loads: Sequence[PartitionLoad]) -> dict[str, LoadResult]:
    """Staged rows are in the table by its key, except where a newer version has written the key."""
    table, d, connection = request.table, session.dialect, session.connection
    (load,) = loads
    name, staged, winning = d.name_of(table), d.quote(STAGED), d.quote(WINNING)
    versions = versions_table(table)
    _refuse_repeated_keys(session, table, load)
    staged_rows = session.count(staged)
    choose = statement(
        "winning_rows",
        winning=winning,
        columns=d.quoted(table.column_names),
        columns_of_staged=d.quoted(table.column_names, of="staged"),
        staged=staged,
        versions=d.name_of(versions),
        same_key=d.same(table.key, "staged", "written"),
        version=d.quote(VERSION),
    )
    connection.execute(choose, (load.version,))
    rows_before = session.count(name)
    if d.upsert == "merge":
        _merge_winning(session, table)
    else:
        _delete_winning(session, table, table.key)
        _insert(session, name, table, winning)
    _delete_winning(session, versions, table.key)
    note = filled(
        "INSERT INTO {versions} ({key}, {version}) SELECT {key}, ? FROM {winning}",
        versions=d.name_of(versions),
        key=d.quoted(table.key),
        version=d.quote(VERSION),
        winning=winning,
    )
    connection.execute(note, (load.version,))
    added = session.count(name) - rows_before
    written = session.count(winning)
    _refuse_other_count(table, load, staged_rows)
    result = LoadResult(table.qualified_name, load.partition, load.version, "loaded", written, written - added)
    return {load.partition: result}


STRATEGIES: dict[str, Strategy] = {"partitions": replace_partitions, "table": replace_table, "keys": upsert}
"""By what a request replaces."""


def versions_table(table: Table) -> Table:
    """Which version wrote each key of a table that is upserted."""
    columns = tuple(table[name] for name in table.key)
    return Table(
        name=f"{table.name}_versions",
        schema=table.schema,
        description=f"The version that each key of {table.name} comes from.",
        columns=(*columns, Column(VERSION, pa.string(), "version of the delivery", nullable=False, max_bytes=512)),
        key=table.key,
        distribution=table.distribution if table.distribution in {"all", "even", *table.key} else "even",
    )


def _insert(session: Session, target: Sql, table: Table, staged: Sql) -> None:
    columns = session.dialect.quoted(table.column_names)
    session.connection.execute(
        filled(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {staged}",
            target=target,
            columns=columns,
            staged=staged,
        )
    )


def _refuse_repeated_keys(session: Session, table: Table, load: PartitionLoad) -> None:
    sql = filled(
        "SELECT {key}, count(*) FROM {staged} GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 1",
        key=session.dialect.quoted(table.key),
        staged=session.dialect.quote(STAGED),
    )
    for *values, count in session.connection.fetch(sql):
        raise LoadRefused(
            f"{table.qualified_name} cannot be upserted by {', '.join(table.key)}: {count} rows of "
            f"version {load.version} have the key {dict(zip(table.key, values, strict=True))}. Merge them before the "
            "load."
        )


def _merge_winning(session: Session, table: Table) -> None:
    d = session.dialect
    others = [column for column in table.column_names if column not in table.key]
    merge = statement(
        "merge_winning",
        target=d.name_of(table),
        winning=d.quote(WINNING),
        same_key=d.same(table.key, "target", "winning"),
        assignments=Sql(", ".join(f"{d.quote(c)} = winning.{d.quote(c)}" for c in others or table.key)),
        columns=d.quoted(table.column_names),
        columns_of_winning=d.quoted(table.column_names, of="winning"),
    )
    session.connection.execute(merge)


def _delete_winning(session: Session, table: Table, key: Sequence[str]) -> None:
    d = session.dialect
    sql = filled(
        "DELETE FROM {target} USING {winning} AS winning WHERE {same_key}",
        target=d.name_of(table),
        winning=d.quote(WINNING),
        same_key=d.same(key, d.quote(table.name), "winning"),
    )
    session.connection.execute(sql)


def _loaded(table: Table, load: PartitionLoad, rows: int, rows_before: int) -> LoadResult:
    _refuse_other_count(table, load, rows)
    return LoadResult(table.qualified_name, load.partition, load.version, "loaded", rows, rows_before)


def _refuse_other_count(table: Table, load: PartitionLoad, rows: int) -> None:
    if rows != load.rows:
        raise PlatformError(
            f"{table.qualified_name} {load.partition or load.version}: its objects hold {rows} rows, and the load was "
            f"announced with {load.rows}. An object was replaced meanwhile: materialize again."
        )
