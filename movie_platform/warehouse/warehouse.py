"""What every warehouse can do, and how a load happens: stage, then one transaction with all that belongs to it."""

import itertools
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.table import Table
from movie_platform.warehouse.connection import Connection, Session, TransactionConflict
from movie_platform.warehouse.derived import build, incomplete
from movie_platform.warehouse.dialect import Dialect, Sql
from movie_platform.warehouse.ledger import LEDGER, last_loads, read_ledger, record_loads
from movie_platform.warehouse.loads import (
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
)
from movie_platform.warehouse.schema import Schema
from movie_platform.warehouse.staging import (
    STAGED,
    Staging,
    make_temporary_tables,
    parquet_holds_partition,
    refuse_replaced_objects,
)
from movie_platform.warehouse.strategies import STRATEGIES, versions_table
from movie_platform.warehouse.views import View, in_order, statements, translate

if TYPE_CHECKING:
    import ibis.expr.types as ir

PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Warehouse(ABC):
    """Loads Parquet from the lake exactly once, and answers questions.

    A load is one transaction together with its derived tables and its ledger row: it happens as a whole or not at all.
    It is skipped where the last committed load of the same table and partition had the same content, code and rules
    (`force` loads anyway), and refused where a newer version is loaded. Where an object whose etag its `Source` names
    is replaced before the commit, nothing is loaded and `WorldUnavailable` says so. Tables are made on first use.

    An engine adds a dialect, a schema, connections, a lock and a way to stage Parquet.
    """

    dialect: Dialect
    schema: Schema
    wait: timedelta
    """How long a load waits until it may commit."""

    @abstractmethod
    def connect(self, purpose: str) -> AbstractContextManager[Connection]:
        """A connection for one load or question; whoever has to wait for it reads `purpose` in the message."""

    @abstractmethod
    def stage(self, connection: Connection, staging: Staging, into: Sql) -> AbstractContextManager[None]:
        """Fill a temporary table, which has the table's columns, with a load's rows."""

    def prepare_lock(self, connection: Connection) -> None:  # noqa: B027
        """Before a transaction: make what `lock_loads` needs, where that is something."""

    @abstractmethod
    def lock_loads(self, connection: Connection) -> None:
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
        """Make each partition hold exactly the rows of its sources; all of them in one transaction.

        The partition column may be absent from the Parquet: it is filled from the partition's name.
        """
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
        """Make the table hold exactly the sources' rows; `LoadRefused` if it would lose more than half of its own."""
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
        """Put rows in by the table's key; a row from an older version never replaces one from a newer version."""
        load = PartitionLoad(version, version, tuple(sources))
        return self._load(Request("keys", table, (load,), provenance, (), force), lake)[0]

    def _load(self, request: Request, lake: ObjectStore) -> list[LoadResult]:
        if not request.loads:
            return []
        started = datetime.now(UTC)
        with self.connect(f"loading {request.table.qualified_name}") as connection:
            session = Session(connection, self.dialect)
            deadline = time.monotonic() + self.wait.total_seconds()
            for attempt in itertools.count(1):
                try:
                    return self._attempt(session, request, lake, started)
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

    def _attempt(self, session: Session, request: Request, lake: ObjectStore, started: datetime) -> list[LoadResult]:
        self.schema.make(session.connection, LEDGER)
        self.prepare_lock(session.connection)
        decisions = self._decide(session, request)
        chosen = tuple(load for load in request.loads if decisions[load.partition].outcome == "loaded")
        loaded: dict[str, LoadResult] = {}
        if chosen:
            loaded = self._load_chosen(session, request, chosen, lake, decisions, started)
        elif any(decision.confirm for decision in decisions.values()):
            loaded = self._commit(session, Staging(request, (), lake), decisions, started)
        return [loaded.get(load.partition) or _not_loaded(request, load, decisions) for load in request.loads]

    def _load_chosen(
        self,
        session: Session,
        request: Request,
        chosen: tuple[PartitionLoad, ...],
        lake: ObjectStore,
        decisions: dict[str, Decision],
        started: datetime,
    ) -> dict[str, LoadResult]:
        try:
            holds_partition = parquet_holds_partition(request, chosen, lake)
            staging = Staging(request, chosen, lake, holds_partition)
            make_temporary_tables(session, staging)
            with self.stage(session.connection, staging, self.dialect.quote(STAGED)):
                return self._commit(session, staging, decisions, started)
        except PlatformError:
            # What could not be loaded may be a mix of two contents: then that is the cause, and it passes.
            refuse_replaced_objects(chosen, lake)
            raise

    def _commit(
        self, session: Session, staging: Staging, decisions: dict[str, Decision], started: datetime
    ) -> dict[str, LoadResult]:
        """The transaction; a `TransactionConflict` if another load committed since the decision."""
        connection, request = session.connection, staging.request
        made: set[str] = set()
        if not self.dialect.transactional_ddl:
            made = self._prepare_tables(connection, staging)
        connection.begin()
        try:
            self.lock_loads(connection)
            if self._decide(session, request) != decisions:
                raise TransactionConflict("another load of the same partitions")  # noqa: TRY301 - rolled back below
            if self.dialect.transactional_ddl:
                made = self._prepare_tables(connection, staging)
            loaded: dict[str, LoadResult] = {}
            built: list[LatestPartition] = []
            if staging.loads:
                loaded = STRATEGIES[request.replaces](session, request, staging.loads)
                built = incomplete(session, request, made)
                for derived in built:
                    build(session, request, derived)
            confirmed = {partition for partition, decision in decisions.items() if decision.confirm}
            record_loads(session, request, loaded, confirmed, built, started)
            refuse_replaced_objects(staging.loads, staging.lake)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return loaded

    def _decide(self, session: Session, request: Request) -> dict[str, Decision]:
        names = sorted(request.by_partition)
        last = last_loads(session, request.table, names[0], names[-1])
        return {
            load.partition: decide(load, last.get(load.partition), request.provenance, force=request.force)
            for load in request.loads
        }

    def _prepare_tables(self, connection: Connection, staging: Staging) -> set[str]:
        """Tables as described, with room for the longest texts; those that had to be made or got columns."""
        request = staging.request
        tables = [request.table, *(derived.table for derived in request.derived)]
        if request.replaces == "keys":
            tables.append(versions_table(request.table))
        made = {table.qualified_name for table in tables if self.schema.make(connection, table)}
        for table in tables:
            self.schema.make_room(connection, table, staging.longest)
        return made

    # Questions

    def ledger(self, table: Table | None = None, partition: str | None = None) -> list[LedgerRow]:
        """Committed loads, oldest first."""
        with self.connect("reading the ledger") as connection:
            self.schema.make(connection, LEDGER)
            return read_ledger(Session(connection, self.dialect), table, partition)

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

    def create_views(self, views: Sequence[View]) -> list[str]:
        """Create or replace views, those that others read first; the names of materialized ones, now up to date.

        Where the engine materializes views, one that has the columns of its definition is refreshed and not made anew,
        so that it can be read meanwhile. There a view that has other columns is dropped first: it cannot be replaced.
        """
        with self.connect("creating views") as connection:
            return [view.qualified_name for view in in_order(views) if self._create_view(connection, view)]

    def _create_view(self, connection: Connection, view: View) -> bool:
        """Whether it is a materialized one."""
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.dialect.quote(view.schema)}")
        if not self.dialect.materialized_views:
            for sql in statements(view, self.dialect):
                connection.execute(sql)
            return False
        name = f"{self.dialect.quote(view.schema)}.{self.dialect.quote(view.name)}"
        found = _columns_of(connection, name)
        if view.materialized and found == view.column_names:
            connection.execute(f"REFRESH MATERIALIZED VIEW {name}")
            return True
        if found and found != view.column_names and not view.materialized:
            connection.execute(f"DROP VIEW IF EXISTS {name}")
        for sql in statements(view, self.dialect):
            connection.execute(sql)
        return view.materialized


def _columns_of(connection: Connection, name: str) -> list[str]:
    """Of a view that can be read; nothing where there is none, and where what it reads is no longer there."""
    try:
        return list(connection.fetch_arrow(f"SELECT * FROM {name} LIMIT 0").column_names)  # noqa: S608 - quoted names
    except WorldUnavailable:
        raise
    except PlatformError:
        return []


def _not_loaded(request: Request, load: PartitionLoad, decisions: dict[str, Decision]) -> LoadResult:
    decision = decisions[load.partition]
    name = request.table.qualified_name
    return LoadResult(name, load.partition, load.version, decision.outcome, reason=decision.reason)
