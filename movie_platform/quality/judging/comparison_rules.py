"""Rules that compare the data set with another one."""

import numpy as np

from movie_platform.quality.comparisons import prepared
from movie_platform.quality.judging.context import (
    DeferredOutcome,
    EvaluationContext,
    Judgement,
    evaluated_text,
    recorded_metrics,
)
from movie_platform.quality.judging.wording import spelled_number
from movie_platform.quality.operands import holds
from movie_platform.quality.row_results import PackedBits, RowMarks
from movie_platform.quality.ruleset import SimpleRule


def plan_comparison(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    """A share of agreement with another data set; without a condition all must agree."""
    compare = prepared(rule, context.tables, context.measures)
    rows = context.measures.rows(None)

    def conclude() -> Judgement:
        rows.done()
        found = compare(rows.count)
        condition = context.resolved(rule, found.metric)
        passed = found.share == 1.0 if condition is None else holds(found.share, condition, context.operands)
        wanted = condition.render() if condition is not None else "= 1.0"
        reason = (
            None if passed else f"{found.detail}; the ratio is {spelled_number(found.share)}, and it must be {wanted}"
        )
        metrics = {found.metric: found.share}
        judgement = Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated_text(rule, condition),
            recorded=recorded_metrics(rule, metrics),
        )
        if found.fails is not None:
            skips = found.outside if context.skip_filtered else None
            judgement.marks = RowMarks(
                PackedBits.of(found.fails).packed(), PackedBits.of(skips).packed() if skips is not None else None
            )
            judgement.failing_rows = int(np.count_nonzero(found.fails))
            judgement.examples = [(int(row), {}) for row in np.flatnonzero(found.fails)[:5]]
        return judgement

    return conclude
