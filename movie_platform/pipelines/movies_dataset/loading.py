"""From the lake to the warehouse: the newest delivery, whatever the order in which deliveries are run."""

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.answers import views
from movie_platform.pipelines.movies_dataset.publication import CODE_VERSION, Publication
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.table import Table
from movie_platform.warehouse import LoadResult, Provenance, Source, Warehouse, refuse_shrinking


def load(
    warehouse: Warehouse, lake: ObjectStore, published: Publication, *, run_id: str, force: bool = False
) -> dict[str, LoadResult]:
    """Replace every table that the delivery makes; a table that a newer delivery made stays as it is.

    A delivery that takes most rows out of one table is refused whole: no table is replaced.
    """
    provenance = Provenance(CODE_VERSION, run_id=run_id)
    results = {}
    if not force:
        for table in TABLES:
            _keep_master(warehouse, table, published)
    for table in TABLES:
        if parts := published.tables.get(table.name):
            sources = [
                Source(part.key, f"{published.etag}/{table.name}/{n}", part.rows) for n, part in enumerate(parts)
            ]
            results[table.name] = warehouse.replace_table(
                table, published.version, sources, lake=lake, provenance=provenance, force=force
            )
    warehouse.create_views(views())
    return results


def _keep_master(warehouse: Warehouse, table: Table, published: Publication) -> None:
    if parts := published.tables.get(table.name):
        loads = warehouse.ledger(table)
        if loads and loads[-1].version < published.version:
            refuse_shrinking(table, loads[-1].rows, sum(part.rows for part in parts))
