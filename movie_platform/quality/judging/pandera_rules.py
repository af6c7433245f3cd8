"""Checks of a Pandera model as rules."""

import numpy as np
import pandas as pd

from movie_platform.quality.judging.context import DeferredOutcome, EvaluationContext, Judgement
from movie_platform.quality.judging.wording import count_of_rows, shown_examples
from movie_platform.quality.row_results import PackedBits, RowMarks
from movie_platform.quality.ruleset import PanderaRule


def plan_pandera(rule: PanderaRule, context: EvaluationContext) -> DeferredOutcome:
    from movie_platform.quality.pandera_models import run_check

    column = context.columns.find(rule.on) if rule.on is not None else None
    rows = context.measures.rows(None)

    def conclude() -> Judgement:
        rows.done()
        frame = context.tables.frame([column] if column is not None else None)
        passing = run_check(rule.check, frame[column] if column is not None else frame)
        if isinstance(passing, bool):
            reason = None if passing else "the check does not hold for the data set"
            return Judgement("Passed" if passing else "Failed", reason, evaluated=rule.claim)
        failed = len(passing) - int(np.count_nonzero(passing))
        places = np.flatnonzero(~passing)[:5]
        examples = [
            (
                int(row),
                {column: None if pd.isna(frame[column].iloc[row]) else frame[column].iloc[row]} if column else {},
            )
            for row in places
        ]
        reason = (
            f"{failed:,} of {count_of_rows(len(passing))} do not meet the check{shown_examples(examples)}"
            if failed
            else None
        )
        share = 1 - failed / len(passing) if len(passing) else 1.0
        metrics = {f"Column.{rule.on}.Pandera.Compliance" if rule.on else "Dataset.*.Pandera.Compliance": share}
        marks = RowMarks(PackedBits.of(~passing).packed())
        return Judgement("Failed" if failed else "Passed", reason, metrics, rule.claim, marks, failed, examples)

    return conclude
