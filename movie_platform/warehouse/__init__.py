"""The warehouse: every load exactly once, into DuckDB, Redshift or Snowflake behind one interface."""

from typing import TYPE_CHECKING

from movie_platform.packages import offer

if TYPE_CHECKING:
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

_LOADS = ("FORCE", "LatestPartition", "LedgerRow", "LoadResult", "PartitionLoad", "Provenance", "Source")
__getattr__ = offer(
    __name__,
    {
        f"{__name__}.address": ("open_warehouse",),
        f"{__name__}.loads": (*_LOADS, "refuse_shrinking"),
        f"{__name__}.views": ("View", "read_views"),
        f"{__name__}.warehouse": ("Warehouse",),
    },
)

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
