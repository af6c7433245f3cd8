"""Rules that compare the data set with another one."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from movie_platform.quality.data import Columns, DataSet
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.ruleset import SimpleRule
from movie_platform.quality.sandbox_tables import PRIMARY, SandboxTables
from movie_platform.sql_names import quoted

_AGGREGATES = {"avg": "avg", "sum": "sum", "min": "min", "max": "max", "count": "count"}


@dataclass(frozen=True)
class Compared:
    """A share of agreement; for rules that judge rows, which of them have no counterpart and which are not judged."""

    metric: str
    share: float
    detail: str
    fails: np.ndarray | None = None
    outside: np.ndarray | None = None


Comparison = Callable[[int], Compared]
"""The comparison, given the number of rows."""


def prepared(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    """The comparison of a rule, checked as far as it can be before the data is read."""
    match rule.type:
        case "RowCountMatch":
            return _row_count_match(rule, tables)
        case "SchemaMatch":
            return _schema_match(rule, tables)
        case "AggregateMatch":
            return _aggregate_match(rule, tables)
        case "ReferentialIntegrity":
            return _referential_integrity(rule, tables)
        case "DatasetMatch":
            return _dataset_match(rule, tables)
    raise AssertionError(rule.type)


def _row_count_match(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    alias = rule.parameters[0]
    reference = tables.side(alias)

    def compare(rows: int) -> Compared:
        theirs = _rows(reference)
        if not theirs:
            raise RuleNotComputable(f'"{alias}" has no rows to compare with')
        return Compared(
            f"Dataset.{alias}.RowCountMatch", rows / theirs, f'{rows:,} rows against {theirs:,} of "{alias}"'
        )

    return compare


def _schema_match(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    """The share of columns with the same name and type; 0 where the numbers of columns differ."""
    alias = rule.parameters[0]
    mine = {field.name.casefold(): field.type for field in tables.data.schema}
    theirs = {field.name.casefold(): field.type for field in tables.side(alias).schema}
    if not mine or not theirs:
        raise RuleNotComputable("a data set without columns has no schema to compare")
    same = [name for name, kind in mine.items() if theirs.get(name) == kind]
    other = sorted((mine.keys() | theirs.keys()) - set(same))
    share = len(same) / len(mine) if len(mine) == len(theirs) else 0.0
    detail = f"these columns differ: {', '.join(other)}"
    if len(mine) != len(theirs):
        detail = f'{len(mine)} columns here and {len(theirs)} in "{alias}"; {detail}'
    return lambda _rows: Compared(f"Dataset.{alias}.SchemaMatch", share, detail)


def _aggregate_match(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    sides = [_aggregate(parameter) for parameter in rule.parameters]
    columns = list(dict.fromkeys(column for _, _, column in sides))
    metric = f"Column.{','.join(columns)}.AggregateMatch"
    for _, alias, column in sides:
        if column != "*":
            Columns(tables.side(alias).schema).find(column)

    def compare(_rows: int) -> Compared:
        values = [_aggregated(tables, *side) for side in sides]
        if values[1] == 0:
            if values[0] == 0:
                return Compared(metric, 1.0, "both are 0")
            raise RuleNotComputable(f"{rule.parameters[1]} is 0, so there is no ratio")
        detail = f"{rule.parameters[0]} is {values[0]:g}, {rule.parameters[1]} {values[1]:g}"
        return Compared(metric, values[0] / values[1], detail)

    return compare


def _aggregated(tables: SandboxTables, function: str, alias: str, column: str) -> float:
    source = tables.side(alias)
    if column == "*":
        return float(_rows(source))
    exact = Columns(source.schema).find(column)
    tables.load(alias, {exact})
    value = tables.number(f"SELECT {function}({quoted(exact)}) FROM {tables.table(alias)}")  # noqa: S608
    if value is None:
        raise RuleNotComputable(f'"{column}" of "{alias}" has no values')
    return value


def _referential_integrity(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    mine = [Columns(tables.data.schema).find(name.strip()) for name in rule.parameters[0].split(",")]
    found = re.fullmatch(r"\s*([^.{]+)\.\{?([^{}]+)\}?\s*", rule.parameters[1])
    if found is None:
        raise RuleNotComputable(f'{rule.parameters[1]!r} does not name columns of a data set: "reference.{{a,b}}" does')
    alias = found[1].strip()
    reference = Columns(tables.side(alias).schema)
    theirs = [reference.find(name.strip()) for name in found[2].split(",")]
    if len(mine) != len(theirs):
        raise RuleNotComputable(f"{len(mine)} columns are compared with {len(theirs)}")

    def compare(rows: int) -> Compared:
        tables.load(PRIMARY, set(mine))
        tables.load(alias, set(theirs))
        same = " AND ".join(f"p.{quoted(a)} = r.{quoted(b)}" for a, b in zip(mine, theirs, strict=True))
        orphan = f"NOT EXISTS (SELECT 1 FROM {tables.table(alias)} r WHERE {same})"  # noqa: S608
        return _shared(
            rule, tables, rows, orphan, f"Column.{alias}.ReferentialIntegrity", f'have no counterpart in "{alias}"'
        )

    return compare


def _dataset_match(rule: SimpleRule, tables: SandboxTables) -> Comparison:
    alias = rule.parameters[0]
    mine, theirs = Columns(tables.data.schema), Columns(tables.side(alias).schema)
    keys = _pairs(rule.parameters[1], mine, theirs)
    values = _pairs(rule.parameters[2], mine, theirs) if len(rule.parameters) == 3 else _others(alias, keys, tables)

    def compare(rows: int) -> Compared:
        tables.load(PRIMARY, {left for left, _ in (*keys, *values)})
        tables.load(alias, {right for _, right in (*keys, *values)})
        _must_be_keys(tables, PRIMARY, [left for left, _ in keys])
        _must_be_keys(tables, alias, [right for _, right in keys])
        joined = " AND ".join(f"p.{quoted(a)} = r.{quoted(b)}" for a, b in keys)
        same = " AND ".join(f"p.{quoted(a)} IS NOT DISTINCT FROM r.{quoted(b)}" for a, b in values)
        other = f"NOT EXISTS (SELECT 1 FROM {tables.table(alias)} r WHERE {joined} AND {same})"  # noqa: S608
        return _shared(rule, tables, rows, other, f"Dataset.{alias}.DatasetMatch", f'have no equal row in "{alias}"')

    return compare


def _others(alias: str, keys: list[tuple[str, str]], tables: SandboxTables) -> list[tuple[str, str]]:
    """The columns beside the key, which both data sets have to have."""
    theirs = Columns(tables.side(alias).schema)
    left_keys, right_keys = {left for left, _ in keys}, {right for _, right in keys}
    mine = [name for name in tables.data.schema.names if name not in left_keys]
    lacking = [name for name in mine if name not in theirs]
    lacking += [
        name for name in theirs.schema.names if name not in right_keys and name not in Columns(tables.data.schema)
    ]
    if lacking or not mine:
        what = f"{', '.join(lacking)} stand in one of them only" if lacking else "there are none"
        raise RuleNotComputable(
            f'the columns beside the key are to be the same here and in "{alias}", and {what}; name those to compare'
        )
    return [(name, theirs.find(name)) for name in mine]


def _must_be_keys(tables: SandboxTables, alias: str, columns: list[str]) -> None:
    """Raises RuleNotComputable where a key is missing or occurs twice: rows would have no counterpart of their own."""
    names = ", ".join(quoted(column) for column in columns)
    missing = " OR ".join(f"{quoted(column)} IS NULL" for column in columns)
    table = tables.table(alias)
    nulls = tables.number(f"SELECT count(*) FROM {table} WHERE {missing}")  # noqa: S608
    repeated = tables.number(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {names} HAVING count(*) > 1)"  # noqa: S608
    )
    for count, what in ((nulls, "rows without one"), (repeated, "that occur more than once")):
        if count:
            raise RuleNotComputable(
                f'{", ".join(columns)} are no key of "{alias}": {count:,.0f} {what}; compare sums with AggregateMatch'
            )


def _shared(rule: SimpleRule, tables: SandboxTables, rows: int, fails: str, metric: str, what: str) -> Compared:
    """The share of rows that do not meet the SQL condition `fails`, with the rows that do."""
    number = quoted(tables.row_number)
    start = f"SELECT p.{number} FROM {quoted(PRIMARY)} p WHERE "  # noqa: S608
    outside = None
    if rule.where is not None:
        condition = tables.predicate(rule.where)
        outside = tables.marked(f"{start} NOT {condition}", rows)
    broken = tables.marked(start + fails, rows)
    if outside is not None:
        broken &= ~outside
    total = rows - int(np.count_nonzero(outside)) if outside is not None else rows
    if not total:
        raise RuleNotComputable("there are no rows to compare")
    failed = int(np.count_nonzero(broken))
    return Compared(metric, (total - failed) / total, f"{failed:,} of {total:,} rows {what}", broken, outside)


def _rows(data: DataSet) -> int:
    return sum(batch.num_rows for batch in data.batches([]))


def _aggregate(expression: str) -> tuple[str, str, str]:
    """avg(column) or avg(alias.column) as function, alias and column."""
    found = re.fullmatch(r"\s*(\w+)\s*\(\s*(?:([^.()]+)\.)?([^().]+|\*)\s*\)\s*", expression)
    if found is None or found[1].lower() not in _AGGREGATES:
        raise RuleNotComputable(
            f"{expression!r} is not one of {', '.join(_AGGREGATES)} of a column: avg(reference.price)"
        )
    if found[3].strip() == "*" and found[1].lower() != "count":
        raise RuleNotComputable(f"{expression!r} names no column")
    return _AGGREGATES[found[1].lower()], (found[2] or PRIMARY).strip(), found[3].strip()


def _pairs(text: str, mine: Columns, theirs: Columns) -> list[tuple[str, str]]:
    """A text such as "a,b->c" as pairs of exact names, of the judged data set and of the other."""
    pairs = []
    for part in text.split(","):
        left, _, right = part.partition("->")
        pairs.append((mine.find(left.strip()), theirs.find((right or left).strip())))
    return pairs
