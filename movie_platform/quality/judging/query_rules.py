"""CustomSql."""

import numpy as np

from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement, recorded_metrics
from movie_platform.quality.judging.metrics import plan_statistic
from movie_platform.quality.judging.wording import count_of_rows, percentage
from movie_platform.quality.operands import holds
from movie_platform.quality.row_results import PackedBits, RowMarks
from movie_platform.quality.rule_shapes import is_share
from movie_platform.quality.ruleset import SimpleRule


def plan_custom_sql(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    if rule.condition is not None:
        return plan_statistic(rule, context)
    sql, metric = rule.parameters[0], "Dataset.*.CustomSQL.Compliance"
    rows = context.measures.rows(None)
    context.tables.passing(sql)

    def conclude() -> Judgement:
        if not rows.count:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        passing = context.tables.rows(sql, rows.count)
        failed = rows.count - int(np.count_nonzero(passing))
        share = 1 - failed / rows.count
        threshold = context.threshold(rule, metric)
        counts = rule.threshold is not None and not is_share(rule.threshold)
        measured = rows.count - failed if counts else share
        passed = failed == 0 if threshold is None else holds(measured, threshold, context.operands)
        reason = None
        if not passed:
            reason = f"the query does not return {failed:,} of {count_of_rows(rows.count)}"
            if threshold is not None:
                returned = f"{count_of_rows(rows.count - failed)}, and their number" if counts else percentage(share)
                returned += "" if counts else ", and the share"
                reason += f"; it returns {returned} must be {threshold.render()}"
        metrics = {metric: share}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            rule.claim,
            RowMarks(PackedBits.of(~passing).packed()),
            failed,
            [(int(row), {}) for row in np.flatnonzero(~passing)[:5]],
            recorded_metrics(rule, metrics),
        )

    return conclude
