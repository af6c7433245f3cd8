"""Snowflake, through its own driver."""

from movie_platform.warehouse.snowflake.warehouse import SnowflakeWarehouse

__all__ = ["SnowflakeWarehouse"]
