"""DetectAnomalies: a metric against its own history."""

from collections.abc import Callable, Sequence

from movie_platform.quality import anomalies
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement, history_metric_name
from movie_platform.quality.judging.metrics import extreme_metrics, measured
from movie_platform.quality.judging.wording import spelled_number
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform.quality.ruleset import SimpleRule


def plan_detect_anomalies(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    kind, *parameters = rule.parameters
    kind = "CustomSql" if kind.lower() == "customsql" else kind
    readers = _anomaly_metrics(kind, parameters, rule, context)

    def conclude() -> Judgement:
        metrics: dict[str, float] = {}
        recorded: dict[str, float] = {}
        reasons, notes = [], []
        for name, read in readers:
            value = float(read())
            kept = history_metric_name(rule, name)
            metrics[name], recorded[kept] = value, value
            verdict = anomalies.judge(value, context.at, context.earlier(kept, anomalies.WINDOW))
            if verdict.expected is None:
                notes.append(f"{name} is not judged yet: there are {verdict.method}")
            elif verdict.anomalous and verdict.low is not None and verdict.high is not None:
                reasons.append(
                    f"{name} is {spelled_number(value)}; expected {spelled_number(verdict.expected)}, between "
                    f"{spelled_number(verdict.low)} and {spelled_number(verdict.high)} ({verdict.method})"
                )
        return Judgement(
            "Failed" if reasons else "Passed",
            "; ".join(reasons) or None,
            metrics,
            rule.claim,
            recorded=recorded,
            observation="; ".join(notes) or None,
        )

    return conclude


def _anomaly_metrics(
    kind: str, parameters: Sequence[str], rule: SimpleRule, context: EvaluationContext
) -> list[tuple[str, Callable[[], float]]]:
    if kind in ("ColumnValues", "ColumnLength"):
        return extreme_metrics(kind, parameters, rule.where, context)
    known = RULE_TYPES.get(kind)
    if known is None or not known.least <= len(parameters) <= known.most:
        raise RuleNotComputable(f"DetectAnomalies cannot measure {kind} of {', '.join(parameters) or 'nothing'}")
    return [measured(kind, parameters, rule.where, context)]
