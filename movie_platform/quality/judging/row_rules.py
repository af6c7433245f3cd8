"""Rules that judge each value of one column."""

from collections.abc import Callable

from movie_platform.quality import row_tests
from movie_platform.quality.batches import Batch, Mask, kind_of
from movie_platform.quality.conditions import Condition
from movie_platform.quality.data_types import data_type_test
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.judging.context import (
    DeferredOutcome,
    EvaluationContext,
    Judgement,
    evaluated_text,
    history_metric_name,
    recorded_metrics,
)
from movie_platform.quality.judging.wording import count_of_rows, does_or_do, percentage, shown_examples
from movie_platform.quality.measures import RowCheck
from movie_platform.quality.operands import holds
from movie_platform.quality.row_results import RowMarks
from movie_platform.quality.rule_types import FORMAT, IGNORE_CASE
from movie_platform.quality.ruleset import SimpleRule


def plan_column_values(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    named = rule.parameters[0]
    column = context.columns.find(named)
    kind = context.columns.type_of(column)
    metric = f"Column.{named}.ColumnValues.Compliance"
    low, high = f"Column.{named}.Minimum", f"Column.{named}.Maximum"
    condition = _resolved(rule, context, history_metric_name(rule, low), history_metric_name(rule, high))
    return _plan(
        rule,
        context,
        column,
        row_tests.values_test(
            column, kind, condition, context.operands, context.nulls, ignore_case=rule.option(IGNORE_CASE) == "true"
        ),
        metric,
        condition=condition,
        extremes=_extremes_of(rule, context, column, low, high) if kind_of(kind) == "number" else None,
        unreadable=row_tests.unreadable(column, kind, condition),
        tolerance=context.threshold(rule, metric),
    )


def plan_column_length(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    named = rule.parameters[0]
    column = context.columns.find(named)
    metric = f"Column.{named}.ColumnLength.Compliance"
    low, high = f"Column.{named}.MinimumLength", f"Column.{named}.MaximumLength"
    condition = _resolved(rule, context, history_metric_name(rule, low), history_metric_name(rule, high))
    test = row_tests.length_test(column, context.columns.type_of(column), condition, context.operands)
    return _plan(
        rule,
        context,
        column,
        test,
        metric,
        condition=condition,
        extremes=_extremes_of(rule, context, column, low, high),
        tolerance=context.threshold(rule, metric),
    )


def plan_column_data_type(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    assert rule.condition is not None
    column = context.columns.find(rule.parameters[0])
    test = data_type_test(column, context.columns.type_of(column), rule.condition, rule.option(FORMAT))
    metric = f"Column.{rule.parameters[0]}.ColumnDataType.Compliance"
    return _plan(rule, context, column, test, metric, tolerance=context.threshold(rule, metric))


def plan_data_freshness(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    assert rule.condition is not None
    column = context.columns.find(rule.parameters[0])
    test = row_tests.freshness_test(column, context.columns.type_of(column), rule.condition, context.operands)
    metric = f"Column.{rule.parameters[0]}.DataFreshness.Compliance"
    return _plan(rule, context, column, test, metric, tolerance=context.threshold(rule, metric))


def plan_completeness(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    column = context.columns.find(rule.parameters[0])
    metric = f"Column.{rule.parameters[0]}.Completeness"
    condition = (
        context.operands.resolved(rule.condition, history_metric_name(rule, metric))
        if rule.condition is not None
        else None
    )
    test = row_tests.completeness_test(column)
    deferred = _plan(rule, context, column, test, metric, condition=condition, tolerance=condition)
    if kind_of(context.columns.type_of(column)) != "text":
        return deferred
    blanks = context.measures.blanks(column, rule.where)

    def conclude() -> Judgement:
        judgement = deferred()
        blanks.done()
        if blanks.count and judgement.outcome != "Error":
            judgement.observation = (
                f'{count_of_rows(blanks.count)} of "{column}" {"has" if blanks.count == 1 else "have"} a blank text, '
                "which counts as a value"
            )
        return judgement

    return conclude


def _plan(
    rule: SimpleRule,
    context: EvaluationContext,
    column: str,
    test: row_tests.RowTest,
    metric: str,
    *,
    condition: Condition | None = None,
    extremes: Callable[[], dict[str, float]] | None = None,
    unreadable: Callable[[Batch], Mask] | None = None,
    tolerance: Condition | None = None,
) -> DeferredOutcome:
    """A rule that judges each row; `tolerance` is what the share of passing rows must meet, all of them without one."""
    check = RowCheck(
        column,
        test,
        context.measures.where(rule.where),
        unreadable=unreadable,
        keep_skips=context.skip_filtered,
    )
    context.measures.all.append(check)

    def conclude() -> Judgement:
        check.done()
        if check.rows == 0:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        if check.unreadable and check.unreadable == check.present:
            raise RuleNotComputable(f'"{column}" is text, and none of its values can be compared like this')
        share = (check.within - check.failed) / check.within if check.within else 1.0
        passed = check.failed == 0 if tolerance is None else holds(share, tolerance, context.operands, metric)
        reason = None
        if not passed:
            reason = f"{check.failed:,} of {count_of_rows(check.within)} {does_or_do(check.failed)} not meet the rule"
            if tolerance is not None:
                reason += f"; {percentage(share)} pass, and the share must be {tolerance.render()}"
            reason += shown_examples(check.examples)
            if check.unreadable:
                reason += f"; {count_of_rows(check.unreadable)} cannot be read as the type that is compared"
        metrics = {metric: share, **(extremes() if extremes is not None else {})}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated_text(rule, condition),
            RowMarks(check.fails.packed(), check.skips.packed() if check.skips is not None else None),
            check.failed,
            check.examples,
            recorded_metrics(rule, metrics),
        )

    return conclude


def _extremes_of(
    rule: SimpleRule, context: EvaluationContext, column: str, low: str, high: str
) -> Callable[[], dict[str, float]]:
    lengths = rule.type == "ColumnLength"
    measure = context.measures.lengths(column, rule.where) if lengths else context.measures.extremes(column, rule.where)

    def read() -> dict[str, float]:
        measure.done()
        if measure.low is None or measure.high is None:
            return {}
        return {low: float(measure.low), high: float(measure.high)}

    return read


def _resolved(rule: SimpleRule, context: EvaluationContext, low: str, high: str) -> Condition:
    """A row rule's condition with the history's answers: lower bounds ask for minima, upper ones for maxima."""
    condition = rule.condition
    assert condition is not None
    if not condition.is_dynamic:
        return condition
    match condition.operator:
        case ">" | ">=":
            return context.operands.resolved(condition, low)
        case "<" | "<=":
            return context.operands.resolved(condition, high)
        case "between" | "not between":
            below = context.operands.resolved(Condition("=", condition.operands[:1]), low)
            above = context.operands.resolved(Condition("=", condition.operands[1:]), high)
            return Condition(condition.operator, (*below.operands, *above.operands))
    raise RuleNotComputable(f"{rule.type} can ask the history with <, <=, >, >=, between and not between only")
