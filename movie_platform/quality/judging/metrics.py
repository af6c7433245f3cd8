"""Statistics of the whole data set: rules about them, and analyzers."""

import math
from collections.abc import Callable, Sequence

from movie_platform.quality.batches import kind_of
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.judging.context import (
    DeferredOutcome,
    EvaluationContext,
    Judgement,
    evaluated_text,
    history_metric_name,
    key_prefix,
    recorded_metrics,
)
from movie_platform.quality.judging.wording import spelled_number
from movie_platform.quality.measures import Measure
from movie_platform.quality.operands import holds
from movie_platform.quality.ruleset import Analyzer, SimpleRule
from movie_platform.quality.statistics import entropy


def plan_statistic(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    """A rule about one number of the whole data set."""
    metric, read = measured(rule.type, rule.parameters, rule.where, context)
    assert rule.condition is not None
    condition = context.operands.resolved(rule.condition, history_metric_name(rule, metric))

    def conclude() -> Judgement:
        value = read()
        passed = holds(value, condition, context.operands)
        metrics = {metric: float(value)}
        reason = None if passed else f"the value is {spelled_number(value)}, and it must be {condition.render()}"
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated_text(rule, condition),
            recorded=recorded_metrics(rule, metrics),
        )

    return conclude


_MOMENTS = {"Mean": "mean", "Sum": "sum", "StandardDeviation": "standard_deviation", "Variance": "variance"}


def measured(
    kind: str, parameters: Sequence[str], where: str | None, context: EvaluationContext
) -> tuple[str, Callable[[], float]]:
    """The name of a statistic and what gives its value after the pass."""
    measures = context.measures
    names = tuple(context.columns.find(name) for name in parameters) if kind not in ("CustomSql", "ColumnCount") else ()
    match kind:
        case "RowCount":
            rows = measures.rows(where)
            return "Dataset.*.RowCount", lambda: _after(rows, lambda: rows.count)
        case "ColumnCount":
            return "Dataset.*.ColumnCount", lambda: len(context.columns.schema.names)
        case "Completeness":
            total = measures.rows(where)
            missing = measures.missing(names, where)
            return f"Column.{parameters[0]}.Completeness", lambda: _after(
                missing, lambda: 1 - missing.count / _positive(total.count)
            )
        case "Uniqueness" | "UniqueValueRatio" | "DistinctValuesCount" | "Entropy":
            return _key_statistic(kind, names, parameters, where, context)
        case "Mean" | "Sum" | "StandardDeviation" | "Variance":
            squares = kind in ("StandardDeviation", "Variance")
            numbers = measures.numbers(names[0], where, squares=squares)

            def moments() -> float:
                numbers.done()
                if not numbers.moments.count:
                    raise RuleNotComputable(f'"{parameters[0]}" has no value to take the {kind} of')
                found = _MOMENTS[kind]
                value: float = getattr(numbers.moments, found)
                if not math.isfinite(value):
                    raise RuleNotComputable(f'the {kind} of "{parameters[0]}" is beyond the range of numbers')
                return value

            return f"Column.{parameters[0]}.{kind}", moments
        case "ColumnCorrelation":
            if len(names) != 2:
                raise RuleNotComputable("ColumnCorrelation takes two columns")
            pairs = measures.pairs(names[0], names[1], where)

            def correlation() -> float:
                pairs.done()
                value = pairs.correlation.value
                if math.isnan(value):
                    raise RuleNotComputable("the correlation is not defined: a column has no values, or only one")
                return value

            return f"{key_prefix(parameters)}.ColumnCorrelation", correlation
        case "CustomSql":
            return "Dataset.*.CustomSQL", lambda: context.tables.scalar(parameters[0])
    raise RuleNotComputable(f"{kind} is not a metric")


def _key_statistic(
    kind: str, names: tuple[str, ...], parameters: Sequence[str], where: str | None, context: EvaluationContext
) -> tuple[str, Callable[[], float]]:

    keys = context.measures.keys(names, where)

    def read() -> float:
        found = keys.occurrences()
        if not found.keyed_rows:
            if kind == "DistinctValuesCount":
                return 0.0
            raise RuleNotComputable(f"no row has a value in {', '.join(parameters)}")
        match kind:
            case "Uniqueness":
                return found.unique / found.keyed_rows
            case "UniqueValueRatio":
                return found.unique / found.distinct
            case "DistinctValuesCount":
                return float(found.distinct)
        return entropy(found.counts)

    return f"{key_prefix(parameters)}.{kind}", read


def _after(measure: Measure, value: Callable[[], float]) -> float:
    measure.done()
    return value()


def _positive(rows: int) -> int:
    if not rows:
        raise RuleNotComputable("there are no rows to take a share of")
    return rows


def extreme_metrics(
    kind: str, parameters: Sequence[str], where: str | None, context: EvaluationContext
) -> list[tuple[str, Callable[[], float]]]:
    """Least and greatest value, or length, of a column."""
    if len(parameters) != 1:
        raise RuleNotComputable(f"{kind} takes one column")
    column = context.columns.find(parameters[0])
    if kind == "ColumnValues" and kind_of(context.columns.type_of(column)) != "number":
        raise RuleNotComputable(f'"{parameters[0]}" does not hold numbers')
    lengths = kind == "ColumnLength"
    measure = context.measures.lengths(column, where) if lengths else context.measures.extremes(column, where)
    suffix = "Length" if lengths else ""

    def end(which: str) -> float:
        measure.done()
        value = measure.low if which == "Minimum" else measure.high
        if value is None:
            raise RuleNotComputable(f'"{parameters[0]}" has no values')
        return value

    return [
        (f"Column.{parameters[0]}.Minimum{suffix}", lambda: end("Minimum")),
        (f"Column.{parameters[0]}.Maximum{suffix}", lambda: end("Maximum")),
    ]


def analyzer_metrics(analyzer: Analyzer, context: EvaluationContext) -> list[tuple[str, Callable[[], float]]]:
    """What an analyzer measures: names and what gives their values after the pass."""
    parameters = analyzer.parameters
    if analyzer.type == "AllStatistics":
        column = context.columns.find(parameters[0])
        found = [measured(kind, parameters, analyzer.where, context) for kind in ("Completeness", "Uniqueness")]
        found.append(measured("RowCount", (), analyzer.where, context))
        numeric = kind_of(context.columns.type_of(column)) == "number"
        extremes = extreme_metrics("ColumnValues" if numeric else "ColumnLength", parameters, analyzer.where, context)
        return [*found, *extremes]
    if analyzer.type == "Distribution":
        return [
            measured(kind, parameters, analyzer.where, context)
            for kind in ("Completeness", "DistinctValuesCount", "Entropy", "UniqueValueRatio")
        ]
    if analyzer.type in ("ColumnValues", "ColumnLength"):
        return extreme_metrics(analyzer.type, parameters, analyzer.where, context)
    return [measured(analyzer.type, parameters, analyzer.where, context)]
