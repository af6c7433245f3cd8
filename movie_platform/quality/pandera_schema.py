"""A ruleset as a Pandera schema."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from movie_platform.quality import row_tests
from movie_platform.quality.batches import Batch
from movie_platform.quality.data import FrameData
from movie_platform.quality.data_types import data_type_test
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.evaluation import evaluate
from movie_platform.quality.explanation import explain
from movie_platform.quality.operands import Operands
from movie_platform.quality.rule_types import FORMAT, IGNORE_CASE
from movie_platform.quality.ruleset import PanderaRule, Rule, Ruleset, SimpleRule

_PER_VALUE = ("IsComplete", "ColumnValues", "ColumnLength", "ColumnDataType", "DataFreshness")


def schema_of(ruleset: Ruleset, columns: Iterable[str] | None = None, nulls: row_tests.Nulls = "documented") -> Any:
    """A ruleset as a DataFrameSchema.

    A rule on the values of one column, for all rows, is a check of that column and names the rows that break it. Every
    other rule (shares, statistics, keys, queries, composites) is a check of the whole frame with one answer. Nulls are
    given to the checks, never set aside.
    """
    exact = {name.casefold(): name for name in columns} if columns is not None else {}
    per_column: dict[str, list[pandera.Check]] = {}
    whole: list[pandera.Check] = []
    for rule in ruleset:
        if isinstance(rule, SimpleRule) and is_per_value(rule):
            column = exact.get(rule.parameters[0].casefold(), rule.parameters[0])
            per_column.setdefault(column, []).append(column_check(rule, nulls))
        elif isinstance(rule, PanderaRule) and rule.on is not None:
            per_column.setdefault(exact.get(rule.on.casefold(), rule.on), []).append(rule.check)
        elif isinstance(rule, PanderaRule):
            whole.append(rule.check)
        else:
            whole.append(_frame_check(rule, nulls))
    described = {
        name: pandera.Column(checks=checks, nullable=True, required=True) for name, checks in per_column.items()
    }
    return pandera.DataFrameSchema(described, checks=whole, strict=False, coerce=False)


def is_per_value(rule: SimpleRule) -> bool:
    """Whether a rule can be a check on one column's values."""
    plain = rule.where is None and rule.threshold is None
    return rule.type in _PER_VALUE and plain and not (rule.condition is not None and rule.condition.is_dynamic)


def column_check(rule: SimpleRule, nulls: row_tests.Nulls = "documented") -> pandera.Check:
    """A rule on one column's values as a Pandera check; it runs the test that an evaluation runs."""

    def check(series: pd.Series) -> pd.Series:
        frame = series.to_frame(name="values")
        data = FrameData(frame)
        test = value_test(rule, "values", data.schema.field("values").type, nulls)
        masks = [test(Batch(batch)) for batch in data.batches()]
        return pd.Series(np.concatenate(masks) if masks else np.zeros(0, dtype=bool), index=series.index)

    return pandera.Check(
        check, name=rule.name or rule.slug(), error=rule.claim, description=explain(rule), ignore_na=False
    )


def value_test(rule: SimpleRule, column: str, kind: pa.DataType, nulls: row_tests.Nulls) -> row_tests.RowTest:
    """The test of a rule for which `is_per_value` holds."""
    operands = Operands(datetime.now(UTC), lambda _metric, _last: [])
    if rule.type == "IsComplete":
        return row_tests.completeness_test(column)
    assert rule.condition is not None
    match rule.type:
        case "ColumnValues":
            ignore_case = rule.option(IGNORE_CASE) == "true"
            return row_tests.values_test(column, kind, rule.condition, operands, nulls, ignore_case=ignore_case)
        case "ColumnLength":
            return row_tests.length_test(column, kind, rule.condition, operands)
        case "ColumnDataType":
            return data_type_test(column, kind, rule.condition, rule.option(FORMAT))
        case "DataFreshness":
            return row_tests.freshness_test(column, kind, rule.condition, operands)
    raise AssertionError(rule.type)


def _frame_check(rule: Rule, nulls: row_tests.Nulls) -> pandera.Check:
    alone = Ruleset([replace(rule, name="")])

    def check(frame: pd.DataFrame) -> bool:
        outcome = evaluate(frame, alone, nulls=nulls).outcomes[0]
        if outcome.outcome == "Error":
            raise RuleNotComputable(outcome.failure_reason or rule.claim)
        return outcome.passed

    return pandera.Check(check, name=rule.name, error=rule.claim, description=explain(rule), ignore_na=False)
