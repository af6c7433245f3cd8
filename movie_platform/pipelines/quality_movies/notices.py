"""What people and programs are told of a judged day."""

from datetime import UTC, datetime

from movie_platform.lake import ObjectStore
from movie_platform.notify import Delivered, EvaluationEnded, Notifier, RuleResult, notify_once
from movie_platform.pipelines.quality_movies.day_records import notices_key
from movie_platform.pipelines.quality_movies.evaluation import JudgedDay, RulesInUse
from movie_platform.pipelines.quality_movies.tables import DATASET


def tell(notifier: Notifier, lake: ObjectStore, judged: JudgedDay, rules: RulesInUse, run_id: str) -> Delivered:
    """Tell how the day was judged, once however often it is judged with the same result."""
    return notify_once(notifier, notice(notifier, judged, rules, run_id), lake, notices_key(judged.record.day))


def notice(notifier: Notifier, judged: JudgedDay, rules: RulesInUse, run_id: str) -> EvaluationEnded:
    record = judged.record
    return EvaluationEnded(
        id=record.result_id,
        dataset=DATASET,
        date=record.day,
        ruleset=record.ruleset,
        score=record.score,
        rules=_results(judged, rules),
        rows=record.rows,
        good=record.good + record.withheld,
        bad=record.bad,
        run_id=run_id,
        at=datetime.now(UTC),
        link=notifier.link_to_run(run_id),
        ends_as=_ends_as(judged),
    )


def _results(judged: JudgedDay, rules: RulesInUse) -> tuple[RuleResult, ...]:
    if judged.evaluation is None:
        return tuple(RuleResult(rule.claim, "Error") for rule in rules.ruleset)
    return tuple(
        RuleResult(
            outcome.rule.claim,
            outcome.outcome,
            outcome.failure_reason or "",
            outcome.evaluated_metrics,
            outcome.failing_rows,
        )
        for outcome in judged.outcomes
    )


def _ends_as(judged: JudgedDay) -> str:
    record = judged.record
    if record.is_loaded:
        return ""
    kept = f"the version of {record.serves} stays loaded" if record.serves else "nothing is loaded for the day"
    return f"{record.state}: {record.reason}; {kept}"
