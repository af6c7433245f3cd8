"""From the lake to the warehouse, for sources whose products do not name their own version."""

from dataclasses import replace

from movie_platform.deliveries import manifests, receipts
from movie_platform.lake import ObjectStore
from movie_platform.table import Table
from movie_platform.warehouse import LoadResult, PartitionLoad, Provenance, Source, Warehouse


def replace_day(
    warehouse: Warehouse,
    lake: ObjectStore,
    source: str,
    table: Table,
    day: str,
    objects: tuple[Source, ...],
    provenance: Provenance,
    *,
    force: bool = False,
) -> LoadResult:
    """Replace a day's rows by those of its newest manifest.

    Where the ledger knows a higher sequence than the lake, which was emptied or restored, the lake passes it: what it
    has is what is delivered now.
    """

    def load(sequence: int) -> LoadResult:
        loads = [PartitionLoad(day, manifests.version_of(sequence), objects)]
        return warehouse.replace_partitions(table, loads, lake=lake, provenance=provenance, force=force)[0]

    result = load(manifests.latest_sequence(lake, source, day))
    if result.outcome == "refused":
        known = manifests.sequence_of(warehouse.ledger(table, day)[-1].version)
        return load(renumbered(lake, source, day, above=known))
    return result


def renumbered(lake: ObjectStore, source: str, day: str, *, above: int) -> int:
    """The sequence that the day's newest content takes above another one; its receipts go along."""
    before = manifests.latest(lake, source, day)
    files = before.files if before else {}
    delivered_at = before.delivered_at if before else ""
    made = manifests.publish(lake, source, day, files, after=before, above=above, delivered_at=delivered_at)
    for receipt in receipts.standing(lake, source, day).receipts:
        receipts.put(lake, source, replace(receipt, sequence=made.sequence))
    return made.sequence


def owed_loads(
    lake: ObjectStore, warehouse: Warehouse, table: Table, known: dict[str, receipts.Standing]
) -> dict[str, str]:
    """Processed days of which the warehouse's ledger does not show this very sequence."""
    last = {row.partition: manifests.sequence_of(row.version) for row in warehouse.ledger(table)}
    return {
        day: f"its rows are not in {table.qualified_name}"
        for day, standing in known.items()
        if standing.receipts and last.get(day) != standing.sequence
    }
