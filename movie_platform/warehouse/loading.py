"""How a load happens, whichever the engine: stage, then one transaction with its derived tables and its ledger rows."""

import itertools
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet

from movie_platform.errors import LoadRefused, PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.table import Column, Table
from movie_platform.warehouse.connection import Connection, TransactionConflict
from movie_platform.warehouse.dialect import Dialect, Sql, statement
from movie_platform.warehouse.loads import (
    LEDGER,
    WHOLE_TABLE,
    Decision,
    LatestPartition,
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Request,
    Source,
    decide,
    keep_master,
    misfits,
)
from movie_platform.warehouse.views import View, in_order, statements, translate

if TYPE_CHECKING:
    import ibis.expr.types as ir

STAGED, LOADING, WINNING = "staged_rows", "loading_partitions", "winning_rows"
VERSION = "loaded_version"
PAUSE, LONGEST_PAUSE = 0.1, 2.0


@dataclass(frozen=True)
class Staging:
    """What an engine puts into its temporary table: the rows of these loads, and nothing else."""

    request: Request
    loads: tuple[PartitionLoad, ...]
    lake: ObjectStore
    holds_partition: bool = False
    """Whether the Parquet has the partition column itself: then it must say what the partition's name says."""
    longest: dict[str, int] = field(default_factory=dict)
    """Bytes of the longest text of each column, as an engine that makes room for it found them."""

    @property
    def placed(self) -> list[tuple[str, Source]]:
        return [(load.partition, source) for load in self.loads for source in load.sources]

    @property
    def rows(self) -> int:
        return sum(load.rows for load in self.loads)


class LoadingWarehouse(ABC):
    """The protocol, carried out with what an engine's room adds: a dialect, connections and a way to stage Parquet."""

    dialect: Dialect
    wait: timedelta
    """How long a load waits for its turn."""

    @abstractmethod
    def connect(self, purpose: str) -> AbstractContextManager[Connection]:
        """A connection for one load or question; `purpose` is what others are told who wait for it."""

    @abstractmethod
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> AbstractContextManager[None]:
        """Fill a temporary table, which has the table's columns, with a load's rows."""

    def make_turn(self, connection: Connection) -> None:  # noqa: B027
        """Before a transaction: make what `take_turn` needs, where that is something."""

    @abstractmethod
    def take_turn(self, connection: Connection) -> None:
        """Within a transaction: no other load commits until this one has ended."""

    # Loads

    def replace_partitions(
        self,
        table: Table,
        loads: Sequence[PartitionLoad],
        *,
        lake: ObjectStore,
        provenance: Provenance,
        derived: Sequence[LatestPartition] = (),
        force: bool = False,
    ) -> list[LoadResult]:
        return self._load(Request("partitions", table, tuple(loads), provenance, tuple(derived), force), lake)

    def replace_table(
        self,
        table: Table,
        version: str,
        sources: Sequence[Source],
        *,
        lake: ObjectStore,
        provenance: Provenance,
        force: bool = False,
    ) -> LoadResult:
        load = PartitionLoad(WHOLE_TABLE, version, tuple(sources))
        return self._load(Request("table", table, (load,), provenance, (), force), lake)[0]

    def upsert_latest(
        self,
        table: Table,
        version: str,
        sources: Sequence[Source],
        *,
        lake: ObjectStore,
        provenance: Provenance,
        force: bool = False,
    ) -> LoadResult:
        load = PartitionLoad(version, version, tuple(sources))
        return self._load(Request("keys", table, (load,), provenance, (), force), lake)[0]

    def _load(self, request: Request, lake: ObjectStore) -> list[LoadResult]:
        if not request.loads:
            return []
        started = datetime.now(UTC)
        with self.connect(f"loading {request.table.qualified_name}") as connection:
            deadline = time.monotonic() + self.wait.total_seconds()
            for attempt in itertools.count(1):
                try:
                    return self._attempt(connection, request, lake, started)
                except TransactionConflict as conflict:
                    if time.monotonic() > deadline:
                        raise WorldUnavailable(
                            f"{request.table.qualified_name}: other transactions came first {attempt} times within "
                            f"{self.wait.total_seconds():g} s, the last one with: {conflict}. Try again when fewer "
                            "loads run at once."
                        ) from conflict
                    # Of many that wait, each tries at another time.
                    time.sleep(min(PAUSE * attempt, LONGEST_PAUSE) * random.uniform(0.5, 1))  # noqa: S311
        raise AssertionError

    def _attempt(
        self, connection: Connection, request: Request, lake: ObjectStore, started: datetime
    ) -> list[LoadResult]:
        self.make(connection, LEDGER)
        self.make_turn(connection)
        decisions = self._decide(connection, request)
        chosen = tuple(load for load in request.loads if decisions[load.partition].outcome == "loaded")
        made: dict[str, LoadResult] = {}
        staging = Staging(request, chosen, lake, holds_partition=_check_parquet(request, chosen, lake))
        if chosen:
            with self._staged(connection, request, staging):
                made = self._commit(connection, request, staging, decisions, started)
        elif any(decision.confirm for decision in decisions.values()):
            made = self._commit(connection, request, staging, decisions, started)
        return [made.get(load.partition) or _not_loaded(request, load, decisions) for load in request.loads]

    def _commit(
        self,
        connection: Connection,
        request: Request,
        staging: Staging,
        decisions: dict[str, Decision],
        started: datetime,
    ) -> dict[str, LoadResult]:
        """The transaction; a `TransactionConflict` if another load committed since the decision."""
        apply = {"partitions": self._replace_partitions, "table": self._replace_table, "keys": self._upsert}
        made_tables: set[str] = set()
        if not self.dialect.transactional_ddl:
            made_tables = self._prepare(connection, request, staging)
        connection.begin()
        try:
            self.take_turn(connection)
            self._confirm(connection, request, decisions)
            if self.dialect.transactional_ddl:
                made_tables = self._prepare(connection, request, staging)
            made = apply[request.replaces](connection, request, staging.loads) if staging.loads else {}
            built = self._incomplete(connection, request, made_tables) if staging.loads else []
            for derived in built:
                self._rebuild(connection, request, derived)
            self._write_ledger(connection, request, made, decisions, built, started)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return made

    def _decide(self, connection: Connection, request: Request) -> dict[str, Decision]:
        names = sorted(request.by_partition)
        last = self._last_loads(connection, request.table, names[0], names[-1])
        return {
            load.partition: decide(load, last.get(load.partition), request.provenance, force=request.force)
            for load in request.loads
        }

    def _confirm(self, connection: Connection, request: Request, decisions: dict[str, Decision]) -> None:
        if self._decide(connection, request) != decisions:
            raise TransactionConflict("another load of the same partitions")

    def _last_loads(self, connection: Connection, table: Table, first: str, last: str) -> dict[str, LedgerRow]:
        """The last committed load of each partition from `first` to `last`."""
        d = self.dialect
        sql = statement(
            "last_loads",
            columns=d.quoted(LEDGER.column_names),
            partition=d.quote("partition"),
            load_number=d.quote("load_number"),
            table_name=d.quote("table_name"),
            loads=d.name_of(LEDGER),
        )
        rows = connection.fetch(sql, (table.qualified_name, first, last))
        return {row.partition: row for row in map(ledger_row, rows)}

    @contextmanager
    def _staged(self, connection: Connection, request: Request, staging: Staging) -> Iterator[None]:
        """All temporary tables of a load, made before its transaction: some engines commit at each CREATE."""
        d, table = self.dialect, request.table
        temporary = {STAGED: table.columns}
        if request.replaces == "partitions":
            temporary[LOADING] = (request.partition_column,)
        for derived in request.derived:
            if derived.key:
                temporary[_affected(derived)] = tuple(table[column] for column in derived.key)
        if request.replaces == "keys":
            temporary[WINNING] = table.columns
        for name, columns in temporary.items():
            connection.execute(f"DROP TABLE IF EXISTS {d.quote(name)}")
            connection.execute(f"CREATE TEMPORARY TABLE {d.quote(name)} ({d.columns_ddl(columns, staged=True)})")
        if request.replaces == "partitions" and staging.loads:
            values = request.partition_values(staging.loads)
            connection.insert(d.quote(LOADING), pa.table({request.partition_column.name: values}))
        with self.stage(connection, staging, d.quote(STAGED)):
            yield

    def _replace_partitions(
        self, connection: Connection, request: Request, chosen: tuple[PartitionLoad, ...]
    ) -> dict[str, LoadResult]:
        table, d = request.table, self.dialect
        parts = {
            "target": d.name_of(table),
            "partition": d.quote(request.partition_column.name),
            "staged": d.quote(STAGED),
            "loading": d.quote(LOADING),
        }
        brought = dict(connection.fetch(statement("staged_rows", **parts)))
        taken = dict(connection.fetch(statement("partition_rows", **parts)))
        results = {}
        for value, load in zip(request.partition_values(chosen).to_pylist(), chosen, strict=True):
            results[load.partition] = _loaded(table, load, brought.get(value, 0), taken.get(value, 0))

        keyed = [derived for derived in request.derived if derived.key]
        for derived in keyed:
            affected, key = d.quote(_affected(derived)), d.quoted(derived.key)
            connection.execute(statement("affected_keys", affected=affected, key=key, **parts))
        connection.execute(statement("delete_partitions", **parts))
        connection.execute(statement("insert_staged", columns=d.quoted(table.column_names), **parts))
        for derived in keyed:
            name, affected = d.name_of(derived.table), d.quote(_affected(derived))
            same_key = d.same(derived.key, d.quote(derived.table.name), "affected")
            connection.execute(statement("delete_keys", derived=name, affected=affected, same_key=same_key))
            latest = statement(
                "insert_latest_of_keys",
                affected=affected,
                same_key_affected=d.same(derived.key, "candidate", "affected"),
                **self._latest_parts(request, derived),
            )
            connection.execute(latest)
        for derived in request.derived:
            if not derived.key:
                self._rebuild(connection, request, derived)
        return results

    def _latest_parts(self, request: Request, derived: LatestPartition) -> dict[str, Sql]:
        d = self.dialect
        return {
            "derived": d.name_of(derived.table),
            "target": d.name_of(request.table),
            "partition": d.quote(request.partition_column.name),
            "columns": d.quoted(derived.table.column_names),
            "columns_of_source": d.quoted(derived.table.column_names, of="source"),
            "key_of_candidate": d.quoted(derived.key, of="candidate") if derived.key else Sql(""),
            "same_key_latest": d.same(derived.key, "source", "latest"),
        }

    def _rebuild(self, connection: Connection, request: Request, derived: LatestPartition) -> None:
        """The whole derived table anew: it has no key to go by, or has just been made or widened."""
        name, parts = self.dialect.name_of(derived.table), self._latest_parts(request, derived)
        rows_before = self._count(connection, name)
        connection.execute(statement("delete_all", table=name))
        if derived.key:
            connection.execute(statement("insert_latest_of_all", **parts))
            return
        connection.execute(statement("insert_highest_partition", **parts), [self._highest(connection, request)])
        if not request.force:
            keep_master(derived.table, rows_before, self._count(connection, name))

    def _highest(self, connection: Connection, request: Request) -> object:
        """The highest partition that was ever loaded, this load included; one that was loaded empty counts as well."""
        d = self.dialect
        sql = statement(
            "highest_partition",
            partition=d.quote("partition"),
            type=Sql(d.type_name(request.partition_column)),
            loads=d.name_of(LEDGER),
            table_name=d.quote("table_name"),
        )
        before = connection.fetch(sql, (request.table.qualified_name,))[0][0]
        now = max(request.partition_values(request.loads).to_pylist())
        return now if before is None else max(before, now)

    def _replace_table(
        self, connection: Connection, request: Request, chosen: tuple[PartitionLoad, ...]
    ) -> dict[str, LoadResult]:
        table, d = request.table, self.dialect
        name, staged = d.name_of(table), d.quote(STAGED)
        (load,) = chosen
        rows_before = self._count(connection, name)
        if not request.force:
            keep_master(table, rows_before, load.rows)
        connection.execute(statement("delete_all", table=name))
        columns = d.quoted(table.column_names)
        connection.execute(statement("insert_staged", target=name, columns=columns, staged=staged))
        return {load.partition: _loaded(table, load, self._count(connection, name), rows_before)}

    def _upsert(
        self, connection: Connection, request: Request, chosen: tuple[PartitionLoad, ...]
    ) -> dict[str, LoadResult]:
        table, d = request.table, self.dialect
        (load,) = chosen
        name, staged, winning = d.name_of(table), d.quote(STAGED), d.quote(WINNING)
        versions, key, columns = d.name_of(_versions(table)), d.quoted(table.key), d.quoted(table.column_names)
        repeated = connection.fetch(statement("repeated_key", key=key, staged=staged))
        if repeated:
            values = dict(zip(table.key, repeated[0], strict=False))
            raise LoadRefused(
                f"{table.qualified_name} cannot be upserted by {', '.join(table.key)}: {repeated[0][-1]} rows of "
                f"version {load.version} have the key {values}. Merge them before the load."
            )
        staged_rows = self._count(connection, staged)
        connection.execute(
            statement(
                "winning_rows",
                winning=winning,
                columns=columns,
                columns_of_staged=d.quoted(table.column_names, of="staged"),
                staged=staged,
                versions=versions,
                same_key=d.same(table.key, "staged", "written"),
                version=d.quote(VERSION),
            ),
            (load.version,),
        )
        rows_before = self._count(connection, name)
        if d.upsert == "merge":
            others = [column for column in table.column_names if column not in table.key]
            merge = statement(
                "merge_winning",
                target=name,
                winning=winning,
                same_key=d.same(table.key, "target", "winning"),
                assignments=Sql(", ".join(f"{d.quote(c)} = winning.{d.quote(c)}" for c in others or table.key)),
                columns=columns,
                columns_of_winning=d.quoted(table.column_names, of="winning"),
            )
            connection.execute(merge)
        else:
            same_key = d.same(table.key, d.quote(table.name), "winning")
            connection.execute(statement("delete_winning", target=name, winning=winning, same_key=same_key))
            connection.execute(statement("insert_staged", target=name, columns=columns, staged=winning))
        same_key = d.same(table.key, d.quote(_versions(table).name), "winning")
        connection.execute(statement("delete_winning", target=versions, winning=winning, same_key=same_key))
        connection.execute(
            statement("insert_versions", versions=versions, columns=key, version=d.quote(VERSION), winning=winning),
            (load.version,),
        )
        added = self._count(connection, name) - rows_before
        written = self._count(connection, winning)
        _loaded(table, load, staged_rows, 0)
        return {
            load.partition: LoadResult(
                table.qualified_name, load.partition, load.version, "loaded", written, written - added
            )
        }

    def _count(self, connection: Connection, relation: Sql) -> int:
        return int(connection.fetch(statement("count", relation=relation))[0][0])

    # Tables

    def _prepare(self, connection: Connection, request: Request, staging: Staging) -> set[str]:
        """Tables as described, with room for the longest texts; those that had to be made or got columns."""
        tables = [request.table, *(derived.table for derived in request.derived)]
        if request.replaces == "keys":
            tables.append(_versions(request.table))
        made = {table.qualified_name for table in tables if self.make(connection, table)}
        for table in tables:
            self.make_room(connection, table, staging.longest)
        return made

    def make_room(self, connection: Connection, table: Table, longest: dict[str, int]) -> None:  # noqa: B027
        """Widen columns whose texts would not fit, in engines where a text's length is part of its type."""

    def _incomplete(self, connection: Connection, request: Request, made: set[str]) -> list[LatestPartition]:
        """Derived tables that do not hold what earlier loads imply: new ones, and those whose columns changed.

        The ledger says which were built, in the transaction that built them: a load that died after it had made such
        a table leaves it known as incomplete.
        """
        incomplete = []
        for derived in request.derived:
            if derived.key:
                built = self._last_loads(connection, derived.table, WHOLE_TABLE, WHOLE_TABLE).get(WHOLE_TABLE)
                known = built is not None and built.source_digests == derived.digest
                if not known or derived.table.qualified_name in made:
                    incomplete.append(derived)
        return incomplete

    def make(self, connection: Connection, table: Table) -> bool:
        """Make the table, or the columns that it lacks; whether anything was made."""
        d = self.dialect
        found = self.found_types(connection, table)
        if not found:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {d.quote(table.schema)}")
            connection.execute(d.create_table(table))
            return True
        described = dict(zip(table.column_names, self.reported_types(connection, table.columns), strict=True))
        other = [name for name, kind in described.items() if name in found and found[name] != kind]
        if other:
            differences = "; ".join(f"{name} is {found[name]} there and {described[name]} here" for name in other)
            raise PlatformError(
                f"{table.qualified_name} in the warehouse is not as its description says: {differences}. Change the "
                "column there, or drop the table and load it again: the lake holds all that it held."
            )
        missing = [column for column in table.columns if column.name not in found]
        for column in missing:
            # Rows from before have nothing to put there, so it is nullable whatever the description says.
            connection.execute(
                f"ALTER TABLE {d.name_of(table)} ADD COLUMN {d.quote(column.name)} {d.type_name(column)}"
            )
        return bool(missing)

    def found_types(self, connection: Connection, table: Table) -> dict[str, str]:
        """The table's columns and their types as the engine reports them; nothing where there is no such table."""
        cased = str.upper if self.dialect.upper_case else str
        rows = connection.fetch(statement("columns"), (cased(table.schema), cased(table.name)))
        by_cased_name = {cased(name): name for name in table.column_names}
        return {by_cased_name.get(name, name): self.reported_type(*rest) for name, *rest in rows}

    def reported_type(self, data_type: str, characters: int | None, precision: int | None, scale: int | None) -> str:
        """A type as `reported_types` writes it, from what the engine's catalogue tells."""
        return data_type

    @abstractmethod
    def reported_types(self, connection: Connection, columns: Sequence[Column]) -> list[str]:
        """What the engine's catalogue would tell of columns as described."""

    # Ledger

    def _write_ledger(
        self,
        connection: Connection,
        request: Request,
        made: dict[str, LoadResult],
        decisions: dict[str, Decision],
        built: Sequence[LatestPartition],
        started: datetime,
    ) -> None:
        d = self.dialect
        sql = statement("next_load_number", load_number=d.quote("load_number"), loads=d.name_of(LEDGER))
        number = int(connection.fetch(sql)[0][0])
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
            count = self._count(connection, d.name_of(derived.table))
            add(derived.table, "built", whole, derived.digest, count, 0)
        for load in request.loads:
            if result := made.get(load.partition):
                add(request.table, "loaded", load, load.digests, result.rows, result.rows_before)
            elif decisions[load.partition].confirm:
                add(request.table, "confirmed", load, load.digests, load.rows, load.rows)
        columns = zip(*map(astuple, rows), strict=True)
        arrays = [pa.array(values, c.type) for values, c in zip(columns, LEDGER.columns, strict=True)]
        connection.insert(d.name_of(LEDGER), pa.table(arrays, schema=LEDGER.arrow_schema))

    def ledger(self, table: Table | None = None, partition: str | None = None) -> list[LedgerRow]:
        """Committed loads, oldest first."""
        d = self.dialect
        conditions, parameters = [], []
        if table is not None:
            conditions.append(f"{d.quote('table_name')} = ?")
            parameters.append(table.qualified_name)
        if partition is not None:
            conditions.append(f"{d.quote('partition')} = ?")
            parameters.append(partition)
        sql = statement(
            "ledger",
            columns=d.quoted(LEDGER.column_names),
            loads=d.name_of(LEDGER),
            conditions=Sql(" AND ".join(conditions) or "1 = 1"),
            load_number=d.quote("load_number"),
        )
        with self.connect("reading the ledger") as connection:
            self.make(connection, LEDGER)
            rows = connection.fetch(sql, parameters)
        return [ledger_row(row) for row in rows]

    # Questions

    def query(self, question: "str | ir.Table", parameters: Sequence[object] = ()) -> pa.Table:
        """The answer to a question in DuckDB's SQL (`?` stands for a parameter) or as an Ibis expression."""
        if isinstance(question, str):
            sql = question
        else:
            import ibis

            sql = str(ibis.to_sql(question, dialect="duckdb"))
        with self.connect("a query") as connection:
            answer = connection.fetch_arrow(translate(sql, self.dialect), parameters)
        return (
            answer.rename_columns([name.lower() for name in answer.column_names]) if self.dialect.upper_case else answer
        )

    def create_views(self, views: Sequence[View]) -> None:
        """Create or replace views, those that others read first."""
        with self.connect("creating views") as connection:
            for view in in_order(views):
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.dialect.quote(view.schema)}")
                for sql in statements(view, self.dialect):
                    connection.execute(sql)

    def refresh_views(self, views: Sequence[View]) -> None:
        """Bring materialized views up to date, where the engine has them."""
        materialized = [view for view in in_order(views) if view.materialized]
        if materialized and self.dialect.materialized_views:
            with self.connect("refreshing views") as connection:
                for view in materialized:
                    name = f"{self.dialect.quote(view.schema)}.{self.dialect.quote(view.name)}"
                    connection.execute(f"REFRESH MATERIALIZED VIEW {name}")


def _not_loaded(request: Request, load: PartitionLoad, decisions: dict[str, Decision]) -> LoadResult:
    decision = decisions[load.partition]
    name = request.table.qualified_name
    return LoadResult(name, load.partition, load.version, decision.outcome, reason=decision.reason)


def ledger_row(values: Sequence) -> LedgerRow:
    return LedgerRow(*values)


def _affected(derived: LatestPartition) -> str:
    return f"affected_{derived.table.name}"


def _versions(table: Table) -> Table:
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


def _loaded(table: Table, load: PartitionLoad, rows: int, rows_before: int) -> LoadResult:
    if rows != load.rows:
        raise PlatformError(
            f"{table.qualified_name} {load.partition or load.version}: its objects hold {rows} rows, and the load was "
            f"announced with {load.rows}. An object was replaced meanwhile: materialize again."
        )
    return LoadResult(table.qualified_name, load.partition, load.version, "loaded", rows, rows_before)


def _check_parquet(request: Request, chosen: Sequence[PartitionLoad], lake: ObjectStore) -> bool:
    """Whether the Parquet, which must hold the table's columns, also holds the one that the partition's name fills.

    The first object stands for the others: all come from one program, and an engine refuses what differs.
    """
    source = next((source for load in chosen for source in load.sources), None)
    if source is None:
        return False
    try:
        with lake.open(source.key) as file:
            schema = pyarrow.parquet.read_schema(file)
    except pa.ArrowInvalid as error:
        raise PlatformError(f"{lake.uri_of(source.key)} is no Parquet: {error}. Make it anew.") from error
    absent = [request.partition_column.name] if request.replaces == "partitions" else []
    problems = misfits(request.table, schema, without=absent)
    if problems:
        raise PlatformError(
            f"{lake.uri_of(source.key)} does not hold the columns of {request.table.qualified_name}: "
            f"{'; '.join(problems)}. The table's description and the program that writes the Parquet must agree."
        )
    return bool(absent) and absent[0] in schema.names


def refuse_strangers(staging: Staging, strangers: int) -> None:
    """Refuse rows that belong to another partition than the one they are loaded as."""
    if strangers:
        column = staging.request.partition_column.name
        raise LoadRefused(
            f"{staging.request.table.qualified_name}: {strangers} rows say another {column} than the partition they "
            "are loaded as. Their object lies under a wrong name, or the program that wrote it is wrong."
        )


def refuse_long_text(table: Table, column: Column, found: int, longest: int | None = None) -> None:
    """Refuse a text that the table's description, or the engine, has no room for, rather than cut it."""
    allowed = min((length for length in (column.max_bytes, longest) if length is not None), default=None)
    if allowed is not None and found > allowed:
        wider = " Widen the column in the table's description, or reject" if allowed == column.max_bytes else " Reject"
        raise LoadRefused(
            f"{table.qualified_name}: a text of {found} bytes does not fit {column.name}, which holds {allowed}."
            f"{wider} the row before the load."
        )
