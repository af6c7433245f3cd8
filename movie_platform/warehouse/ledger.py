"""The ledger: a row for every committed load, written in the load's own transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime

import pyarrow as pa

from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Session
from movie_platform.warehouse.dialect import Sql, filled, statement
from movie_platform.warehouse.loads import WHOLE_TABLE, LatestPartition, LedgerRow, LoadResult, PartitionLoad, Request

_INSTANT = pa.timestamp("us", tz="UTC")

LEDGER = Table(
    name="loads",
    description="Every committed load, in the transaction that made it.",
    columns=(
        Column("load_number", pa.int64(), "increases with every committed load", nullable=False),
        Column("table_name", pa.string(), "schema.table", nullable=False, max_bytes=512),
        Column("partition", pa.string(), "what was replaced; blank for a whole table", nullable=False, max_bytes=512),
        Column("version", pa.string(), "version of the delivery; sorts", nullable=False, max_bytes=512),
        Column("outcome", pa.string(), "loaded, confirmed or built", nullable=False),
        Column("source_digests", pa.string(), "digests of the objects loaded", nullable=False, max_bytes=8000),
        Column("rows", pa.int64(), "rows that the load brought", nullable=False),
        Column("rows_before", pa.int64(), "rows that the load took out", nullable=False),
        Column("code_version", pa.string(), "code that made the rows", nullable=False, max_bytes=512),
        Column("ruleset_digest", pa.string(), "rules that the rows passed", nullable=False, max_bytes=512),
        Column("run_id", pa.string(), "run that loaded", nullable=False, max_bytes=512),
        Column("started", _INSTANT, "when the load began", nullable=False),
        Column("ended", _INSTANT, "when its rows were in place, just before the commit", nullable=False),
    ),
    sort=("table_name", "partition"),
    distribution="all",
)


LOAD_LOCK = Table(
    name="load_turn",
    description="Holds nothing: the load that has it locked is the one that may commit. Readers never wait for it.",
    columns=(Column("holder", pa.string(), "unused"),),
    distribution="all",
)


def read_ledger(session: Session, table: Table | None, partition: str | None) -> list[LedgerRow]:
    """Committed loads, oldest first; of one table, of one partition, where they are given."""
    d = session.dialect
    wanted = {"table_name": table and table.qualified_name, "partition": partition}
    given = {column: value for column, value in wanted.items() if value is not None}
    sql = filled(
        "SELECT {columns} FROM {loads} WHERE {conditions} ORDER BY {load_number}",
        columns=d.quoted(LEDGER.column_names),
        loads=d.name_of(LEDGER),
        conditions=Sql(" AND ".join(f"{d.quote(column)} = ?" for column in given) or "1 = 1"),
        load_number=d.quote("load_number"),
    )
    return [LedgerRow(*row) for row in session.connection.fetch(sql, list(given.values()))]


def last_loads(session: Session, table: Table, first: str, last: str) -> dict[str, LedgerRow]:
    """The last committed load of each partition from `first` to `last`."""
    d = session.dialect
    sql = statement(
        "last_loads",
        columns=d.quoted(LEDGER.column_names),
        partition=d.quote("partition"),
        load_number=d.quote("load_number"),
        table_name=d.quote("table_name"),
        loads=d.name_of(LEDGER),
    )
    rows = session.connection.fetch(sql, (table.qualified_name, first, last))
    return {row.partition: row for row in (LedgerRow(*values) for values in rows)}


def highest_partition(session: Session, request: Request) -> object:
    """The highest partition that was ever loaded, this load included; one that was loaded empty counts as well."""
    d = session.dialect
    sql = filled(
        "SELECT max(CAST({partition} AS {type})) FROM {loads} WHERE {table_name} = ?",
        partition=d.quote("partition"),
        type=Sql(d.type_name(request.partition_column)),
        loads=d.name_of(LEDGER),
        table_name=d.quote("table_name"),
    )
    before = session.connection.fetch(sql, (request.table.qualified_name,))[0][0]
    now = max(request.partition_values(request.loads).to_pylist())
    return now if before is None else max(before, now)


def record_loads(
    session: Session,
    request: Request,
    loaded: Mapping[str, LoadResult],
    confirmed: Collection[str],
    built: Sequence[LatestPartition],
    started: datetime,
) -> None:
    """Write the rows of one transaction: derived tables that were built as a whole, then loads in their order."""
    d = session.dialect
    sql = filled(
        "SELECT coalesce(max({load_number}), 0) + 1 FROM {loads}",
        load_number=d.quote("load_number"),
        loads=d.name_of(LEDGER),
    )
    number = int(session.connection.fetch(sql)[0][0])
    ended = datetime.now(UTC)
    rows: list[LedgerRow] = []

    def add(table: Table, outcome: str, load: PartitionLoad, digests: str, count: int, count_before: int) -> None:
        row = LedgerRow(
            load_number=number + len(rows),
            table_name=table.qualified_name,
            partition=load.partition,
            version=load.version,
            outcome=outcome,
            source_digests=digests,
            rows=count,
            rows_before=count_before,
            code_version=request.provenance.code_version,
            ruleset_digest=request.provenance.ruleset_digest,
            run_id=request.provenance.run_id,
            started=started,
            ended=ended,
        )
        rows.append(row)

    for derived in built:
        whole = PartitionLoad(WHOLE_TABLE, version="")
        add(derived.table, "built", whole, derived.digest, session.count(d.name_of(derived.table)), 0)
    for load in request.loads:
        if result := loaded.get(load.partition):
            add(request.table, "loaded", load, load.digests, result.rows, result.rows_before)
        elif load.partition in confirmed:
            add(request.table, "confirmed", load, load.digests, load.rows, load.rows)
    columns = zip(*map(astuple, rows), strict=True)
    arrays = [pa.array(values, c.type) for values, c in zip(columns, LEDGER.columns, strict=True)]
    session.connection.insert(d.name_of(LEDGER), pa.table(arrays, schema=LEDGER.arrow_schema))
