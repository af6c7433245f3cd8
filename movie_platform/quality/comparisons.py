"""Rules that compare the data set with another one."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from movie_platform.quality.counterparts import Counterpart, Counterparts, Pairs
from movie_platform.quality.data import Columns, DataSet
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.measures import Measures
from movie_platform.quality.ruleset import SimpleRule
from movie_platform.quality.sandbox_tables import PRIMARY, SandboxTables

_MOMENTS = {"avg": "mean", "sum": "sum", "min": "low", "max": "high"}
_AGGREGATES = (*_MOMENTS, "count")


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


def prepared(rule: SimpleRule, tables: SandboxTables, measures: Measures) -> Comparison:
    """The comparison of a rule, checked as far as it can be before the data is read.

    What it needs of the judged data set is asked of `measures`, which see all rows before it is made.
    """
    match rule.type:
        case "RowCountMatch":
            return _row_count_match(rule, tables)
        case "SchemaMatch":
            return _schema_match(rule, tables)
        case "AggregateMatch":
            return _aggregate_match(rule, tables, measures)
        case "ReferentialIntegrity":
            return _referential_integrity(rule, tables, measures)
        case "DatasetMatch":
            return _dataset_match(rule, tables, measures)
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


def _aggregate_match(rule: SimpleRule, tables: SandboxTables, measures: Measures) -> Comparison:
    sides = [_aggregate(parameter) for parameter in rule.parameters]
    columns = list(dict.fromkeys(column for _, _, column in sides))
    metric = f"Column.{','.join(columns)}.AggregateMatch"
    ours, theirs = (_aggregated(*side, tables, measures) for side in sides)

    def compare(_rows: int) -> Compared:
        values = ours(), theirs()
        if values[1] == 0:
            if values[0] == 0:
                return Compared(metric, 1.0, "both are 0")
            raise RuleNotComputable(f"{rule.parameters[1]} is 0, so there is no ratio")
        detail = f"{rule.parameters[0]} is {values[0]:g}, {rule.parameters[1]} {values[1]:g}"
        return Compared(metric, values[0] / values[1], detail)

    return compare


def _aggregated(
    function: str, alias: str, column: str, tables: SandboxTables, measures: Measures
) -> Callable[[], float]:
    """What gives an aggregate of a column once the rows of the judged data set were seen."""
    source = tables.side(alias)
    if column == "*":
        return lambda: float(_rows(source))
    exact = Columns(source.schema).find(column)
    reads = source is not tables.data
    if reads:
        measures = Measures(source, Columns(source.schema), measures.sandbox)
    if function == "count":
        missing = measures.missing((exact,), None)
    else:
        numbers = measures.numbers(exact, None, squares=False)

    def value() -> float:
        if reads:
            measures.read()
        if function == "count":
            missing.done()
            return float(missing.rows - missing.count)
        numbers.done()
        found = getattr(numbers.moments, _MOMENTS[function]) if numbers.moments.count else None
        if found is None or not math.isfinite(found):
            what = "has no values" if found is None else f"has no {function} within the range of numbers"
            raise RuleNotComputable(f'"{column}" of "{alias}" {what}')
        return float(found)

    return value


def _referential_integrity(rule: SimpleRule, tables: SandboxTables, measures: Measures) -> Comparison:
    mine = [Columns(tables.data.schema).find(name.strip()) for name in rule.parameters[0].split(",")]
    found = re.fullmatch(r"\s*([^.{]+)\.\{?([^{}]+)\}?\s*", rule.parameters[1])
    if found is None:
        raise RuleNotComputable(f'{rule.parameters[1]!r} does not name columns of a data set: "reference.{{a,b}}" does')
    alias = found[1].strip()
    reference = Columns(tables.side(alias).schema)
    theirs = [reference.find(name.strip()) for name in found[2].split(",")]
    if len(mine) != len(theirs):
        raise RuleNotComputable(f"{len(mine)} columns are compared with {len(theirs)}")
    counterpart = Counterpart(alias, tuple(zip(mine, theirs, strict=True)), where=rule.where)
    if rule.where is not None:
        counterpart = replace(counterpart, where_columns=tuple(tables.columns_of(rule.where)))
    metric = f"Column.{alias}.ReferentialIntegrity"
    return _shared(counterpart, tables, measures, metric, f'have no counterpart in "{alias}"')


def _dataset_match(rule: SimpleRule, tables: SandboxTables, measures: Measures) -> Comparison:
    alias = rule.parameters[0]
    mine, theirs = Columns(tables.data.schema), Columns(tables.side(alias).schema)
    keys = _pairs(rule.parameters[1], mine, theirs)
    values = _pairs(rule.parameters[2], mine, theirs) if len(rule.parameters) == 3 else _others(alias, keys, tables)
    counterpart = Counterpart(alias, keys, values, of_its_own=True)
    metric = f"Dataset.{alias}.DatasetMatch"
    return _shared(counterpart, tables, measures, metric, f'have no equal row in "{alias}"')


def _others(alias: str, keys: Pairs, tables: SandboxTables) -> Pairs:
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
    return tuple((name, theirs.find(name)) for name in mine)


def _shared(counterpart: Counterpart, tables: SandboxTables, measures: Measures, metric: str, what: str) -> Comparison:
    """The share of rows that have a counterpart, with the rows that have none."""
    measure = measures.shared(("counterparts", counterpart), lambda: Counterparts(counterpart, tables))

    def compare(rows: int) -> Compared:
        found = measure.found(rows)
        for side, count in enumerate(found.not_keys):
            if count:
                alias, columns = (counterpart.alias, counterpart.their_key) if side > 1 else (PRIMARY, counterpart.key)
                wrong = "that occur more than once" if side % 2 else "rows without one"
                raise RuleNotComputable(
                    f'{", ".join(columns)} are no key of "{alias}": {count:,} {wrong}; compare sums with AggregateMatch'
                )
        total = rows - int(np.count_nonzero(found.outside)) if found.outside is not None else rows
        if not total:
            raise RuleNotComputable("there are no rows to compare")
        failed = int(np.count_nonzero(found.broken))
        detail = f"{failed:,} of {total:,} rows {what}"
        return Compared(metric, (total - failed) / total, detail, found.broken, found.outside)

    return compare


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
    return found[1].lower(), (found[2] or PRIMARY).strip(), found[3].strip()


def _pairs(text: str, mine: Columns, theirs: Columns) -> Pairs:
    """A text such as "a,b->c" as pairs of exact names, of the judged data set and of the other."""
    pairs = []
    for part in text.split(","):
        left, _, right = part.partition("->")
        pairs.append((mine.find(left.strip()), theirs.find((right or left).strip())))
    return tuple(pairs)
