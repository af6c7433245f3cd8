"""A notice can be read by people and by programs, and by neither's tools against them."""

from datetime import UTC, datetime
from typing import Any

from movie_platform.notify import EvaluationEnded, RuleResult, RunEnded

AT = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
RULES = (
    RuleResult("RowCount > 10", "Passed"),
    RuleResult(
        'ColumnValues "imdb_rating" between 8.5 and 10.3',
        "Failed",
        "967 of 1,000 rows do not meet the rule",
        {"Column.imdb_rating.ColumnValues.Compliance": 0.033},
        967,
    ),
    RuleResult('IsComplete "nowhere"', "Error", 'there is no column "nowhere"'),
)


def evaluation(**changes: Any) -> EvaluationEnded:
    fields: dict[str, Any] = {
        "id": "dqresult-1",
        "dataset": "quality_movies",
        "date": "2026-03-01",
        "ruleset": "rating.dqdl",
        "score": 1 / 3,
        "rules": RULES,
        "rows": 1000,
        "good": 33,
        "bad": 967,
        "run_id": "abc",
        "at": AT,
        "link": "http://localhost:3000/runs/abc",
    }
    return EvaluationEnded(**{**fields, **changes})


def test_the_subject_names_data_set_date_and_score() -> None:
    assert evaluation().subject == "RULES NOT PASSED: quality_movies 2026-03-01: 2 of 3 rules not passed, score 33 %"
    assert evaluation(rules=RULES[:1], score=1.0).subject == "Passed: quality_movies 2026-03-01: passed, score 100 %"


def test_the_body_lists_each_rule_that_did_not_pass_with_its_numbers_and_the_run() -> None:
    body = evaluation().body
    assert "Score:     33 % (1 of 3 rules passed)" in body
    assert "1,000 delivered, 33 good, 967 bad" in body
    assert '[Failed] ColumnValues "imdb_rating" between 8.5 and 10.3' in body
    assert "967 of 1,000 rows do not meet the rule" in body
    assert "Column.imdb_rating.ColumnValues.Compliance 0.033" in body
    assert '[Error] IsComplete "nowhere"' in body
    assert "RowCount" not in body
    assert "http://localhost:3000/runs/abc" in body


def test_the_detail_has_the_shape_of_glues_event() -> None:
    detail = evaluation().detail
    assert {name: detail[name] for name in ("resultId", "rulesetNames", "state", "score")} == {
        "resultId": "dqresult-1",
        "rulesetNames": ["rating.dqdl"],
        "state": "FAILED",
        "score": 1 / 3,
    }
    assert (detail["numRulesSucceeded"], detail["numRulesFailed"], detail["numRulesSkipped"]) == (1, 1, 1)
    assert evaluation(rules=RULES[:1]).detail["state"] == "SUCCEEDED"
    assert evaluation().detail_type == "Data Quality Evaluation Results Available"


def test_a_blocked_delivery_says_in_its_subject_that_it_was_not_loaded() -> None:
    blocked = evaluation(ends_as="blocked by RowCount > 10; the earlier version stays")
    assert blocked.subject.startswith("NOT LOADED: quality_movies 2026-03-01")
    assert "blocked by RowCount > 10" in blocked.body
    assert not blocked.is_good_news


def test_a_hundred_failed_rules_are_counted_and_not_all_listed() -> None:
    many = evaluation(rules=tuple(RuleResult(f"Rule {n}", "Failed", "x" * 5_000) for n in range(100)))
    assert "and 50 more" in many.body
    assert len(many.body) < 40_000


def test_a_green_run_with_failed_checks_is_no_good_news() -> None:
    run = RunEnded("abc", "job", True, ("quality_movies_good",), "2026-03-01", AT, failed_checks=RULES[1:], checks=3)
    assert run.subject == "Succeeded with 2 failed checks: 2026-03-01 quality_movies_good"
    assert not run.is_good_news
    assert "1 of 3 passed" in run.body
    assert run.detail["numChecksFailed"] == 2


def test_a_failed_run_says_why() -> None:
    run = RunEnded("abc", "job", False, ("imdb_clean",), "202603010000", AT, reason="the disk is full", link="http://x")
    assert run.subject == "FAILED: 202603010000 imdb_clean"
    assert "the disk is full" in run.body


def test_line_breaks_and_escapes_in_values_stay_text() -> None:
    nasty = evaluation(dataset="movies\r\nBcc: everyone@example.com", rules=(RuleResult("a\x1b[31m", "Failed"),))
    assert "\n" not in nasty.subject
    assert "\r" not in nasty.subject
    assert "\x1b" not in nasty.body
