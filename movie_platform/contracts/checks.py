"""Rules as checks of ODCS: its own metrics and SQL where they say the same, otherwise `custom` with engine `dqdl`."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from movie_platform.quality.conditions import Condition, Number, Text
from movie_platform.quality.explanation import explain
from movie_platform.quality.ruleset import CompositeRule, PanderaRule, Rule, SimpleRule

ENGINE = "dqdl"
RULE = "dqdl"
"""The custom property of a native check that holds the rule it was made of."""
OPERATORS = {
    "=": "mustBe",
    "!=": "mustNotBe",
    ">": "mustBeGreaterThan",
    ">=": "mustBeGreaterOrEqualTo",
    "<": "mustBeLessThan",
    "<=": "mustBeLessOrEqualTo",
}
RANGES = {"between": "mustBeBetween", "not between": "mustNotBeBetween"}
"""The standard includes both ends of a range; DQDL leaves both out in `between` and includes both in `not between`."""
MIRRORED = {"=": "=", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
"""What a share has to meet where the rest of it has to meet an operator."""
NATIVE = ("type", "metric", "arguments", "unit", "query", *OPERATORS.values(), *RANGES.values())
"""The keys of a native check that say what it demands."""
_DIMENSIONS = {
    "Complete": "completeness",
    "Uniq": "uniqueness",
    "PrimaryKey": "uniqueness",
    "Freshness": "timeliness",
    "DataType": "conformity",
    "Exists": "conformity",
    "Names": "conformity",
    "Schema": "conformity",
    "Integrity": "consistency",
    "Match": "consistency",
    "RowCount": "coverage",
}
_FROM_PRIMARY = re.compile(r"\b(from|join)(\s+)primary\b(?!\s*\.)", re.IGNORECASE)
_LARGEST_EXACT = 2**53


def entry_of(rule: Rule, columns: Mapping[str, bool]) -> dict[str, Any]:
    """A rule as an entry of a `quality` list; `columns` says of each column of the table whether it holds no null."""
    about: dict[str, Any] = {"name": rule.name, "description": explain(rule), "severity": _severity(rule)}
    dimension = next((d for part, d in _DIMENSIONS.items() if isinstance(rule, SimpleRule) and part in rule.type), None)
    if dimension is not None:
        about["dimension"] = dimension
    if isinstance(rule, PanderaRule):
        return {**about, "type": "text"}
    native = native_of(rule, columns)
    if native is None:
        return {**about, "type": "custom", "engine": ENGINE, "implementation": rule.text}
    return {**about, **native, "customProperties": [{"property": RULE, "value": rule.text}]}


def column_of(rule: Rule, columns: Mapping[str, bool]) -> str | None:
    """The table's own name of the one column that a rule is about; None for rules about several or the whole table."""
    named = rule.columns if not isinstance(rule, CompositeRule) else ()
    return next((name for name in columns if len(named) == 1 and name.casefold() == named[0].casefold()), None)


def native_of(rule: Rule, columns: Mapping[str, bool]) -> dict[str, Any] | None:
    """What the standard itself has for a rule; None where it has nothing that means the same."""
    if not isinstance(rule, SimpleRule) or rule.threshold is not None or rule.options:
        return None
    column = column_of(rule, columns)
    condition = rule.condition
    match rule.type:
        case "RowCount" if not rule.parameters and rule.where is None and condition is not None:
            return _library("rowCount", _whole_number(condition))
        case "IsComplete" if column is not None and rule.where is None:
            return _library("nullValues", {"mustBe": 0})
        case "Completeness" if column is not None and rule.where is None and condition is not None:
            return _library("nullValues", _rest(condition), unit="percent")
        case "IsUnique" if rule.where is None:
            names = [_named(name, columns) for name in rule.parameters]
            if column is not None:
                return _library("duplicateValues", {"mustBe": 0})
            if len(names) > 1 and None not in names:
                return _library("duplicateValues", {"mustBe": 0}, arguments={"properties": names})
        case "ColumnValues" if column is not None and condition is not None and condition.operator == "in":
            holds_no_null = columns[column] and rule.where is None
            values = [_plain(operand) for operand in condition.operands]
            if None not in values and (holds_no_null or _asks_for_values_only(rule)):
                return _library("invalidValues", {"mustBe": 0}, arguments={"validValues": values})
        case "CustomSql" if condition is not None:
            bound = _bound(condition)
            query = _FROM_PRIMARY.sub(r"\1\2{object}", rule.parameters[0])
            elsewhere = re.search(r"\bprimary\b|['\"`$]|--|/\*|\{(?!object\})", query, re.IGNORECASE)
            if bound is not None and "{object}" in query and elsewhere is None:
                return {"type": "sql", "query": query, **bound}
    return None


def identifier(name: str) -> str:
    """A column as it stands in the SQL of a rule."""
    return "`" + name.replace("`", "``") + "`"


def not_null(column: str) -> str:
    """The `where` of a rule that a null must not break."""
    return f"{identifier(column)} is not null"


def number_of(value: int | float | Decimal) -> Number:
    """A number as it stands in a rule; exact, without an exponent."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = f"{exact:f}"
    return Number(text.rstrip("0").rstrip(".") if "." in text else text)


def _severity(rule: Rule) -> str:
    return "warning" if rule.severity == "warn" else "error"


def _library(metric: str, bound: dict[str, Any] | None, **further: Any) -> dict[str, Any] | None:
    return None if bound is None else {"type": "library", "metric": metric, **further, **bound}


def _named(column: str, columns: Mapping[str, bool]) -> str | None:
    return next((name for name in columns if name.casefold() == column.casefold()), None)


def _bound(condition: Condition) -> dict[str, Any] | None:
    """A condition on a number, where the standard has its operator."""
    value = _plain(condition.operands[0])
    if condition.operator not in OPERATORS or not isinstance(value, int | float):
        return None
    return {OPERATORS[condition.operator]: value}


def _whole_number(condition: Condition) -> dict[str, Any] | None:
    """A condition on a count. The ends of a range are moved by 1, since the standard includes or excludes others."""
    if condition.operator not in RANGES:
        return _bound(condition)
    low, high = (_plain(operand) for operand in condition.operands)
    if not isinstance(low, int) or not isinstance(high, int) or low + 1 >= high - 1:
        return None
    return {RANGES[condition.operator]: [low + 1, high - 1]}


def _rest(condition: Condition) -> dict[str, Any] | None:
    """A condition on a share as one on the percentage that the share leaves."""
    share = _exact(condition)
    if share is None or condition.operator not in MIRRORED:
        return None
    percent = _spelled(100 - share * 100)
    return None if percent is None else {OPERATORS[MIRRORED[condition.operator]]: percent}


def _exact(condition: Condition) -> Decimal | None:
    operand = condition.operands[0]
    try:
        return Decimal(operand.text) if isinstance(operand, Number) and len(operand.text) < 30 else None
    except InvalidOperation:
        return None


def _plain(operand: object) -> Any:
    """An operand as a value of YAML; None where it is none, or would not be read back as the same."""
    if isinstance(operand, Text):
        return operand.value
    if not isinstance(operand, Number) or len(operand.text) > 30:
        return None
    return _spelled(Decimal(operand.text))


def _spelled(value: Decimal) -> int | float | None:
    if value == value.to_integral_value():
        return int(value) if abs(value) < _LARGEST_EXACT else None
    return float(value) if math.isfinite(float(value)) else None


def _asks_for_values_only(rule: SimpleRule) -> bool:
    """Whether the rule is limited to the rows that have a value, which is what the standard's metric looks at."""
    column = re.escape(rule.parameters[0])
    where = rule.where or ""
    return re.fullmatch(rf"\s*(`{column}`|{column})\s+is\s+not\s+null\s*", where, re.IGNORECASE) is not None
