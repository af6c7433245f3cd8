"""Pandera models as rulesets, and their checks run on data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from movie_platform.quality.conditions import Condition, Text
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.presentation import harmless
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform.quality.ruleset import PanderaRule, Rule, Ruleset, SimpleRule


def ruleset_of(model: Any) -> Ruleset:
    """Each check of a model (or schema) as a rule, and its demands on presence, nulls, uniqueness and types too."""
    schema = model.to_schema() if hasattr(model, "to_schema") else model
    if not isinstance(schema, pandera.DataFrameSchema):
        raise TypeError(f"a ruleset is made from a Pandera model or DataFrameSchema, not from {type(model).__name__}")
    rules: list[Rule] = []
    for name, column in schema.columns.items():
        if getattr(column, "regex", False):
            raise TypeError(f"the model names columns by the pattern {name!r}; a rule names one column")
        if column.required:
            rules.append(SimpleRule(type="ColumnExists", parameters=(str(name),)))
        kind = _data_type(column)
        if kind is not None:
            rules.append(_one("ColumnDataType", str(name), Condition("=", (Text(kind),))))
        if not column.nullable:
            rules.append(_one("IsComplete", str(name)))
        if column.unique:
            rules.append(_one("IsUnique", str(name)))
        rules.extend(PanderaRule(check=check, on=str(name), label=_label(check)) for check in column.checks)
    if schema.unique:
        rules.append(SimpleRule(type="IsUnique", parameters=tuple(schema.unique)))
    rules.extend(PanderaRule(check=check, on=None, label=_label(check)) for check in schema.checks)
    return Ruleset(rules)


def run_check(check: pandera.Check, judged: pd.Series | pd.DataFrame) -> np.ndarray | bool:
    """What a check says: one answer per row, or one for all; a check that breaks is not a row that fails."""
    judged = judged.reset_index(drop=True)
    run: Callable[..., Any] = check
    try:
        result = run(judged)
    except Exception as failure:
        raise RuleNotComputable(f"the check raised {type(failure).__name__}: {harmless(str(failure))}") from failure
    output = result.check_output
    if isinstance(output, pd.DataFrame):
        output = output.all(axis=1)
    if isinstance(output, pd.Series) and output.index.isin(judged.index).all():
        # A check that sets nulls aside answers for the other rows only; a null passes it.
        passing = pd.Series(True, index=judged.index)
        passing.loc[output.index] = output.fillna(False).astype(bool)
        if check.ignore_na and isinstance(judged, pd.Series):
            passing |= judged.isna()
        return passing.to_numpy(dtype=bool)
    return bool(result.check_passed)


def _one(kind: str, column: str, condition: Condition | None = None) -> SimpleRule:
    assert kind in RULE_TYPES
    return SimpleRule(type=kind, parameters=(column,), condition=condition)


def _data_type(column: Any) -> str | None:
    if column.dtype is None:
        return None
    spelled = str(column.dtype).lower()
    for start, kind in (
        ("int", "LONG"),
        ("uint", "LONG"),
        ("float", "DOUBLE"),
        ("bool", "BOOLEAN"),
        ("datetime", "TIMESTAMP"),
    ):
        if spelled.startswith(start):
            return kind
    return None


def _label(check: pandera.Check) -> str:
    given = getattr(check, "statistics", None) or {}
    statistics = {key: value for key, value in given.items() if value is not None and value is not True}
    if statistics:
        return f"{check.name}({', '.join(f'{key}={value!r}' for key, value in statistics.items())})"
    return str(check.error or check.name or "check")
