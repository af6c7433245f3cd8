"""A ruleset as asset checks: one check a rule, so that the UI's list of checks reads like a rulebook."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from movie_platform.quality.explanation import explain
from movie_platform.quality.presentation import harmless, shown
from movie_platform.quality.ruleset import Rule
from movie_platform.quality.ruleset_files import RulesetFile

if TYPE_CHECKING:
    from movie_platform.quality.results import Evaluation, Outcome, Verdicts

RULESET_PARSES = "ruleset_parses"
"""The one check of a ruleset file that cannot be read; it fails."""

_COMPARISON = re.compile(r"(<(?![A-Za-z/!?])|>)")
"""What in a rule's text looks like part of a tag and is none."""


@dataclass(frozen=True)
class RulesetChecks:
    """The checks that a ruleset file makes of an asset, and what an evaluation says to each of them.

    A file that is broken makes one check, which fails with the place of the error, and no data is judged by it.
    """

    asset: dg.AssetKey
    file: RulesetFile

    @property
    def specs(self) -> list[dg.AssetCheckSpec]:
        """For the asset that is judged; none of them holds anything back, since the gate is in the pipeline."""
        if self.file.ruleset is None:
            problem = f"{self.file.name} can be read as DQDL. It can not, so no data is judged by it."
            return [self._spec(RULESET_PARSES, problem, {"ruleset": self.file.name, "problem": self.file.problem})]
        return [self._spec(rule.name, _in_words(rule), _about(rule, self.file.name)) for rule in self.file.ruleset]

    def results(self, evaluation: "Evaluation | Verdicts") -> Iterator[dg.AssetCheckResult]:
        """How each rule came out."""
        for outcome in evaluation.outcomes:
            yield dg.AssetCheckResult(asset_key=self.asset, check_name=outcome.rule.name, **_verdict(outcome))

    def broken(self) -> dg.AssetCheckEvaluation | None:
        """The failure of `ruleset_parses`; None for a file that can be read."""
        if self.file.ruleset is not None:
            return None
        return dg.AssetCheckEvaluation(
            asset_key=self.asset,
            check_name=RULESET_PARSES,
            passed=False,
            description=_legible(self.file.problem),
            metadata={"ruleset": self.file.name, "outcome": "Error"},
        )

    def _spec(self, name: str, description: str, metadata: dict[str, Any]) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(name, asset=self.asset, description=description, metadata=metadata)


def _in_words(rule: Rule) -> str:
    """What the rule asks for, and below it how it is written."""
    return f"{_legible(explain(rule))}\n\nDQDL: {_legible(rule.claim)}"


def _about(rule: Rule, file: str) -> dict[str, Any]:
    return {"ruleset": file, "action": rule.action, **_labels(rule)}


def _labels(rule: Rule) -> dict[str, str]:
    return {f"label {harmless(key)}": harmless(value) for key, value in rule.labels.items()}


def _verdict(outcome: "Outcome") -> dict[str, Any]:
    severity = dg.AssetCheckSeverity.WARN if outcome.rule.severity == "warn" else dg.AssetCheckSeverity.ERROR
    return {
        "passed": outcome.passed,
        "severity": severity,
        "description": _legible(outcome.failure_reason or "holds"),
        "metadata": _details(outcome),
    }


def _details(outcome: "Outcome") -> dict[str, Any]:
    """The metric under its own name, so that the UI plots it over the partitions."""
    details: dict[str, Any] = {"outcome": outcome.outcome, "expected": _legible(outcome.evaluated_rule)}
    details |= {f"metric {harmless(name)}": value for name, value in outcome.evaluated_metrics.items()}
    if outcome.failing_rows is not None:
        details["failing rows"] = outcome.failing_rows
    if outcome.examples:
        details["sample"] = _sample(outcome)
    return details


def _sample(outcome: "Outcome") -> dg.TableMetadataValue:
    """The first rows that break the rule; records are counted from 1, as the data's owner counts them."""
    columns = _names(column for example in outcome.examples for column in example.values)
    records = [
        dg.TableRecord(
            {"record": example.row + 1}
            | {shown_name: shown(example.values.get(column)) for column, shown_name in columns.items()}
        )
        for example in outcome.examples
    ]
    schema = dg.TableSchema([dg.TableColumn("record", "int"), *(dg.TableColumn(name) for name in columns.values())])
    return dg.MetadataValue.table(records, schema)


def _names(columns: Iterable[str]) -> dict[str, str]:
    """Each column with the name it is shown by, which never hides the record's number."""
    return {column: f"{harmless(column)} (column)" if column == "record" else harmless(column) for column in columns}


def _legible(text: str) -> str:
    """The text with nothing in it that a browser would obey, its comparisons as they are written."""
    return "".join(part if part in ("<", ">") else harmless(part) for part in _COMPARISON.split(text))
