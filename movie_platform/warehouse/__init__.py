"""The warehouse: every load exactly once, into DuckDB, Redshift or Snowflake behind one interface."""

from movie_platform.warehouse.address import open_warehouse
from movie_platform.warehouse.loads import (
    FORCE,
    LatestPartition,
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    refuse_shrinking,
)
from movie_platform.warehouse.views import View, read_views
from movie_platform.warehouse.warehouse import Warehouse

__all__ = [
    "FORCE",
    "LatestPartition",
    "LedgerRow",
    "LoadResult",
    "PartitionLoad",
    "Provenance",
    "Source",
    "View",
    "Warehouse",
    "open_warehouse",
    "read_views",
    "refuse_shrinking",
]
