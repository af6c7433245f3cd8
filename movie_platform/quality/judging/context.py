"""What every rule's plan works with, and what comes out of it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from movie_platform.quality.conditions import Condition
from movie_platform.quality.data import Columns
from movie_platform.quality.files import FileLister
from movie_platform.quality.history import MetricHistory, MetricPoint
from movie_platform.quality.measures import Measures
from movie_platform.quality.operands import Operands
from movie_platform.quality.row_results import RowMarks
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.ruleset import Analyzer, SimpleRule
from movie_platform.quality.sandbox_tables import SandboxTables

OutcomeWord = Literal["Passed", "Failed", "Error"]


@dataclass
class Judgement:
    """What came out for one rule."""

    outcome: OutcomeWord
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    evaluated: str = ""
    marks: RowMarks | None = None
    failing_rows: int | None = None
    examples: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    recorded: dict[str, float] = field(default_factory=dict)
    """The metrics under the names the history keeps them by."""
    observation: str | None = None


@dataclass
class EvaluationContext:
    """What the plans of rules work with."""

    columns: Columns
    measures: Measures
    nulls: Nulls
    skip_filtered: bool
    composite: Literal["dataset", "row"]
    tables: SandboxTables
    history: MetricHistory
    dataset: str
    at: datetime
    files: FileLister | None
    operands: Operands = field(init=False)

    def __post_init__(self) -> None:
        self.operands = Operands(self.at, lambda metric, last: [point.value for point in self.earlier(metric, last)])

    def resolved(self, rule: SimpleRule, metric: str) -> Condition | None:
        """The rule's condition with the history's answers in place of its dynamic parts."""
        if rule.condition is None:
            return None
        return self.operands.resolved(rule.condition, history_metric_name(rule, metric))

    def threshold(self, rule: SimpleRule, metric: str) -> Condition | None:
        """The rule's threshold with the history's answers in place of its dynamic parts."""
        if rule.threshold is None:
            return None
        return self.operands.resolved(rule.threshold, _compliance_name(rule, metric))

    def earlier(self, metric: str, last: int | None) -> Sequence[MetricPoint]:
        """The last points of a metric of this data set before this evaluation, oldest first."""
        points = list(self.history.series(self.dataset, metric, before=self.at, last=last))
        former = former_name(metric)
        if former is not None and (last is None or len(points) < last):
            points += self.history.series(self.dataset, former, before=self.at, last=last)
            points = sorted(points, key=lambda point: point.at)[-last if last is not None else 0 :]
        return points


DeferredOutcome = Callable[[], Judgement]
"""What came out for a rule, to be asked for once all rows were read."""


def settled(judgement: Judgement) -> DeferredOutcome:
    """An outcome that is known before any row is read."""
    return lambda: judgement


def evaluated_text(rule: SimpleRule, condition: Condition | None) -> str:
    """The rule with the history's answers in place of its dynamic parts."""
    if condition is None or rule.condition is None or condition == rule.condition:
        return rule.claim
    return replace(rule, condition=condition).claim


def history_metric_name(rule: SimpleRule | Analyzer, metric: str) -> str:
    """The name the history keeps a metric by: rules on part of the rows, and queries, are series of their own."""
    if metric.startswith("Dataset.*.CustomSQL"):
        sql = next((p for p in reversed(rule.parameters)), "")
        metric += f"#{hashlib.sha256(sql.encode()).hexdigest()[:12]}"
    return f"{metric} where {rule.where}" if rule.where is not None else metric


def former_name(metric: str) -> str | None:
    """The name that a metric of several columns had in histories up to version 0.1, with brackets around them."""
    found = re.fullmatch(r"(Multicolumn|Column)\.([^\[].*,.*)\.(\w+)( where .*)?", metric, re.DOTALL)
    return f"{found[1]}.[{found[2]}].{found[3]}{found[4] or ''}" if found is not None else None


def recorded_metrics(rule: SimpleRule, metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a rule that the history keeps, under the names it keeps them by."""
    # Compliance depends on the rule's condition, so it is a series of the rule and not of the data.
    kept = {
        history_metric_name(rule, name): value for name, value in metrics.items() if not name.endswith(".Compliance")
    }
    if rule.threshold is not None and rule.threshold.is_dynamic:
        kept |= {_compliance_name(rule, name): value for name, value in metrics.items() if name.endswith(".Compliance")}
    return kept


def _compliance_name(rule: SimpleRule, metric: str) -> str:
    said = replace(rule, threshold=None).claim
    return f"{metric}#{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def key_prefix(parameters: Sequence[str]) -> str:
    """How the metrics of a key of one or several columns begin."""
    return f"Column.{parameters[0]}" if len(parameters) == 1 else f"Multicolumn.{','.join(parameters)}"
