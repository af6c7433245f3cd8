"""Rules about the columns' names."""

from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement, settled
from movie_platform.quality.patterns import Pattern
from movie_platform.quality.presentation import harmless
from movie_platform.quality.ruleset import SimpleRule


def plan_column_exists(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    there = rule.parameters[0] in context.columns
    reason = None if there else f'there is no column "{rule.parameters[0]}"'
    metrics = {f"Dataset.{rule.parameters[0]}.ColumnExists": float(there)}
    return settled(Judgement("Passed" if there else "Failed", reason, metrics, rule.claim, recorded=metrics))


def plan_names_match(rule: SimpleRule, context: EvaluationContext) -> DeferredOutcome:
    pattern = Pattern(rule.parameters[0])
    names = context.columns.schema.names
    wrong = [name for name in names if not pattern.fits_one(name)]
    if not names:
        raise RuleNotComputable("the data set has no columns")
    metrics = {"Dataset.*.ColumnNamesPatternMatchRatio": 1 - len(wrong) / len(names)}
    reason = f"these names do not fit: {', '.join(map(harmless, wrong))}" if wrong else None
    return settled(Judgement("Failed" if wrong else "Passed", reason, metrics, rule.claim, recorded=metrics))
