"""What every warehouse can do, whichever engine it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from movie_platform.lake import ObjectStore
from movie_platform.table import Table
from movie_platform.warehouse.loads import (
    LatestPartition,
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
)
from movie_platform.warehouse.views import View

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Warehouse(Protocol):
    """Loads Parquet from the lake exactly once, and answers questions.

    A load is one transaction together with its derived tables and its ledger row: it happens as a whole or not at all.
    It is skipped where the last committed load of the same table and partition had the same content, code and rules
    (`force` loads anyway), and refused where a newer version is loaded. Tables are made on first use.
    """

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
        ...

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
        ...

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
        ...

    def ledger(self, table: Table | None = None, partition: str | None = None) -> list[LedgerRow]:
        """Committed loads, oldest first."""
        ...

    def query(self, question: "str | ir.Table", parameters: Sequence[object] = ()) -> pa.Table:
        """The answer to a question in DuckDB's SQL (`?` stands for a parameter) or as an Ibis expression."""
        ...

    def create_views(self, views: Sequence[View]) -> None:
        """Create or replace views, those that others read first."""
        ...

    def refresh_views(self, views: Sequence[View]) -> None:
        """Bring materialized views up to date, where the engine has them."""
        ...
