"""Every feature of the language has the documented result, and docs/dqdl.md says what is other than in AWS."""

import re
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from movie_platform.quality import RulesetError, evaluate, parse_ruleset
from movie_platform.quality.conditions import Operator
from movie_platform.quality.parsing import FUNCTIONS
from movie_platform.quality.rule_shapes import HASH_ALGORITHMS
from movie_platform.quality.rule_types import DATA_TYPES, DATE_FORMATS, RULE_TYPES, RuleType
from movie_platform.quality.ruleset import ACTION_LABELS, ACTIONS
from movie_platform_tests.quality import conformance

PAGE = Path(__file__).parents[2] / "docs" / "dqdl.md"


@pytest.mark.parametrize(("feature", "rule", "result"), list(conformance.every_case()))
def test_a_rule_has_its_documented_result(feature: str, rule: str, result: str) -> None:
    text = f"Rules = [ {rule}\n ]"
    if result == conformance.REFUSED:
        with pytest.raises(RulesetError):
            parse_ruleset(text)
        return

    evaluation = evaluate(
        conformance.FRAME,
        parse_ruleset(text),
        references=conformance.REFERENCES,
        history=conformance.past(),
        at=conformance.NOW,
        files=lambda address: [file for file in conformance.FILES if file.name.startswith(address)],
    )

    outcome = evaluation.outcomes[0]
    assert outcome.outcome == result, (feature, outcome.failure_reason)
    assert outcome.outcome == "Passed" or outcome.failure_reason


def cases_with(pattern: str) -> list[tuple[str, str]]:
    return [(rule, result) for _, rule, result in conformance.every_case() if re.search(pattern, rule)]


@pytest.mark.parametrize("rule_type", RULE_TYPES.values(), ids=lambda rule_type: rule_type.name)
def test_every_rule_type_has_a_case_that_holds_one_that_does_not_and_one_of_bad_input(rule_type: RuleType) -> None:
    cases = cases_with(rf"\b{rule_type.name}\b")

    results = {result for _, result in cases}
    assert {"Passed", "Failed"} <= results
    assert results & {"Error", "refused"}
    for clause in [*["where"] * rule_type.where, *["threshold"] * rule_type.threshold, *rule_type.options]:
        assert any(re.search(rf"\b{clause}\b", rule) and result in ("Passed", "Failed") for rule, result in cases), (
            clause
        )


@pytest.mark.parametrize("judged", ["RowCount", 'ColumnValues "'])
@pytest.mark.parametrize("operator", [*get_args(Operator), "==", "<>"])
def test_every_operator_has_a_case_that_holds_and_one_that_does_not(operator: str, judged: str) -> None:
    before = r"(?<!not )" if operator in ("in", "between", "matches") else ""
    cases = cases_with(rf"^{judged}[^=<>!]*?{before}{re.escape(operator)}(?![=>])")

    results = {result for _, result in cases}
    if judged == "RowCount" and "matches" in operator:
        assert results == {"refused"}  # a number is not matched
    else:
        assert {"Passed", "Failed"} <= results


def test_every_function_keyword_unit_type_option_and_label_has_a_case() -> None:
    rules = " ".join(rule for _, rule, _ in conformance.every_case())

    words = [f"{function}(" for function in FUNCTIONS] + [f'"{kind}' for kind in DATA_TYPES]
    words += ["NULL", "EMPTY", "WHITESPACES_ONLY", "minute", "hours", "day", "week", " B", " KB", " MB", " GB", " TB"]
    words += [f'"{algorithm}"' for algorithm in HASH_ALGORITHMS] + [f'"action"="{action}"' for action in ACTIONS]
    words += [f'"{label}"=' for label in ACTION_LABELS] + [" + ", " - ", " * ", " / ", " and ", " or ", " of "]
    assert [word for word in words if word not in rules] == []


@pytest.mark.parametrize("spelling", DATE_FORMATS)
def test_every_format_of_dates_is_read_and_kept_to(spelling: str) -> None:
    written = spelling.replace("yyyy", "2026").replace("MM", "02").replace("dd", "28")
    rules = parse_ruleset(f'Rules = [ ColumnDataType "day" = "DATE" with format = "{spelling}" ]')

    outcomes = [evaluate(pa.table({"day": [day]}), rules).outcomes[0].outcome for day in (written, written + "x", "02")]

    assert outcomes == ["Passed", "Failed", "Failed"]


def test_the_page_holds_the_table() -> None:
    assert conformance.table().strip() in PAGE.read_text("utf-8")
