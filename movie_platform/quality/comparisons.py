"""Rules that need the whole data set at once: queries, and comparisons with other data sets."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from movie_platform.quality.data import Columns, DataSet, Judgeable, TableData, as_frame
from movie_platform.quality.errors import DataUnreadable, RuleNotComputable
from movie_platform.quality.opening import open_data
from movie_platform.quality.ruleset import SimpleRule
from movie_platform.quality.sandbox import ROW_NUMBER, Predicate, Sandbox, columns_in, passing_rows, quoted, translated

PRIMARY = "primary"
_AGGREGATES = {"avg": "avg", "sum": "sum", "min": "min", "max": "max", "count": "count"}

Compared = Callable[[], tuple[str, float, str]]


class Comparisons:
    """The judged data set and its references as tables of a sandbox, loaded when the first rule asks for them."""

    def __init__(self, data: DataSet, references: Mapping[str, Judgeable], sandbox: Callable[[], Sandbox]) -> None:
        self._data = data
        self._references = {name.casefold(): (name, source) for name, source in references.items()}
        self._opened: dict[str, DataSet] = {}
        self._sandbox = sandbox
        self._columns_of: dict[str, set[str]] = {}

    def scalar(self, sql: str) -> float:
        """The one number that a query gives."""
        self._load_for(sql)
        result = self._sandbox().select(sql)
        if result.num_rows != 1 or result.num_columns != 1:
            raise RuleNotComputable(
                f"a CustomSql with a condition gives one number; this one gives {result.num_rows} rows of "
                f"{result.num_columns} columns"
            )
        value = result.column(0)[0].as_py()
        if value is None:
            raise RuleNotComputable("the query gives NULL, which cannot be compared")
        try:
            return float(value)
        except (TypeError, ValueError) as failure:
            raise RuleNotComputable(f"the query gives {value!r}, which is not a number") from failure

    def check_rows(self, sql: str) -> None:
        """Raises RuleNotComputable when the rows that a query returns could not be distinguished."""
        passing_rows(sql)

    def rows(self, sql: str, count: int) -> np.ndarray:
        """Which rows of the data set a query returns."""
        self._load_for(sql)
        found = self._sandbox().select(passing_rows(sql)).column(0).to_numpy()
        passing = np.zeros(count, dtype=bool)
        passing[found[~pd.isna(found)].astype(np.int64)] = True
        return passing

    def frame(self, columns: Sequence[str] | None) -> pd.DataFrame:
        """The data set, or some of its columns, as a frame."""
        batches = list(self._data.batches(columns))
        schema = self._data.schema if columns is None else pa.schema([self._data.schema.field(c) for c in columns])
        return as_frame(pa.Table.from_batches(batches, schema=schema))

    def prepared(self, rule: SimpleRule) -> Compared:
        """The comparison of a rule, checked as far as it can be before the data is read."""
        match rule.type:
            case "RowCountMatch":
                return self._row_count_match(rule)
            case "SchemaMatch":
                return self._schema_match(rule)
            case "AggregateMatch":
                return self._aggregate_match(rule)
            case "ReferentialIntegrity":
                return self._referential_integrity(rule)
            case "DatasetMatch":
                return self._dataset_match(rule)
        raise AssertionError(rule.type)

    def _row_count_match(self, rule: SimpleRule) -> Compared:
        alias = rule.parameters[0]
        reference = self._reference(alias)

        def compare() -> tuple[str, float, str]:
            mine, theirs = _rows(self._data), _rows(reference)
            if not theirs:
                raise RuleNotComputable(f'"{alias}" has no rows to compare with')
            return f"Dataset.{alias}.RowCountMatch", mine / theirs, f'{mine:,} rows against {theirs:,} of "{alias}"'

        return compare

    def _schema_match(self, rule: SimpleRule) -> Compared:
        alias = rule.parameters[0]
        mine = {field.name.casefold(): field.type for field in self._data.schema}
        theirs = {field.name.casefold(): field.type for field in self._reference(alias).schema}
        same = [name for name, kind in mine.items() if theirs.get(name) == kind]
        every = mine.keys() | theirs.keys()
        other = sorted(every - set(same))

        def compare() -> tuple[str, float, str]:
            if not every:
                raise RuleNotComputable("neither data set has columns")
            return f"Dataset.{alias}.SchemaMatch", len(same) / len(every), f"these columns differ: {', '.join(other)}"

        return compare

    def _aggregate_match(self, rule: SimpleRule) -> Compared:
        sides = [_aggregate(parameter) for parameter in rule.parameters]
        columns = list(dict.fromkeys(column for _, _, column in sides))
        metric = (
            f"Column.[{','.join(columns)}].AggregateMatch"
            if len(columns) > 1
            else f"Column.{columns[0]}.AggregateMatch"
        )
        sources = [self._side(alias) for _, alias, _ in sides]
        for (_, _, column), source in zip(sides, sources, strict=True):
            if column != "*":
                Columns(source.schema).find(column)

        def compare() -> tuple[str, float, str]:
            values = [self._aggregated(*side) for side in sides]
            if values[1] == 0:
                if values[0] == 0:
                    return metric, 1.0, "both are 0"
                raise RuleNotComputable(f"{rule.parameters[1]} is 0, so there is no ratio")
            return (
                metric,
                values[0] / values[1],
                f"{rule.parameters[0]} is {values[0]:g}, {rule.parameters[1]} {values[1]:g}",
            )

        return compare

    def _aggregated(self, function: str, alias: str, column: str) -> float:
        if column == "*":
            return float(_rows(self._side(alias)))
        source = self._side(alias)
        exact = Columns(source.schema).find(column)
        self._load(alias, {exact})
        statement = f"SELECT {function}({quoted(exact)}) AS value FROM {quoted(self._table(alias))}"  # noqa: S608
        value = self._sandbox().trusted(statement).column(0)[0].as_py()
        if value is None:
            raise RuleNotComputable(f'"{column}" of "{alias}" has no values')
        return float(value)

    def _referential_integrity(self, rule: SimpleRule) -> Compared:
        mine = [Columns(self._data.schema).find(name.strip()) for name in rule.parameters[0].split(",")]
        found = re.fullmatch(r"\s*([^.{]+)\.\{?([^{}]+)\}?\s*", rule.parameters[1])
        if found is None:
            raise RuleNotComputable(
                f'{rule.parameters[1]!r} does not name columns of a data set: "reference.{{a,b}}" does'
            )
        alias = found[1].strip()
        reference = Columns(self._reference(alias).schema)
        theirs = [reference.find(name.strip()) for name in found[2].split(",")]
        if len(mine) != len(theirs):
            raise RuleNotComputable(f"{len(mine)} columns are compared with {len(theirs)}")

        def compare() -> tuple[str, float, str]:
            self._load(PRIMARY, set(mine))
            self._load(alias, set(theirs))
            same = " AND ".join(f"p.{quoted(a)} = r.{quoted(b)}" for a, b in zip(mine, theirs, strict=True))
            condition = f" WHERE {self._predicate(rule.where)}" if rule.where is not None else ""
            statement = (
                f"SELECT count(*) AS total, count(*) FILTER (EXISTS (SELECT 1 FROM {quoted(self._table(alias))} r "  # noqa: S608
                f"WHERE {same})) AS found FROM {quoted(PRIMARY)} p{condition}"
            )
            result = self._sandbox().trusted(statement)
            total, matched = result.column(0)[0].as_py(), result.column(1)[0].as_py()
            if not total:
                raise RuleNotComputable("there are no rows to look up")
            detail = f'{total - matched:,} of {total:,} rows have no counterpart in "{alias}"'
            return f"Column.{','.join(rule.parameters[0].split(','))}.ReferentialIntegrity", matched / total, detail

        return compare

    def _predicate(self, where: str) -> str:
        columns = Columns(self._data.schema)
        predicate = Predicate(where)
        names = {name: columns.find(name) for name in predicate.columns}
        self._load(PRIMARY, set(names.values()))
        return predicate.condition(names)

    def _dataset_match(self, rule: SimpleRule) -> Compared:
        alias = rule.parameters[0]
        mine, theirs = Columns(self._data.schema), Columns(self._reference(alias).schema)
        keys = _pairs(rule.parameters[1], mine, theirs)
        if len(rule.parameters) == 3:
            values = _pairs(rule.parameters[2], mine, theirs)
        else:
            keyed = {left for left, _ in keys}
            shared = [name for name in self._data.schema.names if name not in keyed and name in theirs]
            values = [(name, theirs.find(name)) for name in shared]

        def compare() -> tuple[str, float, str]:
            self._load(PRIMARY, {left for left, _ in (*keys, *values)})
            self._load(alias, {right for _, right in (*keys, *values)})
            joined = " AND ".join(f"p.{quoted(a)} = r.{quoted(b)}" for a, b in keys)
            same = " AND ".join(f"p.{quoted(a)} IS NOT DISTINCT FROM r.{quoted(b)}" for a, b in values) or "true"
            statement = (
                f"SELECT count(*) AS matched FROM {quoted(PRIMARY)} p WHERE EXISTS "  # noqa: S608
                f"(SELECT 1 FROM {quoted(self._table(alias))} r WHERE {joined} AND {same})"
            )
            matched = self._sandbox().trusted(statement).column(0)[0].as_py()
            rows, others = _rows(self._data), _rows(self._reference(alias))
            if not max(rows, others):
                raise RuleNotComputable("both data sets are empty")
            detail = f'{matched:,} of {rows:,} rows are equal to one of the {others:,} of "{alias}"'
            return f"Dataset.{alias}.DatasetMatch", matched / max(rows, others), detail

        return compare

    def _side(self, alias: str) -> DataSet:
        return self._data if alias.casefold() == PRIMARY else self._reference(alias)

    def _reference(self, alias: str) -> DataSet:
        key = alias.casefold()
        if key == PRIMARY:
            return self._data
        if key not in self._opened:
            if key not in self._references:
                known = ", ".join(name for name, _ in self._references.values()) or "none was given"
                raise RuleNotComputable(f'there is no data set "{alias}" to compare with ({known})')
            try:
                self._opened[key] = open_data(self._references[key][1])
            except DataUnreadable as failure:
                raise RuleNotComputable(f'the data set "{alias}" cannot be read: {failure}') from failure
        return self._opened[key]

    def _table(self, alias: str) -> str:
        key = alias.casefold()
        return PRIMARY if key == PRIMARY else self._references[key][0]

    def _load_for(self, sql: str) -> None:
        """Loads what a query mentions; every known data set can be mentioned."""
        known = {PRIMARY, *self._references}
        translated(sql, known)
        mentioned = columns_in(sql)
        for name in sorted(known):
            if not re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE):
                continue
            schema = self._side(name).schema
            self._load(name, {c for c in schema.names if mentioned is None or c.casefold() in mentioned})

    def _load(self, alias: str, columns: set[str]) -> None:
        """Makes columns of a data set readable in the sandbox, rows of the judged one with their numbers."""
        name = self._table(alias)
        source = self._side(alias)
        have = self._columns_of.get(name)
        if have is not None and columns <= have:
            return
        have = self._columns_of[name] = columns | (have or set())
        wanted = [column for column in source.schema.names if column in have]
        sandbox = self._sandbox()
        if isinstance(source, TableData):
            table = source.table.select(wanted)
            sandbox.register(name, table.append_column(ROW_NUMBER, pa.array(np.arange(source.table.num_rows))))
        else:
            sandbox.replace(name, _numbered(source, wanted))


def _numbered(source: DataSet, columns: Sequence[str]) -> pa.RecordBatchReader:
    fields = [source.schema.field(column) for column in columns]
    schema = pa.schema([*fields, pa.field(ROW_NUMBER, pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        row = 0
        for batch in source.batches(columns):
            numbers = pa.array(np.arange(row, row + batch.num_rows))
            row += batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


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
