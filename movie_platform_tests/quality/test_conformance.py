"""Every feature of the language has the documented result, and docs/dqdl.md says what is other than in AWS."""

import re
from pathlib import Path

import pytest

from movie_platform.quality import InMemoryHistory, RulesetError, evaluate, parse_ruleset
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform_tests.quality import conformance

PAGE = Path(__file__).parents[2] / "docs" / "dqdl.md"


@pytest.mark.parametrize(("feature", "rule", "result"), list(conformance.every_case()))
def test_a_rule_has_its_documented_result(feature: str, rule: str, result: str) -> None:
    history = InMemoryHistory()
    for metric in conformance.HISTORY:
        for point in conformance.points(metric):
            history.record("primary", point.at, {metric: point.value})
    text = f"Rules = [ {rule}\n ]"
    if result == conformance.REFUSED:
        with pytest.raises(RulesetError):
            parse_ruleset(text)
        return

    evaluation = evaluate(
        conformance.FRAME,
        parse_ruleset(text),
        references=conformance.REFERENCES,
        history=history,
        at=conformance.NOW,
    )

    outcome = evaluation.outcomes[0]
    assert outcome.outcome == result, (feature, outcome.failure_reason)
    assert outcome.outcome == "Passed" or outcome.failure_reason


def test_every_rule_type_operator_and_function_has_a_case() -> None:
    rules = " ".join(rule for _, rule, _ in conformance.every_case())

    assert {name for name in RULE_TYPES if not re.search(rf"\b{name}\b", rules)} == set()
    words = [
        "between",
        "not between",
        "in [",
        "not in [",
        "matches",
        "not matches",
        "where",
        "with threshold",
        "labels",
    ]
    words += ["last(", "avg(", "average(", "sum(", "min(", "max(", "std(", "median(", "percentile(", "index(", "abs("]
    words += [
        "multiply(",
        "now()",
        "NULL",
        "EMPTY",
        "WHITESPACES_ONLY",
        "ignoreCase",
        "format",
        "recentFiles",
        "uriRegex",
    ]
    words += ["hashAlgorithm", " = ", " != ", " <> ", " > ", " >= ", " < ", " <= ", " and ", " or ", " of "]
    assert [word for word in words if word not in rules] == []


def test_the_page_holds_the_table() -> None:
    assert conformance.table().strip() in PAGE.read_text("utf-8")
