"""The shared rooms as Dagster resources, and what Dagster shows of a table."""

from movie_platform.orchestration.resources import platform_resources
from movie_platform.orchestration.table_metadata import column_schema, table_metadata

__all__ = ["column_schema", "platform_resources", "table_metadata"]
