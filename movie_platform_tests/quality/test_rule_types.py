"""Each rule type on data where its answer can be worked out by hand."""

import math
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from movie_platform.quality import InMemoryHistory, Outcome, evaluate, parse_ruleset

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FRAME = pa.table(
    {
        "id": [1, 2, 3, 4, 4],
        "v": pa.array([1.0, 2.0, 3.0, None, 4.0]),
        "twice": pa.array([2.0, 4.0, 6.0, 1.0, 8.0]),
        "text": ["a", "bb", "", " ", None],
        "code": ["7", "12", "x", "3.5", None],
        "day": pa.array([f"2026-06-{day}" for day in ("14", "13", "01", "15")] + [None]).cast(pa.timestamp("s")),
        "iso": ["2026-06-14", "2026-06-13T10:00:00Z", "soon", "", None],
        "flag": pa.array([True, False, True, None, True]),
        "same": [5, 5, 5, 5, 5],
        "clock": ["9:30 AM", "10:05", "9:45 PM", "25:00", None],
        "at": pa.array([35_999, 36_900, 86_399, 43_200, None], pa.time32("s")),
    }
)
OTHER = pa.table({"key": [1, 2, 9], "v": [1.0, 2.5, 3.0], "name": ["x", "y", "z"]})
RENAMED = FRAME.rename_columns([name if place % 2 else f"x_{name}" for place, name in enumerate(FRAME.column_names)])


def judge(rule: str, table: pa.Table = FRAME, **options: Any) -> Outcome:
    options.setdefault("references", {"other": OTHER, "copy": FRAME, "renamed": RENAMED})
    return evaluate(table, parse_ruleset(f"Rules = [ {rule} ]"), at=NOW, **options).outcomes[0]


@pytest.mark.parametrize(
    ("rule", "metric", "value"),
    [
        ("RowCount = 5", "Dataset.*.RowCount", 5),
        ('RowCount = 2 where "id >= 4"', "Dataset.*.RowCount", 2),
        ("ColumnCount = 11", "Dataset.*.ColumnCount", 11),
        ('Completeness "v" = 0.8', "Column.v.Completeness", 0.8),
        ('Uniqueness "id" = 0.6', "Column.id.Uniqueness", 0.6),
        ('UniqueValueRatio "id" = 0.75', "Column.id.UniqueValueRatio", 0.75),
        ('DistinctValuesCount "id" = 4', "Column.id.DistinctValuesCount", 4),
        ('DistinctValuesCount "text" = 4', "Column.text.DistinctValuesCount", 4),
        ('Mean "v" = 2.5', "Column.v.Mean", 2.5),
        ('Sum "v" = 10', "Column.v.Sum", 10),
        ('Variance "v" = 1.25', "Column.v.Variance", 1.25),
        ('StandardDeviation "v" between 1.118 and 1.1181', "Column.v.StandardDeviation", math.sqrt(1.25)),
        ('Entropy "id" between 1.33 and 1.34', "Column.id.Entropy", -3 * 0.2 * math.log(0.2) - 0.4 * math.log(0.4)),
        ('Entropy "same" = 0', "Column.same.Entropy", 0),
        ('ColumnCorrelation "v" "twice" > 0.999', "Multicolumn.v,twice.ColumnCorrelation", 1),
        ('RowCountMatch "other" > 1.6', "Dataset.other.RowCountMatch", 5 / 3),
        ('AggregateMatch "sum(v)" "sum(other.v)" > 1.5', "Column.v.AggregateMatch", 10 / 6.5),
        ('ReferentialIntegrity "id" "other.{key}" = 0.4', "Column.other.ReferentialIntegrity", 0.4),
        ('ReferentialIntegrity "id,v" "other.{key,v}" = 0.2', "Column.other.ReferentialIntegrity", 0.2),
        ('DatasetMatch "other" "twice->key" "v" = 0.0', "Dataset.other.DatasetMatch", 0),
        ('DatasetMatch "copy" "twice" "v,same"', "Dataset.copy.DatasetMatch", 1),
        ('DatasetMatch "copy" "twice"', "Dataset.copy.DatasetMatch", 1),
        ('SchemaMatch "copy"', "Dataset.copy.SchemaMatch", 1),
        ('SchemaMatch "other" < 0.1', "Dataset.other.SchemaMatch", 0),
        ('SchemaMatch "renamed" between 0.4 and 0.5', "Dataset.renamed.SchemaMatch", 5 / 11),
        ('ColumnNamesMatchPattern "[a-z]+"', "Dataset.*.ColumnNamesPatternMatchRatio", 1),
        ('CustomSql "select sum(id) from primary" = 14', "Dataset.*.CustomSQL", 14),
    ],
)
def test_a_statistic_is_exact(rule: str, metric: str, value: float) -> None:
    outcome = judge(rule)

    assert outcome.outcome == "Passed", outcome.failure_reason
    assert outcome.evaluated_metrics[metric] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "failing"),
    [
        ('IsComplete "v"', [3]),
        ('IsUnique "id"', [3, 4]),
        ('IsUnique "id" "v"', []),
        ('IsUnique "v"', []),
        ('IsPrimaryKey "v"', [3]),
        ('ColumnValues "v" > 1', [0, 3]),
        ('ColumnValues "v" in ["1", "2.0", 3]', [3, 4]),
        ('ColumnValues "text" = EMPTY', [0, 1, 3, 4]),
        ('ColumnValues "text" not in [EMPTY, WHITESPACES_ONLY]', [2, 3]),
        ('ColumnValues "text" not in [EMPTY, WHITESPACES_ONLY, NULL]', [2, 3, 4]),
        ('ColumnValues "text" = "bb"', [0, 2, 3, 4]),
        ('ColumnValues "text" > "a"', [0, 2, 3, 4]),
        ('ColumnValues "code" > 5', [2, 3, 4]),
        ('ColumnValues "code" in [7, "x"]', [1, 3, 4]),
        ('ColumnValues "code" matches "[0-9.]+"', [2, 4]),
        ('ColumnValues "day" > "2026-06-13"', [1, 2, 4]),
        ('ColumnValues "day" between (now() - 3 days) and now()', [2, 4]),
        ('ColumnValues "day" in ["2026-06-14", "2026-06-01"]', [1, 3, 4]),
        ('ColumnValues "day" != "2026-06-14"', [0]),
        ('ColumnValues "iso" >= "2026-06-13"', [2, 3, 4]),
        ('ColumnValues "flag" = "true"', [1, 3]),
        ('ColumnLength "text" >= 1', [2, 4]),
        ('ColumnLength "text" in [0, 1]', [1]),
        ('ColumnLength "text" not between 0 and 2', [0, 3]),
        ('ColumnLength "id" = 1', []),
        ('ColumnDataType "code" = "INTEGER"', [2, 3]),
        ('ColumnDataType "code" = "DOUBLE"', [2]),
        ('ColumnDataType "code" != "DOUBLE"', [0, 1, 3]),
        ('ColumnDataType "iso" in ["DATE", "TIMESTAMP"]', [2, 3]),
        ('ColumnDataType "v" = "INTEGER"', []),
        ('ColumnDataType "text" = "STRING"', []),
        ('ColumnDataType "code" = "LONG"', [2, 3]),
        ('ColumnDataType "v" = "LONG"', []),
        ('ColumnValues "text" in ["BB", "A"] with ignoreCase = "true"', [2, 3, 4]),
        ('ColumnValues "text" in ["BB", "A"] with ignoreCase = "false"', [0, 1, 2, 3, 4]),
        ('ColumnValues "text" != "BB" with ignoreCase = "true"', [1]),
        ('ColumnValues "text" matches "B+" with ignoreCase = "true"', [0, 2, 3, 4]),
        ('ColumnDataType "flag" = "BOOLEAN"', []),
        ('ColumnDataType "twice" = "DECIMAL(3,2)"', []),
        ('DataFreshness "day" <= 3 days', [2, 4]),
        ('DataFreshness "day" between 12 hours and 3 days', [2, 3, 4]),
        ('DataFreshness "iso" < 100 hours', [2, 3, 4]),
        ('DataFreshness "day" = 1 days', [1, 2, 3, 4]),
        ('DataFreshness "day" in [36 hours, 14 days]', [1, 3, 4]),
        ('DataFreshness "day" != 2 days', [1, 4]),
        ('DataFreshness "day" not in [1 days, 2 days]', [0, 1, 4]),
        ('ColumnValues "clock" > "9:30 AM"', [0, 3, 4]),
        ('ColumnValues "clock" between "09:00" and "21:30"', [2, 3, 4]),
        ('ColumnValues "clock" <= "12:00 AM"', [0, 1, 2, 3, 4]),
        ('ColumnValues "at" >= "10:15"', [0, 4]),
        ('ColumnValues "at" in ["10:15", "9:59 AM"]', [0, 2, 3, 4]),
        ('ColumnValues "day" < "00:01"', [4]),
        ('CustomSql "select id from primary where v > 1" with threshold > 3', [0, 3]),
        ('CustomSql "select id from primary where v > 1" with threshold >= 0.6', [0, 3]),
        ('CustomSql "select id from primary where v > 1 or text is null"', [0, 3]),
        ('(ColumnValues "v" > 1) and (IsComplete "text")', [0, 3, 4]),
        ('(ColumnValues "v" > 1) or (IsComplete "text")', []),
    ],
)
def test_a_row_rule_names_the_rows_that_break_it(rule: str, failing: list[int]) -> None:
    evaluation = evaluate(FRAME, parse_ruleset(f"Rules = [ {rule} ]"), at=NOW, composite="row")

    expected = "Failed" if failing and "threshold >= 0.6" not in rule else "Passed"
    assert evaluation.outcomes[0].outcome == expected, evaluation.outcomes[0].failure_reason
    assert [place for place, fails in enumerate(evaluation.rows.failing(0)) if fails] == failing
    assert evaluation.outcomes[0].failing_rows == len(failing)
    assert evaluation.bad_count == (len(failing) if expected == "Failed" else 0)


def test_a_threshold_of_a_query_above_one_counts_rows() -> None:
    query = 'CustomSql "select id from primary where v > 1"'

    assert judge(f"{query} with threshold >= 3").outcome == "Passed"
    assert "3 rows, and their number must be > 3" in (judge(f"{query} with threshold > 3").failure_reason or "")


def test_a_threshold_can_ask_the_history_of_its_own_rule() -> None:
    history = InMemoryHistory()
    rules = parse_ruleset('Rules = [ ColumnValues "v" > 1 with threshold >= avg(last(2)) ]')
    for day, value in enumerate((2.0, 0.0), start=1):
        table = pa.table({"v": [value, 5.0]})
        at = datetime(2026, 1, day, tzinfo=UTC)
        history.record("primary", at, evaluate(table, rules, history=history, at=at).metrics)

    later = {"history": history, "at": datetime(2026, 1, 3, tzinfo=UTC)}

    assert evaluate(pa.table({"v": [2, 2, 2, 0]}), rules, **later).outcomes[0].outcome == "Passed"
    assert evaluate(pa.table({"v": [2, 0, 0, 0]}), rules, **later).outcomes[0].outcome == "Failed"


def test_a_composite_rule_about_shares_is_judged_as_a_whole_also_row_by_row() -> None:
    rule = '(Completeness "v" > 0.5) and (IsComplete "id")'

    assert judge(rule, composite="row").outcome == "Passed"
    assert judge('(IsComplete "v") and (IsComplete "id")', composite="row").outcome == "Failed"


def test_the_distribution_of_a_column_is_measured() -> None:
    rules = parse_ruleset('Analyzers = [ Distribution "id" ] Rules = [ RowCount > 1 ]')

    metrics = evaluate(FRAME, rules).metrics

    assert metrics["Column.id.DistinctValuesCount"] == 4
    assert metrics["Column.id.UniqueValueRatio"] == 0.75


@pytest.mark.parametrize(
    "rule",
    [
        'Mean "text" > 1',
        'ColumnValues "v" > "high"',
        'ColumnValues "flag" > 1',
        'ColumnValues "day" = 3',
        'ColumnValues "v" = EMPTY',
        'ColumnValues "v" > NULL',
        'ColumnValues "iso" > 5',
        'ColumnCorrelation "v" "same" > 0',
        'ColumnLength "text" > "long"',
        'DataFreshness "id" > 3 days',
        'RowCount > "many"',
        'RowCountMatch "unknown" = 1.0',
        'AggregateMatch "median(v)" "sum(other.v)" = 1.0',
        'AggregateMatch "sum(v)" "sum(other.nothing)" = 1.0',
        'ReferentialIntegrity "id" "other" = 1.0',
        'ReferentialIntegrity "id,v" "other.{key}" = 1.0',
        'DatasetMatch "other" "id->nothing"',
        'DatasetMatch "copy" "id"',
        'DatasetMatch "copy" "v" "same"',
        'DatasetMatch "other" "twice->key"',
        'DetectAnomalies "Luck" "v"',
        'FileFreshness "s3://bucket/" > 24 hours',
        'FileUniqueness "s3://bucket/" > 0.9',
        '(IsComplete "id") or (IsComplete "missing")',
    ],
)
def test_what_has_no_answer_is_an_error_with_a_reason(rule: str) -> None:
    outcome = judge(rule)

    assert outcome.outcome == "Error"
    assert outcome.failure_reason


def test_a_column_whose_name_fits_two_columns_is_an_error_unless_spelled_exactly() -> None:
    table = pa.table({"Name": ["a"], "name": [None]})

    assert judge('IsComplete "NAME"', table).outcome == "Error"
    assert judge('IsComplete "Name"', table).outcome == "Passed"


def test_a_share_that_is_not_quite_all_is_not_told_as_100_per_cent() -> None:
    table = pa.table({"v": [*list(range(99999)), None]})

    reason = judge('ColumnValues "v" >= 0 with threshold = 1.0', table).failure_reason or ""

    assert "99.999 % pass" in reason


def test_integers_beyond_a_doubles_reach_are_compared_exactly() -> None:
    table = pa.table({"v": pa.array([2**60, 2**60 + 1], pa.int64())})

    assert evaluate(table, parse_ruleset(f'Rules = [ ColumnValues "v" = "{2**60 + 1}" ]')).rows.failing(0).tolist() == [
        True,
        False,
    ]


def test_categories_nan_and_mixed_cells_are_judged_by_value() -> None:
    frame = pd.DataFrame(
        {"c": pd.Categorical(["a", None, "b"]), "n": [1.0, float("nan"), 2.0], "m": [1, "x", None]}, index=[3, 3, 3]
    )
    rules = 'IsComplete "c"', 'IsComplete "n"', 'ColumnValues "m" in ["1", "x"]'

    evaluation = evaluate(frame, parse_ruleset(f"Rules = [ {', '.join(rules)} ]"))

    assert [o.failing_rows for o in evaluation.outcomes] == [1, 1, 1]
    assert len(evaluation.good_frame()) == 1
    assert evaluation.good_frame()["c"].dtype == "category"


@pytest.mark.parametrize("rule", ['Sum "v" > 0', 'Mean "v" > 0', 'StandardDeviation "v" > 0'])
def test_a_statistic_beyond_the_range_of_numbers_is_an_error(rule: str) -> None:
    assert judge(rule, pa.table({"v": [float("inf"), 1.0]})).outcome == "Error"


DATES = pa.table({"d": ["31-12-2026", "30-02-2026", "2026-12-31", "1-1-2026", "29-02-2024", None, ""]})


@pytest.mark.parametrize(
    ("date_format", "failing"),
    [("dd-MM-yyyy", [1, 2, 3, 6]), ("yyyy-MM-dd", [0, 1, 3, 4, 6]), ("MM-yyyy", [0, 1, 2, 3, 4, 6])],
)
def test_a_date_is_read_as_its_format_says(date_format: str, failing: list[int]) -> None:
    rules = parse_ruleset(f'Rules = [ ColumnDataType "d" = "DATE" with format = "{date_format}" ]')

    assert [place for place, fails in enumerate(evaluate(DATES, rules).rows.failing(0)) if fails] == failing


@pytest.mark.parametrize(
    ("value", "integer", "long"),
    [
        ("2147483647", True, True),
        ("2147483648", False, True),
        ("-9223372036854775808", False, True),
        ("9223372036854775808", False, False),
        ("0000000000000000000000007", True, True),
        ("9" * 5000, False, False),
        ("1.0", False, False),
    ],
)
def test_whole_numbers_in_text_are_held_against_their_range_exactly(value: str, integer: bool, long: bool) -> None:
    table = pa.table({"v": [value, "x"]})
    rules = parse_ruleset('Rules = [ ColumnDataType "v" = "INTEGER", ColumnDataType "v" = "LONG" ]')

    failing = [evaluate(table, rules).rows.failing(rule)[0] for rule in (0, 1)]

    assert failing == [not integer, not long]


def test_floats_are_longs_up_to_two_to_the_63rd() -> None:
    table = pa.table({"v": [1.0, 1.5, 2.0**63, -(2.0**63), None]})

    rules = parse_ruleset('Rules = [ ColumnDataType "v" = "LONG" ]')
    assert evaluate(table, rules).rows.failing(0).tolist() == [False, True, True, False, False]


NINES = "9" * 5000


@pytest.mark.parametrize(
    "rule",
    [
        f"RowCount > {NINES}",
        f'ColumnValues "v" = {NINES}',
        f'ColumnValues "v" in [1, {NINES}]',
        f'ColumnValues "v" between 1e400 and {NINES}',
        'ColumnValues "v" > 1e400',
        'ColumnValues "v" in [1e400, "1e400"]',
        f'ColumnValues "t" > {NINES}',
        'ColumnValues "d" > now() - 99999999999 days',
        'ColumnValues "d" > "9999-12-31"',
        'ColumnValues "d" < now() + 9999999 weeks',
        'ColumnDataType "t" = "DECIMAL(400,0)"',
        'ColumnDataType "t" = "DECIMAL(3,7)"',
        f'ColumnDataType "t" = "DECIMAL({NINES},0)"',
        "RowCount > last(1e400)",
        "RowCount > avg(last(1e400))",
        "RowCount > index(last(3), 1e400)",
        "RowCount > percentile(last(3), 1e400)",
        f"RowCount > last({NINES})",
        f'ColumnLength "t" > {NINES}',
        'ColumnLength "t" in [1e400, 3]',
        'DataFreshness "d" < 99999999999 days',
        'DataFreshness "d" < 1e400 hours',
        f'DataFreshness "d" < {NINES} minutes',
        f'Sum "v" > {NINES} * {NINES}',
        "RowCount > 1e400 - 1e400",
        "RowCount > 1e308 * 1e308 / 1e400",
        f'CustomSql "select {NINES} from primary" > 1',
        'CustomSql "select cast(power(10, 400) as decimal(38,0)) from primary" > 1',
    ],
)
def test_a_number_beyond_all_bounds_never_ends_the_evaluation_of_the_others(rule: str) -> None:
    table = pa.table({"v": [1, 2], "t": ["a", "1"], "d": pa.array([0, 1], pa.timestamp("s"))})

    evaluation = evaluate(table, parse_ruleset(f'Rules = [ IsComplete "v", {rule}, IsUnique "v" ]'))

    first, judged, last = evaluation.outcomes
    assert (first.outcome, last.outcome) == ("Passed", "Passed")
    assert judged.outcome in ("Passed", "Failed", "Error")
    assert judged.outcome == "Passed" or judged.failure_reason


def test_rows_without_a_counterpart_are_marked_so_that_they_can_be_set_aside() -> None:
    films = pa.table({"id": [1, 2, 3, 4], "studio": [10, 99, None, 10], "title": ["a", "b", "c", "d"]})
    studios = pa.table({"id": [10, 20]})
    others = pa.table({"id": [1, 2, 4], "studio": [10, 99, 20], "title": ["a", "b", "d"]})
    rules = parse_ruleset(
        """Rules = [
            ReferentialIntegrity "studio" "studios.id" >= 0.9,
            ReferentialIntegrity "studio" "studios.id" = 1.0 where "id < 2",
            DatasetMatch "others" "id" >= 0.9
        ]"""
    )

    evaluation = evaluate(films, rules, references={"studios": studios, "others": others})

    marked = [evaluation.rows.failing(rule).tolist() for rule in range(3)]
    assert marked == [[False, True, True, False], [False] * 4, [False, False, True, True]]
    assert [outcome.outcome for outcome in evaluation.outcomes] == ["Failed", "Passed", "Failed"]
    assert evaluation.good()["id"].to_pylist() == [1]
    assert evaluation.outcomes[0].examples[0].values == {"studio": 99}
