"""What other tools' contracts ask for, as texts of rules: the standard's metrics, SQL, and constraints of columns."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from movie_platform.contracts.checks import MIRRORED, OPERATORS, RANGES, identifier, not_null, number_of
from movie_platform.contracts.reading import Node
from movie_platform.quality.conditions import quote
from movie_platform.quality.rule_types import DATE_FORMATS

_TYPES = {"integer": "LONG", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP"}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_TABLE = re.compile(r"\$?\{(object|table|model)\}")
_COLUMN = re.compile(r"\$?\{(property|column|field)\}")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_OLD_NAMES = {"duplicateCount": "duplicateValues", "nullCheck": "nullValues"}
"""Names of metrics up to version 3.0, under the key `rule`."""


class NotARule(Exception):
    """Something of a contract that DQDL cannot say, and why."""


def column_name(prop: Node) -> str:
    """What a column is called in the data."""
    return prop.get("physicalName" if prop.has("physicalName") else "name").text


def texts_of(check: Node, table: Node, prop: Node | None, columns: Mapping[str, bool]) -> Iterator[str]:
    """A check of type `library` or `sql` as texts of rules that all have to hold."""
    column, kind = (None, None) if prop is None else (column_name(prop), prop.get("logicalType").value)
    if check.get("type").value == "sql":
        yield _custom_sql(check, table, column)
        return
    metric = check.get("metric" if check.has("metric") else "rule").text
    metric = _OLD_NAMES.get(metric, metric)
    percent = check.get("unit").value == "percent"
    if metric == "rowCount" and not percent:
        yield _bounded(check, lambda bound: f"RowCount {bound}", whole=True)
    elif metric == "duplicateValues":
        listed = check.get("arguments").get("properties") if check.has("arguments") else Node(None)
        names = [name.text for name in listed.items()] or ([column] if column is not None else [])
        yield _unique(check, names, percent)
    elif column is None:
        raise NotARule(f"{metric} is not a metric of a whole table that is known here")
    elif metric == "nullValues":
        yield _nulls(check, column, percent)
    elif metric in ("missingValues", "invalidValues"):
        yield from _values(check, metric, column, columns.get(column, False), percent, holds_text=kind not in _TYPES)
    else:
        raise NotARule(f"{metric} is not a metric of a column that is known here")


def constraints(table: Node, columns: Mapping[str, bool]) -> Iterator[tuple[str, Iterator[str]]]:
    """What the columns' descriptions ask for: each place in the document, and the texts of its rules."""
    keys: list[tuple[float, str]] = []
    for prop in table.get("properties").items():
        column = column_name(prop)
        yield prop.path, iter([f"ColumnExists {quote(column)}"])
        if prop.get("required").truth:
            yield prop.get("required").path, iter([f"IsComplete {quote(column)}"])
        if prop.get("unique").truth:
            yield prop.get("unique").path, iter([f"IsUnique {quote(column)}"])
        if prop.get("primaryKey").truth:
            place = prop.get("primaryKeyPosition").value
            keys.append((place if isinstance(place, int | float) else len(keys), column))
        if prop.has("logicalType"):
            yield prop.get("logicalType").path, _type(prop, column)
        if prop.has("logicalTypeOptions"):
            options = prop.get("logicalTypeOptions")
            for option in options.mapping:
                yield options.get(option).path, _option(prop, option, column, columns[column])
        for relation in prop.get("relationships").items():
            yield relation.path, _reference(relation, [column])
        for nested in ("properties", "items"):
            if prop.has(nested):
                yield prop.get(nested).path, _refuse("rules are about columns, not about what is inside a value")
    if keys:
        names = " ".join(quote(column) for _, column in sorted(keys))
        yield f"{table.path}.properties", iter([f"IsPrimaryKey {names}"])
    for relation in table.get("relationships").items():
        yield relation.path, _reference(relation, None)


def _bounded(check: Node, rule: Callable[[str], str], *, whole: bool = False, rest_of: int | None = None) -> str:
    """The rule with what its number must meet; `rest_of` turns the number into the share that it leaves."""
    given = [key for key in (*OPERATORS.values(), *RANGES.values()) if check.has(key)]
    if len(given) != 1:
        raise NotARule(f"it has {len(given)} of the operators ({', '.join(OPERATORS.values())}, ...), not one")
    bound = check.get(given[0])
    for operator, key in OPERATORS.items():
        if key == given[0]:
            return _one(rule, operator, _number(bound), rest_of)
    ends = [_number(end) for end in bound.items()]
    if len(ends) != 2:
        raise NotARule(f"{given[0]} has {len(ends)} ends, not two")
    is_outside = given[0] == RANGES["not between"]
    if whole and all(end == int(end) for end in ends):
        word = "not between" if is_outside else "between"
        return rule(f"{word} {number_of(ends[0] - 1).text} and {number_of(ends[1] + 1).text}")
    first, second, joined = ("<", ">", "or") if is_outside else (">=", "<=", "and")
    return f"({_one(rule, first, ends[0], rest_of)}) {joined} ({_one(rule, second, ends[1], rest_of)})"


def _one(rule: Callable[[str], str], operator: str, number: Decimal, rest_of: int | None) -> str:
    if rest_of is not None:
        operator, number = MIRRORED[operator], 1 - number / rest_of
    return rule(f"{operator} {number_of(number).text}")


def _number(node: Node) -> Decimal:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise NotARule(f"{node.path} is no number, and rules compare numbers")
    return Decimal(repr(node.value))


def _is_none_allowed(check: Node) -> bool:
    return check.get("mustBe").value == 0 and not isinstance(check.get("mustBe").value, bool)


def _unique(check: Node, names: Sequence[str], percent: bool) -> str:
    if not names:
        raise NotARule("it names no columns whose values must be unique")
    if _is_none_allowed(check):
        return f"IsUnique {' '.join(map(quote, names))}"
    if percent:
        raise NotARule("a share of duplicates is not defined: only their number")
    listed = ", ".join(map(identifier, names))
    filled = " and ".join(map(not_null, names))
    query = f"select count(*) from (select {listed} from primary where {filled} group by {listed} having count(*) > 1)"  # noqa: S608
    return _bounded(check, lambda bound: f"CustomSql {quote(query)} {bound}", whole=True)


def _nulls(check: Node, column: str, percent: bool) -> str:
    if _is_none_allowed(check):
        return f"IsComplete {quote(column)}"
    if percent:
        return _bounded(check, lambda bound: f"Completeness {quote(column)} {bound}", rest_of=100)
    return _counted(check, f"{identifier(column)} is null", percent=False)


def _values(
    check: Node, metric: str, column: str, holds_no_null: bool, percent: bool, *, holds_text: bool
) -> Iterator[str]:
    """Values that are listed as missing, or that are none of a list or do not fit a pattern. Nulls are not invalid.

    Words for what is missing are looked for where there can be words: a column of numbers has none.
    """
    given = check.get("arguments")
    where = "" if holds_no_null else f" where {quote(not_null(column))}"
    conditions, broken = [], []
    if metric == "missingValues":
        words = [word.value for word in given.get("missingValues").items()] if given.value else [None, ""]
        texts = [word for word in words if word is not None and (holds_text or not isinstance(word, str))]
        if None in words:
            broken.append(f"{identifier(column)} is null")
        if texts:
            conditions.append(f"not in [{', '.join(map(_literal, texts))}]")
            broken.append(f"{identifier(column)} in ({', '.join(map(_sql, texts))})")
        if _is_none_allowed(check):
            yield from [f"IsComplete {quote(column)}"] if None in words else []
            yield from [f"ColumnValues {quote(column)} {condition}{where}" for condition in conditions]
            return
        if not broken:
            raise NotARule("it lists only words, and the column holds none")
        yield _counted(check, " or ".join(broken), percent)
        return
    if given.value and given.has("validValues"):
        values = [value.value for value in given.get("validValues").items()]
        conditions.append(f"in [{', '.join(map(_literal, values))}]")
        broken.append(f"{identifier(column)} not in ({', '.join(map(_sql, values))})")
    if given.value and given.has("pattern"):
        pattern = given.get("pattern").text
        conditions.append(f"matches {quote(_whole(pattern))}")
        broken.append(f"not {identifier(column)} rlike {_sql(pattern)}")
    if not conditions:
        raise NotARule("it does not say which values are valid")
    if _is_none_allowed(check):
        yield from [f"ColumnValues {quote(column)} {condition}{where}" for condition in conditions]
        return
    yield _counted(check, f"{not_null(column)} and ({' or '.join(broken)})", percent)


def _counted(check: Node, condition: str, percent: bool) -> str:
    counted = f"count(case when {condition} then 1 end)"
    number = f"100.0 * {counted} / count(*)" if percent else counted
    query = f"select {number} from primary"  # noqa: S608 - the sandbox reads it, and names and values are quoted
    return _bounded(check, lambda bound: f"CustomSql {quote(query)} {bound}", whole=not percent)


def _custom_sql(check: Node, table: Node, column: str | None) -> str:
    query = _TABLE.sub("primary", check.get("query").text.strip().rstrip(";"))
    if column is not None:
        query = _COLUMN.sub(lambda _found: identifier(column), query)
    for key in ("name", "physicalName"):
        if table.has(key):
            name = r"\s*\.\s*".join(f'["`]?{re.escape(part)}["`]?' for part in table.get(key).text.split("."))
            query = re.sub(rf"\b(from|join)(\s+){name}(?![\w.])", r"\1\2primary", query, flags=re.IGNORECASE)
    left = re.search(r"\$?\{\w+\}", query)
    if left is not None:
        raise NotARule(f"its query has the placeholder {left.group()}, which stands for nothing here")
    return _bounded(check, lambda bound: f"CustomSql {quote(query)} {bound}")


def _type(prop: Node, column: str) -> Iterator[str]:
    kind = prop.get("logicalType").text
    if kind in _TYPES:
        options = prop.get("logicalTypeOptions")
        spelled = options.get("format").value if kind == "date" and options.value else None
        with_format = f" with format = {quote(spelled)}" if spelled in DATE_FORMATS else ""
        if spelled is None or with_format:
            yield f'ColumnDataType {quote(column)} = "{_TYPES[kind]}"{with_format}'
    elif kind != "string":
        raise NotARule(f"no rule asks for values of type {kind}")


def _option(prop: Node, option: str, column: str, holds_no_null: bool) -> Iterator[str]:
    kind, value = prop.get("logicalType").value, prop.get("logicalTypeOptions").get(option)
    where = "" if holds_no_null else f" where {quote(not_null(column))}"
    if kind == "string" and option in ("minLength", "maxLength"):
        operator = ">=" if option == "minLength" else "<="
        yield f"ColumnLength {quote(column)} {operator} {number_of(_number(value)).text}{where}"
    elif kind == "string" and option == "pattern":
        yield f"ColumnValues {quote(column)} matches {quote(_whole(value.text))}{where}"
    elif option in _BOUNDS:
        bound = quote(value.value) if isinstance(value.value, str) else number_of(_number(value)).text
        yield f"ColumnValues {quote(column)} {_BOUNDS[option]} {bound}{where}"
    elif not (kind == "date" and option == "format" and value.value in DATE_FORMATS):
        raise NotARule(f"no rule says what {option} says")


def _reference(relation: Node, columns: list[str] | None) -> Iterator[str]:
    targets = [_REFERENCE.fullmatch(name) for name in _listed(relation.get("to"))]
    if columns is None:
        found = [_REFERENCE.fullmatch(name) for name in _listed(relation.get("from"))]
        columns = [match[2] for match in found if match]
    tables = {match[1] for match in targets if match}
    if None in targets or len(tables) != 1 or len(columns) != len(targets):
        raise NotARule("the relationship is not written as table.column on both sides")
    theirs = ",".join(match[2] for match in targets if match)
    yield f"ReferentialIntegrity {quote(','.join(columns))} {quote(f'{tables.pop()}.{{{theirs}}}')} = 1.0"


def _listed(node: Node) -> list[str]:
    return [entry.text for entry in node.items()] if isinstance(node.value, list) else [node.text]


def _refuse(why: str) -> Iterator[str]:
    raise NotARule(why)
    yield


def _whole(pattern: str) -> str:
    """A pattern that may be found anywhere in a value, as one for the whole value, which is what rules have."""
    if pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith(r"\$") and "|" not in pattern:
        return pattern[1:-1]
    return f"(?s:.*)(?:{pattern})(?s:.*)"


def _literal(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise NotARule("the list has a value that is neither a text nor a number")
    return quote(value) if isinstance(value, str) else number_of(value).text


def _sql(value: Any) -> str:
    """A text or number in Spark's SQL, which rules are read as."""
    literal = _literal(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" if isinstance(value, str) else literal
