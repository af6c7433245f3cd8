"""The embedded default: one file on this machine's disk."""

from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse

__all__ = ["DuckDBWarehouse"]
