"""What changes for the rows of a file when its ruleset changes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from movie_platform.quality.data import DataSet, Judgeable
from movie_platform.quality.evaluation import evaluate
from movie_platform.quality.opening import open_data
from movie_platform.quality.results import Evaluation
from movie_platform.quality.ruleset import Ruleset


@dataclass(frozen=True)
class ChangedRow:
    """A row that is good under one ruleset and bad under the other."""

    row: int
    """Its place in the data set, from 0."""
    now: str
    """Which side it is on under the new ruleset: "good" or "bad"."""
    rules: tuple[str, ...]
    """The rules that set it aside: the new ones when it is bad now, the old ones when it was bad."""


class Difference:
    """Two evaluations of the same data set, compared row by row and rule by rule."""

    def __init__(self, before: Evaluation, after: Evaluation) -> None:
        self.before = before
        self.after = after
        was, is_now = before.rows.bad_mask(), after.rows.bad_mask()
        self._to_bad, self._to_good = is_now & ~was, was & ~is_now

    @property
    def to_bad(self) -> int:
        """Rows that were good and are bad."""
        return int(np.count_nonzero(self._to_bad))

    @property
    def to_good(self) -> int:
        """Rows that were bad and are good."""
        return int(np.count_nonzero(self._to_good))

    @property
    def added(self) -> tuple[str, ...]:
        """Rules that only the new ruleset has."""
        old = {rule.text for rule in self.before.ruleset}
        return tuple(rule.text for rule in self.after.ruleset if rule.text not in old)

    @property
    def removed(self) -> tuple[str, ...]:
        """Rules that only the old ruleset has."""
        new = {rule.text for rule in self.after.ruleset}
        return tuple(rule.text for rule in self.before.ruleset if rule.text not in new)

    def rows(self, limit: int | None = None) -> list[ChangedRow]:
        """The rows that change sides, in order, with the rules that did or do set them aside."""
        places = np.flatnonzero(self._to_bad | self._to_good)[:limit]
        changed = []
        for place in places:
            worse = bool(self._to_bad[place])
            changed.append(
                ChangedRow(
                    int(place), "bad" if worse else "good", _reasons(self.after if worse else self.before, int(place))
                )
            )
        return changed

    def table(self) -> pa.Table:
        """The rows that change sides with the data set's columns."""
        return self.after.data.take(self._to_bad | self._to_good)


def diff(old: Ruleset, new: Ruleset, data: Judgeable | DataSet, **options: Any) -> Difference:
    """Judges a data set by two rulesets; the options are those of `evaluate`."""
    opened = open_data(data)
    return Difference(evaluate(opened, old, **options), evaluate(opened, new, **options))


def _reasons(evaluation: Evaluation, row: int) -> tuple[str, ...]:
    return tuple(
        outcome.rule.claim
        for outcome, marks in zip(evaluation.outcomes, evaluation.rows.marks, strict=True)
        if marks is not None
        and outcome.outcome == "Failed"
        and outcome.action != "warn"
        and marks.fails[row // 8] & (128 >> row % 8)
    )
