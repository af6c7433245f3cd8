"""What metrics were, and whether they are in line with it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from movie_platform.quality import InMemoryHistory, MetricHistory, MetricPoint, ParquetHistory, evaluate, parse_ruleset
from movie_platform.quality.anomalies import judge

START = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = "Dataset.*.RowCount"


def days(*values: float) -> list[MetricPoint]:
    return [MetricPoint(START + timedelta(days=day), value) for day, value in enumerate(values)]


@pytest.fixture(params=["memory", "parquet"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> MetricHistory:
    return InMemoryHistory() if request.param == "memory" else ParquetHistory(tmp_path / "deep" / "history.parquet")


def test_a_series_is_in_order_ends_before_its_moment_and_can_be_cut(history: MetricHistory) -> None:
    for day in (2, 0, 1):
        history.record("films", START + timedelta(days=day), {ROWS: day, "other": 9})
    history.record("books", START, {ROWS: 100})

    assert history.series("films", ROWS, before=START + timedelta(days=2)) == days(0, 1)
    assert history.series("films", ROWS, before=START + timedelta(days=9), last=1) == days(0, 1, 2)[2:]
    assert list(history.series("films", "unknown", before=START + timedelta(days=9))) == []


def test_an_evaluation_recorded_again_replaces_itself(history: MetricHistory) -> None:
    history.record("films", START, {ROWS: 1, "gone": 2})
    history.record("films", START, {ROWS: 3})

    assert history.series("films", ROWS, before=START + timedelta(days=1)) == days(3)
    assert list(history.series("films", "gone", before=START + timedelta(days=1))) == []


def test_what_an_evaluation_measured_is_what_the_next_one_reads(history: MetricHistory) -> None:
    rules = parse_ruleset(
        'Analyzers = [ Completeness "v" ] Rules = [ RowCount >= last(), Mean "v" between min(last(2)) and 99 ]'
    )
    first = evaluate(pd.DataFrame({"v": [1, 2, None]}), rules, history=history, dataset="d", at=START)
    history.record("d", first.at, first.metrics)
    second = evaluate(pd.DataFrame({"v": [1, 2]}), rules, history=history, dataset="d", at=START + timedelta(days=1))

    assert first.metrics["Column.v.Completeness"] == pytest.approx(2 / 3)
    assert [outcome.evaluated_rule for outcome in second.outcomes] == [
        "RowCount >= 3.0",
        'Mean "v" between 1.5 and 99.0',
    ]
    assert [outcome.outcome for outcome in second.outcomes] == ["Failed", "Failed"]


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("avg(last(3))", 20),
        ("sum(last(2))", 50),
        ("min(last(9))", 10),
        ("max(last(3))", 30),
        ("median(last(3))", 20),
        ("std(last(2))", 5),
        ("percentile(last(3), 0.75)", 25),
        ("index(last(3), 0)", 30),
        ("index(last(3), 2)", 10),
        ("last()", 30),
        ("abs(-2) * last(1) + 1", 61),
    ],
)
def test_functions_of_the_past(function: str, value: float) -> None:
    history = InMemoryHistory()
    for point in days(10, 20, 30):
        history.record("primary", point.at, {ROWS: point.value})

    evaluation = evaluate(
        pd.DataFrame({"v": range(3)}),
        parse_ruleset(f"Rules = [ RowCount > {function} ]"),
        history=history,
        at=START + timedelta(days=9),
    )

    assert evaluation.outcomes[0].evaluated_rule == f"RowCount > {float(value)}"


@pytest.mark.parametrize("function", ["last(3)", "index(last(3), 3)", "1 / 0", "percentile(last(3), 7)"])
def test_a_dynamic_part_that_has_no_value_is_an_error(function: str) -> None:
    history = InMemoryHistory()
    for point in days(10, 20, 30):
        history.record("primary", point.at, {ROWS: point.value})
    rules = parse_ruleset(f"Rules = [ RowCount > {function} ]")

    assert evaluate(pd.DataFrame({"v": [1]}), rules, history=history).outcomes[0].outcome == "Error"


def test_without_enough_past_nothing_is_an_anomaly() -> None:
    assert not judge(10**9, START, days(1, 1, 1, 1)).anomalous


def test_a_value_far_from_the_median_is_an_anomaly_and_old_outliers_do_not_hide_it() -> None:
    past = days(1000, 1010, 990, 1005, 9_000_000, 995, 1002, 998)

    assert not judge(1012, START, past).anomalous
    assert judge(1500, START, past).anomalous
    assert judge(400, START, past).anomalous


def test_one_row_more_than_a_constant_past_is_no_anomaly() -> None:
    past = days(*[1000] * 10)

    assert not judge(1001, START, past).anomalous
    assert judge(1100, START, past).anomalous


def test_a_weekly_rhythm_is_learned_once_there_is_enough() -> None:
    week = [100, 102, 98, 101, 99, 500, 510]
    past = days(*(value + noise for noise in (0, 2, -1, 1) for value in week))
    saturday = START + timedelta(days=28 + 5)
    monday = START + timedelta(days=28)

    assert not judge(503, saturday, past).anomalous
    assert judge(103, saturday, past).anomalous
    assert judge(503, monday, past).anomalous
    assert judge(503, monday, past).method == "median of the same weekday"


def test_detect_anomalies_fails_with_the_expected_range_and_says_when_it_cannot_judge() -> None:
    history = InMemoryHistory()
    rules = parse_ruleset('Rules = [ DetectAnomalies "RowCount", DetectAnomalies "Completeness" "v" ]')
    frame = pd.DataFrame({"v": [1.0] * 100})
    young: Any = evaluate(frame, rules, history=history, at=START)
    for day in range(8):
        at = START + timedelta(days=day)
        history.record("primary", at, evaluate(frame, rules, history=history, at=at).metrics)

    later = START + timedelta(days=8)
    usual = evaluate(frame, rules, history=history, at=later)
    odd = evaluate(frame.head(10), rules, history=history, at=later)

    assert young.score == 1.0
    assert len(young.observations) == 2
    assert (usual.score, usual.observations) == (1.0, ())
    assert [outcome.outcome for outcome in odd.outcomes] == ["Failed", "Passed"]
    assert "expected 100" in (odd.outcomes[0].failure_reason or "")


def test_a_metric_of_several_columns_goes_on_with_what_was_kept_under_its_former_name() -> None:
    history = InMemoryHistory()
    history.record("primary", START, {"Multicolumn.[a,b].ColumnCorrelation": 0.4})
    history.record("primary", START + timedelta(days=1), {"Multicolumn.a,b.ColumnCorrelation": 0.8})
    rules = parse_ruleset('Rules = [ ColumnCorrelation "a" "b" > avg(last(5)) ]')
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]})

    evaluation = evaluate(frame, rules, history=history, at=START + timedelta(days=2))

    assert evaluation.outcomes[0].evaluated_rule == 'ColumnCorrelation "a" "b" > 0.6000000000000001'
