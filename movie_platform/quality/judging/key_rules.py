"""Rules about keys: IsUnique, Uniqueness and IsPrimaryKey."""

from typing import Any

import numpy as np

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
from movie_platform.quality.judging.wording import count_of_rows, percentage
from movie_platform.quality.operands import holds
from movie_platform.quality.row_results import PackedBits, RowMarks
from movie_platform.quality.ruleset import SimpleRule


def plan_keys(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    names = tuple(context.columns.find(name) for name in rule.parameters)
    keys = context.measures.keys(names, rule.where)
    missing = context.measures.missing(names, rule.where)
    prefix = key_prefix(rule.parameters)
    metric = f"{prefix}.Uniqueness"
    condition = (
        context.operands.resolved(rule.condition, history_metric_name(rule, metric))
        if rule.condition is not None
        else None
    )

    def conclude() -> Judgement:
        missing.done()
        occurrences = keys.occurrences()
        if missing.rows == 0:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        if not occurrences.keyed_rows and rule.type != "IsPrimaryKey":
            raise RuleNotComputable(f"no row has a value in {', '.join(rule.parameters)}")
        uniqueness = occurrences.unique / occurrences.keyed_rows if occurrences.keyed_rows else 0.0
        metrics = {metric: uniqueness}
        fails = PackedBits.of(occurrences.repeated).packed()
        failed = int(np.count_nonzero(occurrences.repeated))
        if rule.type == "IsPrimaryKey":
            metrics[f"{prefix}.Completeness"] = 1 - missing.count / missing.within if missing.within else 1.0
            fails = fails | missing.missing.packed()
            failed = int(np.unpackbits(fails).sum())
        passed = failed == 0 if condition is None else holds(uniqueness, condition, context.operands)
        reason = None
        if not passed:
            repeated = int(np.count_nonzero(occurrences.repeated))
            reason = (
                f"{count_of_rows(repeated)} {'share their key' if repeated != 1 else 'shares its key'} with another"
            )
            if rule.type == "IsPrimaryKey" and missing.count:
                reason += f", {count_of_rows(missing.count)} lack a part of it"
            if condition is not None:
                reason += f"; {percentage(uniqueness)} are unique, and the share must be {condition.render()}"
        skips = missing.outside.packed() if context.skip_filtered and missing.outside is not None else None
        examples: list[tuple[int, dict[str, Any]]] = [
            (int(row), {}) for row in np.flatnonzero(np.unpackbits(fails, count=missing.rows))[:5]
        ]
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated_text(rule, condition),
            RowMarks(fails, skips),
            failed,
            examples,
            recorded_metrics(rule, metrics),
        )

    return conclude
