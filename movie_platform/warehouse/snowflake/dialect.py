"""Snowflake's types and limits. Names are kept in capitals, as Snowflake takes those that nobody quotes."""

import pyarrow as pa

from movie_platform.table import Column
from movie_platform.warehouse.dialect import Dialect

LONGEST_TEXT = 16 * 1024 * 1024

_TYPES = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "NUMBER(3, 0)"),
    (pa.types.is_uint8, "NUMBER(3, 0)"),
    (pa.types.is_int16, "NUMBER(5, 0)"),
    (pa.types.is_uint16, "NUMBER(5, 0)"),
    (pa.types.is_int32, "NUMBER(10, 0)"),
    (pa.types.is_uint32, "NUMBER(10, 0)"),
    (pa.types.is_int64, "NUMBER(19, 0)"),
    (pa.types.is_uint64, "NUMBER(20, 0)"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_string, "VARCHAR"),
    (pa.types.is_large_string, "VARCHAR"),
    (pa.types.is_binary, "BINARY"),
    (pa.types.is_large_binary, "BINARY"),
    (pa.types.is_nested, "VARIANT"),
]


def type_name(column: Column) -> str:
    kind = column.type
    for is_kind, name in _TYPES:
        if is_kind(kind):
            return name
    if pa.types.is_decimal(kind) and kind.precision <= 38:
        return f"NUMBER({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP_TZ" if kind.tz else "TIMESTAMP_NTZ"
    raise ValueError(f"Snowflake has no type for {kind} of {column.name}")


def reported_type(column: Column) -> str:
    """The type as the catalogue names it."""
    return type_name(column).replace("VARCHAR", "TEXT")


def physical(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """COPY takes Parquet's types as they are."""
    return values


SNOWFLAKE = Dialect(
    name="snowflake",
    type_name=type_name,
    max_identifier_bytes=255,
    upper_case=True,
    transactional_ddl=False,
    upsert="merge",
)
