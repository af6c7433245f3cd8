"""Whether Parquet holds what a table's description says, column by column."""

from collections.abc import Sequence

import pyarrow as pa

from movie_platform.table import Table


def type_mismatches(table: Table, found: pa.Schema, *, without: Sequence[str] = ()) -> list[str]:
    """Why Parquet with this schema does not hold the table's columns; `without` may be absent."""
    problems = [f"{name} is not a column of the table" for name in found.names if name not in table.column_names]
    for column in table.columns:
        if column.name not in found.names:
            if column.name not in without:
                problems.append(f"{column.name} is missing")
        elif not fits(found.field(column.name).type, column.type):
            problems.append(f"{column.name} is {found.field(column.name).type}, and the table says {column.type}")
    return problems


def fits(found: pa.DataType, described: pa.DataType) -> bool:
    """Whether every value of one type is a value of the other, unchanged."""
    types = pa.types
    if found == described or types.is_null(found):
        return True
    if types.is_dictionary(found):
        return fits(found.value_type, described)
    for family in (_is_text, _is_bytes):
        if family(found) and family(described):
            return True
    if types.is_integer(found) and types.is_integer(described):
        keeps_sign = types.is_unsigned_integer(found) or types.is_signed_integer(described)
        return bool(keeps_sign and found.bit_width < described.bit_width)
    if types.is_floating(found) and types.is_floating(described):
        return bool(found.bit_width <= described.bit_width)
    if types.is_decimal(found) and types.is_decimal(described):
        whole = found.precision - found.scale
        return bool(found.scale <= described.scale and whole <= described.precision - described.scale)
    if types.is_timestamp(found) and types.is_timestamp(described):
        return (found.tz is None) == (described.tz is None) and _unit(found) <= _unit(described)
    if _is_list(found) and _is_list(described):
        return fits(found.value_type, described.value_type)
    if types.is_struct(found) and types.is_struct(described):
        names = [f.name for f in found.fields]
        return sorted(names) == sorted(f.name for f in described.fields) and all(
            fits(found.field(name).type, described.field(name).type) for name in names
        )
    return False


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _unit(kind: pa.TimestampType) -> int:
    return ["s", "ms", "us", "ns"].index(kind.unit)
