"""The job that judges a day on Spark: its workers judge the rows, and its driver does the rest of the day.

What comes back is what the run shows of it; the rows are in the lake.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from movie_platform.engine.protocol import Engine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.quality_movies.day_records import read_record
from movie_platform.pipelines.quality_movies.evaluation import JudgedDay, Nulls, RulesInUse, judge_day
from movie_platform.progress import Progress

if TYPE_CHECKING:
    from movie_platform.quality import Outcome, Rule

JOB = f"{__name__}:judge"


def parameters(raw: ObjectStore, lake: ObjectStore, day: str, rules: RulesInUse, *, replay: bool) -> dict[str, Any]:
    """What the job is asked with."""
    return {
        "raw": raw.uri,
        "lake": lake.uri,
        "day": day,
        "name": rules.name,
        "rules": rules.ruleset.render(),
        "nulls": rules.nulls,
        "replay": replay,
    }


def judge(
    engine: Engine,
    progress: Progress,
    *,
    raw: str,
    lake: str,
    day: str,
    name: str,
    rules: str,
    nulls: Nulls,
    replay: bool,
) -> dict[str, Any]:
    """Judge a day as `judge_day` does; `judged_day` makes of the result what that would have returned."""
    from movie_platform.engine.spark import SparkEngine
    from movie_platform.engine.spark_quality import evaluate_on_spark
    from movie_platform.quality import evaluate, parse_ruleset

    in_use = RulesInUse(name, parse_ruleset(rules), nulls)
    judged_by = partial(evaluate_on_spark, engine) if isinstance(engine, SparkEngine) else evaluate
    judged = judge_day(
        open_store(raw, engine.waits), open_store(lake, engine.waits), day, in_use, replay=replay, judged_by=judged_by
    )
    if judged is None:
        return {"record": None}
    evaluation = judged.evaluation
    return {
        "record": asdict(judged.record),
        "outcomes": [_plain(outcome) for outcome in judged.outcomes] if evaluation else None,
        "observations": list(evaluation.observations) if evaluation else [],
    }


def judged_day(result: Mapping[str, Any], rules: RulesInUse) -> JudgedDay | None:
    """What came of a day, from the job's result."""
    from movie_platform.quality.results import Verdicts

    if result["record"] is None:
        return None
    record = read_record(result["record"])
    if result["outcomes"] is None:
        return JudgedDay(record)
    outcomes = tuple(_outcome(rule, found) for rule, found in zip(rules.ruleset, result["outcomes"], strict=True))
    return JudgedDay(record, Verdicts(outcomes, tuple(result["observations"])))


def _plain(outcome: "Outcome") -> dict[str, Any]:
    """Without its rule, which the run has."""
    examples = [asdict(example) for example in outcome.examples]
    return {name: value for name, value in vars(outcome).items() if name != "rule"} | {"examples": examples}


def _outcome(rule: "Rule", found: Mapping[str, Any]) -> "Outcome":
    from movie_platform.quality import FailingRow, Outcome

    examples = tuple(FailingRow(**example) for example in found["examples"])
    return Outcome(**{**found, "rule": rule, "examples": examples})
