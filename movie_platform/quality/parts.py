"""Rows that are judged in parts, each elsewhere: what the measures of a part found, and how it is put together.

Each part is seen by the same measures as the whole would be, so that a row is judged by the same code wherever it is.
What was counted is added up without rounding. Keys, and rows with their counterparts, meet in buckets: see
`key_parts.py` and `counterpart_parts.py`.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from movie_platform.quality.errors import RuleNotComputable, RulesNotDivisible
from movie_platform.quality.evaluation import Plan
from movie_platform.quality.history import MetricHistory, MetricPoint
from movie_platform.quality.key_parts import PartHashes
from movie_platform.quality.measures import EXAMPLES, Keys, Measure
from movie_platform.quality.row_results import PackedBits
from movie_platform.quality.ruleset import Analyzer, CompositeRule, Rule, Ruleset, SimpleRule
from movie_platform.quality.statistics import Correlation, ExactSum, Moments

NOT_DIVISIBLE = {"CustomSql": "its SQL runs over all rows at once"}
_COUNTED = (
    *("count", "rows", "within", "failed", "unreadable", "present", "low", "high", "moments", "correlation"),
    *("fails", "skips", "missing", "outside", "examples", "_failure"),
)
"""What a measure has of the rows that it saw."""

State = dict[str, Any]


def not_divisible(ruleset: Ruleset) -> str:
    """Which rules or analyzers cannot be judged in parts, all of them, and why; empty where all can."""
    return "; ".join(f"{claim} ({reason})" for claim, reason in _not_divisible([*ruleset, *ruleset.analyzers]))


def refuse_not_divisible(ruleset: Ruleset) -> None:
    """Raises RulesNotDivisible, naming them all, where rules or analyzers cannot be judged in parts."""
    if refused := not_divisible(ruleset):
        raise RulesNotDivisible(f"on Spark these cannot be judged: {refused}. Leave them out, or judge on one machine")


def _not_divisible(rules: Iterable[Rule | Analyzer]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        if isinstance(rule, CompositeRule):
            yield from _not_divisible(rule.members)
        elif isinstance(rule, SimpleRule | Analyzer):
            kind = rule.parameters[0] if rule.type == "DetectAnomalies" else rule.type
            if reason := next((why for name, why in NOT_DIVISIBLE.items() if name.lower() == kind.lower()), None):
                yield rule.claim if isinstance(rule, SimpleRule) else rule.text, reason
        else:
            yield (
                rule.claim,
                "pandas gives a column another type where it lacks values, so a check sees other ones in a part",
            )


@dataclass
class AskedHistory:
    """A history that remembers what it was asked, so that the same can be answered where the history is not."""

    history: MetricHistory | None
    answers: dict[tuple[str, str, datetime, int | None], Sequence[MetricPoint]] = field(default_factory=dict)

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        asked = (dataset, metric, before, last)
        if self.history is not None and asked not in self.answers:
            self.answers[asked] = tuple(self.history.series(dataset, metric, before=before, last=last))
        return self.answers.get(asked, ())


def measured(plan: Plan) -> tuple[list[State], list[PartHashes]]:
    """What each measure but those of keys finds in the rows of the plan's data set, which is a part; hashes of keys."""
    measures = plan.measures.all
    keys = [(measure, measure.as_hashes()) for measure in measures if isinstance(measure, Keys)]
    plan.read()
    states = [
        {name: value for name, value in vars(measure).items() if name in _COUNTED}
        for measure in measures
        if not isinstance(measure, Keys)
    ]
    return states, [measure._failure or hashes.finish() for measure, hashes in keys]


class Whole:
    """The measures of a whole data set, put together from those of its parts, which come in order."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self._counted = [measure for measure in measures if not isinstance(measure, Keys)]
        self.rows = 0
        for measure in self._counted:
            for name, value in vars(measure).items():
                if isinstance(value, PackedBits):
                    setattr(measure, name, _BitsOnDisk())

    def add(self, states: Sequence[State], rows: int) -> None:
        """Adds what the measures found in the next part, of so many rows."""
        for measure, state in zip(self._counted, states, strict=True):
            for name, found in state.items():
                setattr(measure, name, _together(name, getattr(measure, name), found, self.rows))
        self.rows += rows


def _together(name: str, mine: Any, theirs: Any, start: int) -> Any:
    """What was found in earlier rows and in a part that starts at a row, together."""
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    match mine:
        case PackedBits():
            mine.append(theirs.bits())
        case Moments() | Correlation() | ExactSum():
            for part, value in vars(mine).items():
                setattr(mine, part, _together(part, value, getattr(theirs, part), start))
        case dict():
            for place, amount in theirs.items():
                mine[place] = mine.get(place, 0) + amount
        case list():
            mine += [(start + row, values) for row, values in theirs][: EXAMPLES - len(mine)]
        case RuleNotComputable():
            pass
        case _:
            return {"low": min, "high": max}.get(name, lambda one, other: one + other)(mine, theirs)
    return mine


class _BitsOnDisk(PackedBits):
    """Bits in a file without a name: for a great many rows there is one for each rule of each."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile(prefix="quality-bits-")  # noqa: SIM115 - it ends with its object

    def append(self, mask: np.ndarray) -> None:
        super().append(mask)
        for full in self._full:
            self._file.write(full.data)
        self._full.clear()

    def packed(self) -> np.ndarray:
        whole, size = len(self) // 8, -(-len(self) // 8)
        self._file.seek(whole)
        self._file.write(np.packbits(self._rest).data)
        self._file.flush()
        bits = np.memmap(self._file, np.uint8, "r", shape=(size,)) if size else np.zeros(0, dtype=np.uint8)
        self._file.seek(whole)
        return bits
