"""Redshift's types, limits and table options."""

import pyarrow as pa

from movie_platform.table import Column, Table
from movie_platform.warehouse.dialect import Dialect

LONGEST_TEXT = 65_535
FIRST_ROOM = 256
"""Bytes that a text column of no stated length begins with; loads widen it to what they bring."""

_TYPES = [
    (pa.types.is_boolean, "BOOLEAN", pa.bool_()),
    (pa.types.is_int8, "SMALLINT", pa.int16()),
    (pa.types.is_uint8, "SMALLINT", pa.int16()),
    (pa.types.is_int16, "SMALLINT", pa.int16()),
    (pa.types.is_uint16, "INTEGER", pa.int32()),
    (pa.types.is_int32, "INTEGER", pa.int32()),
    (pa.types.is_uint32, "BIGINT", pa.int64()),
    (pa.types.is_int64, "BIGINT", pa.int64()),
    (pa.types.is_float32, "REAL", pa.float32()),
    (pa.types.is_float64, "DOUBLE PRECISION", pa.float64()),
    (pa.types.is_date, "DATE", pa.date32()),
]
"""Arrow's type, Redshift's, and the one in Parquet that COPY puts into it without a conversion."""

REPORTED = {
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "REAL": "real",
    "DOUBLE PRECISION": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMPTZ": "timestamp with time zone",
    "SUPER": "super",
    "VARBYTE": "varbyte",
}


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def room(longest: int) -> int:
    """A length that takes the longest text found, and some more, so that columns are widened seldom."""
    length = FIRST_ROOM
    while length < longest:
        length *= 2
    return min(length, LONGEST_TEXT)


def type_name(column: Column) -> str:
    if is_text(column.type):
        return f"VARCHAR({column.max_bytes or FIRST_ROOM})"
    return _other_type(column)


def staged_type_name(column: Column) -> str:
    """Texts were measured before they are staged. COPY reads Parquet's instants as timestamps in UTC."""
    if is_text(column.type):
        return f"VARCHAR({column.max_bytes or LONGEST_TEXT})"
    if pa.types.is_timestamp(column.type):
        return "TIMESTAMP"
    return _other_type(column)


def _other_type(column: Column) -> str:
    kind = column.type
    for is_kind, name, _ in _TYPES:
        if is_kind(kind):
            return name
    if pa.types.is_decimal(kind) and kind.precision <= 38:
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    if pa.types.is_nested(kind):
        return "SUPER"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return f"VARBYTE({column.max_bytes or 64_000})"
    raise ValueError(f"Redshift has no type for {kind} of {column.name}")


def reported_type(column: Column) -> str:
    """The type as the catalogue names it. A text's length is not part of it: loads make room."""
    if is_text(column.type):
        return "character varying"
    name = _other_type(column)
    if name.startswith("DECIMAL"):
        return f"numeric({column.type.precision},{column.type.scale})"
    return REPORTED[name.partition("(")[0]]


def physical(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """The form in Parquet that COPY takes for the column's type."""
    for is_kind, _, kind in _TYPES:
        if is_kind(column.type):
            return values.cast(kind)
    if pa.types.is_timestamp(column.type):
        return values.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.timestamp("us"))
    return values


def table_options(dialect: Dialect, table: Table) -> str:
    options = {"even": "DISTSTYLE EVEN", "all": "DISTSTYLE ALL"}.get(table.distribution)
    if options is None:
        options = f"DISTSTYLE KEY DISTKEY ({dialect.quote(table.distribution)})"
    if table.sort:
        options += f" SORTKEY ({dialect.quoted(table.sort)})"
    return options


REDSHIFT = Dialect(
    name="redshift",
    type_name=type_name,
    staged_type_name=staged_type_name,
    max_identifier_bytes=127,
    table_options=table_options,
    # A column cannot be widened within a transaction, so tables are made ready before it.
    transactional_ddl=False,
    materialized_views=True,
    view_options="WITH NO SCHEMA BINDING",
)
