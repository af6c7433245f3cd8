"""The warehouse: every load exactly once, into DuckDB, Redshift or Snowflake behind one protocol."""

from movie_platform.warehouse.address import open_warehouse
from movie_platform.warehouse.loads import (
    FORCE,
    LatestPartition,
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    keep_master,
)
from movie_platform.warehouse.protocol import Warehouse
from movie_platform.warehouse.views import View, read_views

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
    "keep_master",
    "open_warehouse",
    "read_views",
]
