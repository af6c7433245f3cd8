"""SQL of rule authors reads the judged data and nothing else, and it ends."""

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
        sandbox.trusted(sql)
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
