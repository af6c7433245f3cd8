"""What notices say: a subject, a text for people, and a detail for programs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from movie_platform.notify.advice import RUNBOOK, advice_on_evaluation, advice_on_run
from movie_platform.printable import printable

RULES_AT_MOST = 50
"""More failed rules than these are counted, not listed."""
RULE_CHARACTERS = 300
LOADS_AT_MOST = 10


class Notice(Protocol):
    """One piece of news; the same `id` is the same news."""

    @property
    def id(self) -> str: ...

    @property
    def subject(self) -> str:
        """One line."""

    @property
    def body(self) -> str:
        """For people."""

    @property
    def detail_type(self) -> str: ...

    @property
    def detail(self) -> Mapping[str, Any]:
        """For programs."""

    @property
    def is_good_news(self) -> bool:
        """Whether nobody has to act."""

    @property
    def at(self) -> datetime: ...


@dataclass(frozen=True)
class RuleResult:
    """How one rule or check came out."""

    rule: str
    outcome: Literal["Passed", "Failed", "Error"]
    reason: str = ""
    metrics: Mapping[str, float] | None = None
    failing_rows: int | None = None

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:g}" for name, value in (self.metrics or {}).items())
        parts = [f"[{self.outcome}] {_cut(self.rule)}"]
        if self.reason:
            parts.append(f"    {_cut(self.reason)}")
        if numbers:
            parts.append(f"    {_cut(numbers)}")
        return "\n".join(parts)


@dataclass(frozen=True)
class EvaluationEnded:
    """A delivery was judged. `id` is the evaluation's own: judged again with the same result, it is the same news."""

    id: str
    dataset: str
    date: str
    ruleset: str
    score: float
    rules: tuple[RuleResult, ...]
    rows: int
    good: int
    bad: int
    run_id: str
    at: datetime
    link: str = ""
    ends_as: str = ""
    """What the delivery came to, where it was not simply loaded: blocked by which rules, or unreadable why."""

    @property
    def not_passed(self) -> tuple[RuleResult, ...]:
        return tuple(result for result in self.rules if result.outcome != "Passed")

    @property
    def is_good_news(self) -> bool:
        return not self.not_passed and not self.ends_as

    @property
    def subject(self) -> str:
        broken = len(self.not_passed)
        verdict = "passed" if self.is_good_news else f"{broken} of {len(self.rules)} rules not passed"
        word = "Passed" if self.is_good_news else "NOT LOADED" if self.ends_as else "RULES NOT PASSED"
        return _line(f"{word}: {self.dataset} {self.date}: {verdict}, {self.percent}")

    @property
    def percent(self) -> str:
        """Whole per cents, rounded down: 100 % means all."""
        return f"score {int(self.score * 100 + 1e-9)} %"

    @property
    def body(self) -> str:
        passed = len(self.rules) - len(self.not_passed)
        lines = [
            f"Data set:  {self.dataset}",
            f"Date:      {self.date}",
            f"Ruleset:   {self.ruleset}",
            f"Score:     {int(self.score * 100 + 1e-9)} % ({passed} of {len(self.rules)} rules passed)",
            f"Rows:      {self.rows:,} delivered, {self.good:,} good, {self.bad:,} bad",
        ]
        if self.ends_as:
            lines.append(f"Ends as:   {self.ends_as}")
        if self.not_passed:
            lines += ["", "Rules that did not pass:", *map(str, self.not_passed[:RULES_AT_MOST])]
            if len(self.not_passed) > RULES_AT_MOST:
                lines.append(f"and {len(self.not_passed) - RULES_AT_MOST} more")
        if advice := advice_on_evaluation(self):
            lines += ["", f"To do: {advice}"]
        if self.link:
            lines += ["", f"Run: {self.link}"]
        return _text(lines)

    @property
    def detail_type(self) -> str:
        return "Data Quality Evaluation Results Available"

    @property
    def detail(self) -> Mapping[str, Any]:
        """As AWS Glue shapes its own event. A rule that could not be computed counts as skipped."""
        outcomes = [result.outcome for result in self.rules]
        return {
            "resultId": self.id,
            "context": {
                "contextType": "MOVIE_PLATFORM_RUN",
                "runId": self.run_id,
                "tableName": self.dataset,
                "evaluationContext": self.date,
                "link": self.link,
            },
            "rulesetNames": [self.ruleset],
            "state": "SUCCEEDED" if self.is_good_news else "FAILED",
            "score": self.score,
            "numRulesSucceeded": outcomes.count("Passed"),
            "numRulesFailed": outcomes.count("Failed"),
            "numRulesSkipped": outcomes.count("Error"),
            "rows": {"delivered": self.rows, "good": self.good, "bad": self.bad},
        }


@dataclass(frozen=True)
class RunEnded:
    """A run failed or succeeded; a run that succeeded can have failed checks, and says so."""

    run_id: str
    job: str
    succeeded: bool
    assets: tuple[str, ...]
    partitions: str
    at: datetime
    reason: str = ""
    failed_checks: tuple[RuleResult, ...] = ()
    checks: int = 0
    loads: tuple[str, ...] = ()
    """What was loaded into the warehouse, and which views were refreshed."""
    link: str = ""

    @property
    def id(self) -> str:
        return f"run-{self.run_id}"

    @property
    def is_good_news(self) -> bool:
        return self.succeeded and not self.failed_checks

    @property
    def subject(self) -> str:
        # What happened and when comes first: a subject is cut at its end.
        what = f"{self.partitions} {', '.join(self.assets) or self.job}".strip()
        checks = f" with {len(self.failed_checks)} failed checks" if self.failed_checks else ""
        return _line(f"{'Succeeded' if self.succeeded else 'FAILED'}{checks}: {what}")

    @property
    def body(self) -> str:
        lines = [
            f"Run:        {self.run_id}",
            f"Ended:      {'success' if self.succeeded else 'FAILURE'}, {self.at:%Y-%m-%d %H:%M:%S} UTC",
            f"Assets:     {', '.join(self.assets) or self.job}",
        ]
        if self.partitions:
            lines.append(f"Partitions: {self.partitions}")
        lines.append(f"Checks:     {self.checks - len(self.failed_checks)} of {self.checks} passed")
        lines += [f"Load:       {load}" for load in self.loads[:LOADS_AT_MOST]]
        if len(self.loads) > LOADS_AT_MOST:
            lines.append(f"and {len(self.loads) - LOADS_AT_MOST} more loads")
        if self.reason:
            lines += ["", "Reason:", self.reason]
        if self.failed_checks:
            lines += ["", "Failed checks:", *map(str, self.failed_checks[:RULES_AT_MOST])]
            if len(self.failed_checks) > RULES_AT_MOST:
                lines.append(f"and {len(self.failed_checks) - RULES_AT_MOST} more")
        if advice := advice_on_run(self):
            lines += ["", f"To do: {advice}"]
        if self.link:
            lines += ["", f"Link: {self.link}"]
        return _text(lines)

    @property
    def detail_type(self) -> str:
        return "Movie Platform Run Ended"

    @property
    def detail(self) -> Mapping[str, Any]:
        return {
            "runId": self.run_id,
            "job": self.job,
            "state": "SUCCEEDED" if self.succeeded else "FAILED",
            "assets": list(self.assets),
            "partitions": self.partitions,
            "numChecksSucceeded": self.checks - len(self.failed_checks),
            "numChecksFailed": len(self.failed_checks),
            "reason": _cut(self.reason, 2_000),
            "link": self.link,
        }


@dataclass(frozen=True)
class TroubleNotice:
    """Something is wrong that no run and no delivery says, or still is after a day, or is over."""

    word: str
    """What kind of trouble, as a subject begins: OVERDUE."""
    name: str
    """What is in trouble, for people."""
    topic: Literal["freshness", "platform"]
    state: Literal["began", "lasts", "over"]
    reason: str
    to_do: str
    since: datetime
    at: datetime
    link: str = ""

    @property
    def id(self) -> str:
        return f"{self.word} {self.name} {self.since.isoformat()} {self.state}"

    @property
    def is_good_news(self) -> bool:
        return self.state == "over"

    @property
    def subject(self) -> str:
        if self.is_good_news:
            return _line(f"OVER: {self.name}: {self.word.lower()} since {self.since:%Y-%m-%d %H:%M} UTC")
        still = "STILL " if self.state == "lasts" else ""
        return _line(f"{still}{self.word}: {self.name}: {_cut(self.reason)}")

    @property
    def body(self) -> str:
        lines = [
            f"What:      {self.name}, {self.word.lower()}",
            f"Since:     {self.since:%Y-%m-%d %H:%M:%S} UTC",
        ]
        if self.is_good_news:
            lines.append(f"Over:      {self.at:%Y-%m-%d %H:%M:%S} UTC")
        else:
            lines += [f"Reason:    {self.reason}", "", f"To do: {self.to_do}"]
        if self.link:
            lines += ["", f"Link: {self.link}"]
        return _text(lines)

    @property
    def detail_type(self) -> str:
        return "Movie Platform Trouble"

    @property
    def detail(self) -> Mapping[str, Any]:
        return {
            "trouble": self.word.lower(),
            "name": self.name,
            "topic": self.topic,
            "state": "SUCCEEDED" if self.is_good_news else "FAILED",
            "reason": _cut(self.reason, 2_000),
            "since": self.since.isoformat(),
            "link": self.link,
        }


@dataclass(frozen=True)
class RulesetUnreadable:
    """A ruleset cannot be read, and the deliveries of its data set wait until it can."""

    dataset: str
    reason: str
    at: datetime

    @property
    def id(self) -> str:
        return f"ruleset-{hashlib.sha256(f'{self.dataset} {self.reason}'.encode()).hexdigest()[:40]}"

    @property
    def is_good_news(self) -> bool:
        return False

    @property
    def subject(self) -> str:
        return _line(f"RULESET UNREADABLE: {self.dataset}: {_cut(self.reason)}")

    @property
    def body(self) -> str:
        return _text(
            [
                f"Data set:  {self.dataset}",
                f"Noticed:   {self.at:%Y-%m-%d %H:%M:%S} UTC",
                f"Reason:    {self.reason}",
                "",
                "To do: mend the ruleset and reload the code location. Until then no delivery is judged or loaded, and "
                f"none is lost. {RUNBOOK}: A ruleset cannot be read",
            ]
        )

    @property
    def detail_type(self) -> str:
        return "Movie Platform Ruleset Unreadable"

    @property
    def detail(self) -> Mapping[str, Any]:
        return {"dataset": self.dataset, "state": "FAILED", "reason": _cut(self.reason, 2_000)}


def _cut(text: str, at: int = RULE_CHARACTERS) -> str:
    return text if len(text) <= at else text[: at - 1] + "…"


def _line(text: str) -> str:
    return _text([" ".join(text.split())])


def _text(lines: list[str]) -> str:
    """The lines without what a terminal or a mail reader would obey; values of the data may be among them."""
    return printable("\n".join(lines), keep="\n")
