"""The columns that the shop's table must have, and the types of a database that fit into ours."""

import re
from collections.abc import Mapping

import pyarrow as pa

from movie_platform.column_changes import changes_of, summary_of
from movie_platform.errors import InputRefused
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE

_FITTING = {
    "text": re.compile(r"(character varying|varchar|character|text|bpchar)(\(\d+\))?", re.IGNORECASE),
    "integer": re.compile(r"integer|smallint", re.IGNORECASE),
    "timestamp without time zone": re.compile(r"timestamp(\(\d\))?( without time zone)?", re.IGNORECASE),
}
_NUMERIC = re.compile(r"(?:numeric|decimal)\((\d+),\s*(\d+)\)", re.IGNORECASE)


def check_columns(source: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a source that lacks a column of `USER_PURCHASE`, or has one of a type that does not fit into it.

    `columns` has those of its one relation with their types, as the source's catalogue shows them.
    """
    (found,) = columns.values()
    if changes := [of for of in changes_of(EXPECTED_TYPES, found, fits=fits) if of.change != "new"]:
        raise InputRefused(
            f"{source} {summary_of(changes)}. Mend the table, or give the platform a view that has these columns.",
            rule="columns",
            columns=columns,
        )


def fits(expected: str, found: str) -> bool:
    """Whether each value of a column of the type that was found is one of the expected type."""
    wanted, match = _NUMERIC.fullmatch(expected), _NUMERIC.fullmatch(found)
    if wanted is None:
        return _FITTING[expected].fullmatch(found) is not None
    if match is None:
        return False
    # Digits before the point and behind it must both have room.
    (precision, scale), (width, decimals) = map(int, wanted.groups()), map(int, match.groups())
    return decimals <= scale and width - decimals <= precision - scale


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    return {pa.string(): "text", pa.int32(): "integer"}.get(kind, "timestamp without time zone")


EXPECTED_TYPES = {column.name: _type_name(column.type) for column in USER_PURCHASE.columns}
