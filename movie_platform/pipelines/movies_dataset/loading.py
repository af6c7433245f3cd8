"""From the lake to the warehouse: the newest delivery, whatever the order in which deliveries are run."""

from collections.abc import Mapping

from movie_platform.deliveries import manifests, receipts
from movie_platform.deliveries.receipts import Standing
from movie_platform.errors import LoadRefused
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.answers import views
from movie_platform.pipelines.movies_dataset.publication import (
    CODE_VERSION,
    NAME,
    Publication,
    read_publication,
    renumbered,
)
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.table import Table
from movie_platform.warehouse import (
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    Warehouse,
    refuse_shrinking,
)
from movie_platform.warehouse.loads import WHOLE_TABLE, decide


def load(
    warehouse: Warehouse, lake: ObjectStore, published: Publication, *, run_id: str, force: bool = False
) -> dict[str, LoadResult]:
    """Replace every table that the delivery makes; a table that a newer delivery made stays as it is.

    A delivery that takes most rows out of one table is refused whole: no table is replaced. Where the ledger knows a
    higher sequence of the same day than the lake, which was emptied or restored, the lake passes it.
    """
    last = _last_loads(warehouse)
    passed = [row.version for row in last.values() if row.version.startswith(published.day)]
    newest = manifests.latest_sequence(lake, NAME, published.day)
    if max(passed, default="") > published.version and newest == manifests.sequence_of(published.version):
        published = renumbered(lake, published, above=manifests.sequence_of(max(passed)))
    if not force:
        _refuse_shrinking(lake, last, published)
    provenance = Provenance(CODE_VERSION, run_id=run_id)
    results = {
        table.name: warehouse.replace_table(
            table, published.version, _sources(published, table), lake=lake, provenance=provenance, force=force
        )
        for table in TABLES
        if table.name in published.tables
    }
    warehouse.create_views(views())
    return results


def owed_loads(lake: ObjectStore, warehouse: Warehouse, known: Mapping[str, Standing]) -> dict[str, str]:
    """The newest delivery, where the ledger shows another one of a table. Older deliveries are never loaded."""
    processed = _accepted(known)
    published = read_publication(lake, max(processed)) if processed else None
    if published is None:
        return {}
    last = _last_loads(warehouse)
    for table in TABLES:
        if table.name in published.tables:
            wanted = PartitionLoad(WHOLE_TABLE, published.version, tuple(_sources(published, table)))
            if decide(wanted, last.get(table.name), Provenance(CODE_VERSION), force=False).outcome != "skipped":
                return {published.day: f"{table.name} is not loaded"}
    return {}


def _sources(published: Publication, table: Table) -> list[Source]:
    return [
        Source(part.key, f"{published.content}/{table.name}/{number}", part.rows, part.etag)
        for number, part in enumerate(published.tables[table.name])
    ]


def _last_loads(warehouse: Warehouse) -> dict[str, LedgerRow]:
    """The last committed load of each table."""
    names = {table.qualified_name: table.name for table in TABLES}
    return {names[row.table_name]: row for row in warehouse.ledger() if row.table_name in names}


def _refuse_shrinking(lake: ObjectStore, last: Mapping[str, LedgerRow], published: Publication) -> None:
    """A delivery that takes most rows out of a table is noted as refused, so that it is not tried again as it is."""
    for table in TABLES:
        before = last.get(table.name)
        if before is None or before.version >= published.version or table.name not in published.tables:
            continue
        try:
            refuse_shrinking(table, before.rows, sum(part.rows for part in published.tables[table.name]))
        except LoadRefused as refused:
            for receipt in receipts.standing(lake, NAME, published.day).receipts:
                receipts.refuse(lake, NAME, published.day, receipt.fingerprint, refused, "rows_kept")
            raise


def load_all(warehouse: Warehouse, lake: ObjectStore, *, run_id: str) -> int:
    """Load each table from the newest delivery that made it; how many deliveries were gone through."""
    known = receipts.standings(lake, NAME)
    days = _accepted(known)
    for day in sorted(days, reverse=True):
        if published := read_publication(lake, day):
            load(warehouse, lake, published, run_id=run_id)
    return len(days)


def _accepted(known: Mapping[str, Standing]) -> list[str]:
    return [
        day
        for day, standing in known.items()
        if standing.receipts and standing.receipts[0].fingerprint not in standing.refused
    ]
