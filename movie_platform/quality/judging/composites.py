"""Rules joined by and or or."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement
from movie_platform.quality.judging.wording import count_of_rows
from movie_platform.quality.row_results import RowMarks
from movie_platform.quality.rule_types import NOT_BY_ROW
from movie_platform.quality.ruleset import CompositeRule


def plan_composite(
    rule: CompositeRule, members: Sequence[DeferredOutcome], context: EvaluationContext
) -> DeferredOutcome:
    """A rule made of planned members; broken when one of them is."""

    def conclude() -> Judgement:
        judged = [member() for member in members]
        broken = next((j for j in judged if j.outcome == "Error"), None)
        metrics = {name: value for j in judged for name, value in j.metrics.items()}
        recorded = {name: value for j in judged for name, value in j.recorded.items()}
        evaluated = f" {rule.operator} ".join(f"({j.evaluated})" for j in judged)
        if broken is not None:
            return Judgement("Error", broken.reason, metrics, evaluated, recorded=recorded)
        marks = _joined(rule, judged)
        if context.composite == "row" and marks is not None and not _has_shares(rule):
            failing = int(np.unpackbits(marks.fails).sum())
            passed = failing == 0
            reason = None if passed else f"{count_of_rows(failing)} break the rule"
        else:
            met = [j.outcome == "Passed" for j in judged]
            passed = all(met) if rule.operator == "and" else any(met)
            reason = None if passed else "; ".join(j.reason for j in judged if j.reason)
            failing = int(np.unpackbits(marks.fails).sum()) if marks is not None else 0
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated,
            marks,
            failing if marks is not None else None,
            _first_examples(judged, marks),
            recorded,
        )

    return conclude


def _has_shares(rule: CompositeRule) -> bool:
    """Whether a member is about shares or other data sets: such a rule is not judged row by row, as in Glue."""
    return any(
        _has_shares(member) if isinstance(member, CompositeRule) else getattr(member, "type", "") in NOT_BY_ROW
        for member in rule.members
    )


def _joined(rule: CompositeRule, judged: Sequence[Judgement]) -> RowMarks | None:
    marks = [j.marks for j in judged]
    if rule.scope != "row" or any(mark is None for mark in marks):
        return None
    known = [mark for mark in marks if mark is not None]
    together = known[0]
    for mark in known[1:]:
        together = together.joined_by_and(mark) if rule.operator == "and" else together.joined_by_or(mark)
    return together


def _first_examples(judged: Sequence[Judgement], marks: RowMarks | None) -> list[tuple[int, dict[str, Any]]]:
    if marks is None:
        return []
    merged: dict[int, dict[str, Any]] = {}
    for judgement in judged:
        for row, values in judgement.examples:
            if marks.fails[row // 8] & (128 >> row % 8):
                merged.setdefault(row, {}).update(values)
    return sorted(merged.items())[:5]
