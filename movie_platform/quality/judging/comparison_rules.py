"""Rules that compare the data set with another one."""

from movie_platform.quality.judging.context import (
    DeferredOutcome,
    EvaluationContext,
    Judgement,
    evaluated_text,
    history_metric_name,
    recorded_metrics,
)
from movie_platform.quality.judging.wording import spelled_number
from movie_platform.quality.operands import holds
from movie_platform.quality.ruleset import SimpleRule


def plan_comparison(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    """A share of agreement with another data set; without a condition all must agree."""
    compare = context.comparisons.prepared(rule)

    def conclude() -> Judgement:
        metric, share, detail = compare()
        condition = (
            context.operands.resolved(rule.condition, history_metric_name(rule, metric))
            if rule.condition is not None
            else None
        )
        passed = share == 1.0 if condition is None else holds(share, condition, context.operands)
        wanted = condition.render() if condition is not None else "= 1.0"
        reason = None if passed else f"{detail}; the ratio is {spelled_number(share)}, and it must be {wanted}"
        metrics = {metric: share}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated_text(rule, condition),
            recorded=recorded_metrics(rule, metrics),
        )

    return conclude
