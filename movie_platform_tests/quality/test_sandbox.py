"""SQL of rule authors reads the judged data and nothing else, and it ends."""

import resource
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from movie_platform.quality import Outcome, RuleNotComputable, evaluate, parse_ruleset
from movie_platform.quality.conditions import quote
from movie_platform.quality.sandbox import Sandbox

FRAME = pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "order no": [7, 8, 9]})


def judge(rule: str, frame: pd.DataFrame = FRAME, **options: object) -> Outcome:
    return evaluate(frame, parse_ruleset(f"Rules = [ {rule} ]"), **options).outcomes[0]  # type: ignore[arg-type]


def query(sql: str, condition: str = "", **options: object) -> Outcome:
    return judge(f"CustomSql {quote(sql)} {condition}", **options)  # type: ignore[arg-type]


def test_primary_is_this_data_set() -> None:
    assert query("SELECT count(*) FROM primary WHERE id > 1", "= 2").outcome == "Passed"
    assert query("select max(`order no`) from Primary", "between 8 and 10").outcome == "Passed"


def test_the_rows_that_a_query_returns_pass() -> None:
    outcome = query("SELECT id FROM primary p WHERE p.name IS NOT NULL", "with threshold > 0.6")

    assert (outcome.outcome, outcome.failing_rows) == ("Passed", 1)


def test_equal_rows_are_told_apart() -> None:
    frame = pd.DataFrame({"v": [1, 1, 2]})
    evaluation = evaluate(frame, parse_ruleset('Rules = [ CustomSql "select v from primary where v = 1" ]'))

    assert evaluation.rows.failing(0).tolist() == [False, False, True]


def test_references_are_tables_too() -> None:
    outcome = query(
        "SELECT count(*) FROM primary JOIN other ON primary.id = other.id", "= 2", references={"other": FRAME.head(2)}
    )

    assert outcome.outcome == "Passed"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "SELECT count(*) FROM read_text('/etc/passwd')",
        "SELECT count(*) FROM '/etc/passwd'",
        "SELECT count(*) FROM csv.`/etc/passwd`",
        "SELECT count(*) FROM glob('/etc/*')",
        "DELETE FROM primary",
        "DROP TABLE primary",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO primary SELECT * FROM primary",
        "COPY primary TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "SET lock_configuration = false",
        "PRAGMA database_list",
        "SELECT 1; DELETE FROM primary",
        "SELECT 1; SELECT 2",
        "SELECT count(*) FROM information_schema.tables",
        "SELECT count(*) FROM duckdb_settings()",
        "SELECT getenv('HOME')",
        "SELECT FROM WHERE",
        "",
    ],
)
def test_what_writes_or_reads_elsewhere_is_refused(sql: str, tmp_path: Path) -> None:
    outcome = query(sql, "> 0")

    assert outcome.outcome == "Error"
    assert "root:" not in (outcome.failure_reason or "")
    assert not Path("/tmp/stolen.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/stolen.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM some_python_variable",
    ],
)
def test_the_engine_itself_refuses_what_slipped_through(sql: str) -> None:
    some_python_variable = pa.table({"secret": [1]})
    sandbox = Sandbox()

    with pytest.raises(RuleNotComputable):
        sandbox.select(sql)
    sandbox.close()
    assert some_python_variable.num_rows == 1


def test_a_query_that_loops_is_stopped() -> None:
    started = time.monotonic()

    outcome = query(
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "> 0",
        sql_seconds=0.5,
    )

    assert outcome.outcome == "Error"
    assert "0.5 s" in (outcome.failure_reason or "")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("predicate", "outcome"),
    [
        ("id < 3", "Passed"),
        ("name is not null", "Passed"),
        ("name like 'a%' or name = 'b'", "Passed"),
        ("`order no` = 7", "Passed"),
        ("id > 0", "Failed"),
        ("id in (select 1)", "Error"),
        ("count(*) > 1", "Error"),
        ("row_number() over () = 1", "Error"),
        ("missing = 1", "Error"),
        ("1 = 1) union select (1", "Error"),
        ("1 = 1) group by (id", "Error"),
        ("id = ", "Error"),
    ],
)
def test_where_is_a_condition_on_one_row(predicate: str, outcome: str) -> None:
    assert judge(f'IsComplete "name" where {quote(predicate)}').outcome == outcome


def test_rows_outside_a_where_pass_or_are_skipped() -> None:
    rules = parse_ruleset('Rules = [ IsComplete "name" where "id > 2" ]')

    passed = evaluate(FRAME, rules).judged()
    skipped = evaluate(FRAME, rules, filtered_rows="skip").judged()

    assert [len(cell) for cell in passed["DataQualityRulesPass"].to_pylist()] == [1, 1, 0]
    assert [len(cell) for cell in skipped["DataQualityRulesSkip"].to_pylist()] == [1, 1, 0]
    assert [len(cell) for cell in skipped["DataQualityRulesPass"].to_pylist()] == [0, 0, 0]


@pytest.mark.parametrize(
    "rule",
    [
        "CustomSql \"select levenshtein(repeat('a', 200000), repeat('b', 200000)) from primary limit 1\" > 0",
        "IsComplete \"name\" where \"levenshtein(repeat('a', 200000), repeat('b', 200000)) > id\"",
    ],
)
def test_the_time_limit_holds_inside_one_function(rule: str) -> None:
    started = time.monotonic()

    outcome = judge(rule, sql_seconds=1.0)

    assert outcome.outcome == "Error"
    assert "longer than 1 s" in (outcome.failure_reason or "")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "sql", ["length(repeat('x', 2000000000))", "length(repeat('x', 900000000) || repeat('y', 900000000))"]
)
def test_the_memory_limit_holds_for_texts(sql: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    outcome = query(f"SELECT max({sql} + id) FROM primary", "> 0")

    assert outcome.outcome == "Error"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_result_that_is_no_number_never_fills_this_process() -> None:
    outcome = query("SELECT repeat('x', 50000000) FROM primary LIMIT 1", "> 0")

    assert outcome.outcome == "Error"
    assert "larger than" in (outcome.failure_reason or "")


def test_the_other_rules_are_judged_after_a_query_was_stopped() -> None:
    slow = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    rules = parse_ruleset(
        'Rules = [ CustomSql "select count(*) from primary" = 3, '
        f'CustomSql "{slow}" > 0, CustomSql "select max(id) from primary" = 3, IsComplete "name" where "id < 3" ]'
    )

    outcomes = evaluate(FRAME, rules, sql_seconds=1.0).outcomes

    assert [outcome.outcome for outcome in outcomes] == ["Passed", "Error", "Passed", "Passed"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nonexistent FROM primary",
        "SELECT id, nonexistent + 1 FROM primary WHERE id > 1",
        "SELECT id FROM primary ORDER BY nonexistent",
        "SELECT other.* FROM primary JOIN other ON primary.id = other.id",
        "SELECT o.title FROM primary p JOIN other o ON p.id = o.id",
        "WITH primary AS (SELECT * FROM other) SELECT * FROM primary",
        "SELECT * FROM other",
        "SELECT name, count(*) FROM primary GROUP BY name",
        "SELECT DISTINCT name FROM primary",
    ],
)
def test_a_query_whose_rows_are_not_rows_of_primary_is_an_error(sql: str) -> None:
    outcome = query(sql, references={"other": pd.DataFrame({"id": [1], "title": ["x"]})})

    assert outcome.outcome == "Error", sql


@pytest.mark.parametrize("sql", ["SELECT * FROM primary WHERE id > 1", "SELECT id + 1 AS x FROM primary WHERE id > 1"])
def test_whatever_is_selected_the_rows_that_come_back_pass(sql: str) -> None:
    assert query(sql).failing_rows == 1


NAMES_OF_OURS = ("__row_number", "row", "keep", "batch", "row_number", "primary", "incoming", "p", "r", "k0")


@pytest.mark.parametrize("column", NAMES_OF_OURS)
def test_no_column_of_a_delivery_changes_what_a_rule_says(column: str) -> None:
    frame = pd.DataFrame({"rating": [9.0, 1.0], column: [1, 0]})
    rules = parse_ruleset(
        f"""Rules = [
            CustomSql "select * from primary where rating > 5",
            IsComplete "rating" where "rating > 5 and `{column}` = 1",
            IsUnique "rating" "{column}",
            ReferentialIntegrity "rating" "other.rating" = 1.0
        ]"""
    )

    evaluation = evaluate(frame, rules, references={"other": frame.head(1)})

    assert evaluation.rows.failing(0).tolist() == [False, True]
    assert [outcome.outcome for outcome in evaluation.outcomes] == ["Failed", "Passed", "Passed", "Failed"]
    assert evaluation.rows.failing(3).tolist() == [False, True]


def test_columns_that_differ_in_case_only_cannot_be_queried() -> None:
    frame = pd.DataFrame({"Name": ["a"], "name": ["b"]})

    assert judge("CustomSql \"select count(*) from primary where name = 'a'\" = 1", frame).outcome == "Error"
