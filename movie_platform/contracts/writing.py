"""A table and its rules as a data contract of ODCS 3.1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from movie_platform.contracts.checks import column_of, entry_of
from movie_platform.quality.ruleset import Ruleset
from movie_platform.table import Column, Table, ValueCheck

API_VERSION = "v3.1.0"
RULESET = "dqdlRuleset"
"""The custom property of a table whose `quality` entries are all of a ruleset: their order, and what else it holds."""

TypeName = Callable[[Column], str]


@dataclass(frozen=True)
class Promised:
    """A table, view or file that a contract describes, and the rules that it is judged by."""

    table: Table
    kind: Literal["table", "view", "file"] = "table"
    ruleset: Ruleset | None = None


def contract(
    name: str, title: str, purpose: str, version: str, tables: Sequence[Promised], type_name: TypeName
) -> dict[str, Any]:
    """The contract of one source; `type_name` gives a column's type in the warehouse."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"movie-platform-{name}",
        "name": title,
        "version": version,
        "status": "active",
        "domain": "movies",
        "description": {"purpose": purpose},
        "schema": [_object(promised, type_name) for promised in tables],
    }


def written(document: dict[str, Any]) -> str:
    """The contract as YAML, the same text for the same contract."""
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _object(promised: Promised, type_name: TypeName) -> dict[str, Any]:
    table, ruleset = promised.table, promised.ruleset
    found: dict[str, Any] = {"name": table.name, "physicalType": promised.kind}
    if promised.kind != "file":
        found["physicalName"] = table.qualified_name
    if table.description:
        found["description"] = table.description
    columns = {column.name: not column.nullable for column in table.columns}
    per_column: dict[str | None, list[dict[str, Any]]] = {}
    for rule in ruleset or ():
        per_column.setdefault(column_of(rule, columns), []).append(entry_of(rule, columns))
    physical = type_name if promised.kind != "file" else lambda column: str(column.type)
    found["properties"] = [
        _property(table, column, physical(column), per_column.get(column.name, [])) for column in table.columns
    ]
    if None in per_column:
        found["quality"] = per_column[None]
    if ruleset is not None:
        whole: dict[str, Any] = {"rules": [rule.name for rule in ruleset]}
        if ruleset.default_labels:
            whole["defaultLabels"] = ruleset.default_labels
        if ruleset.analyzers:
            whole["analyzers"] = [analyzer.text for analyzer in ruleset.analyzers]
        found["customProperties"] = [{"property": RULESET, "value": whole}]
    return found


def _property(table: Table, column: Column, physical: str, quality: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"name": column.name, "physicalType": physical, **_logical(column.type)}
    if column.description:
        found["description"] = column.description
    if not column.nullable:
        found["required"] = True
    if table.key == (column.name,):
        found["unique"] = True
    if column.name in table.key:
        found |= {"primaryKey": True, "primaryKeyPosition": table.key.index(column.name) + 1}
    if column.name == table.partition:
        found |= {"partitioned": True, "partitionKeyPosition": 1}
    bounds = {name: value for check in column.checks for name, value in _bounds(check).items()}
    if bounds:
        found["logicalTypeOptions"] = bounds
    if quality:
        found["quality"] = quality
    return found


def _bounds(check: ValueCheck) -> dict[str, float]:
    match check.builtin:
        case "in_range":
            return dict(zip(("minimum", "maximum"), check.arguments, strict=True))
        case "greater_than_or_equal_to":
            return {"minimum": check.arguments[0]}
    raise ValueError(f"no option of a contract says what {check} says")


def _logical(kind: pa.DataType) -> dict[str, Any]:
    """The standard's name for a type, with the fields or items of a nested one."""
    types = pa.types
    if types.is_struct(kind):
        fields = [{"name": field.name, "physicalType": str(field.type), **_logical(field.type)} for field in kind]
        return {"logicalType": "object", "properties": fields}
    if types.is_list(kind):
        return {"logicalType": "array", "items": _logical(kind.value_type)}
    for name, belongs in (
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("number", lambda one: types.is_floating(one) or types.is_decimal(one)),
        ("date", types.is_date),
        ("timestamp", types.is_timestamp),
        ("object", types.is_map),
    ):
        if belongs(kind):
            return {"logicalType": name}
    if not types.is_string(kind):
        raise ValueError(f"the standard has no name for {kind}")
    return {"logicalType": "string"}
