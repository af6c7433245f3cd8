"""The commands: what they print, write and exit with."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from movie_platform.commands.quality import quality
from movie_platform.quality.conditions import quote
from movie_platform.samples.quality_movies import MovieCritic

CSV = "Id,Name,Score\n1,ann,3\n2,,4\n3,cy,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "good.dqdl").write_text('Rules = [ IsComplete "name", RowCount = 3 ]')
    (tmp_path / "bad.dqdl").write_text('Rules = [ IsComplete "score", RowCount = 3 ]')
    (tmp_path / "error.dqdl").write_text('Rules = [ IsComplete "nothing" ]')
    (tmp_path / "broken.dqdl").write_text("Rules = [ IsComplete")
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(quality, [argument.replace("@", f"{folder}/") for argument in arguments])


@pytest.mark.parametrize(
    ("rules", "code"), [("good.dqdl", 0), ("bad.dqdl", 1), ("error.dqdl", 1), ("broken.dqdl", 2), ("absent.dqdl", 2)]
)
def test_check_exits_with_what_came_out(folder: Path, rules: str, code: int) -> None:
    assert run(folder, "check", "@data.csv", "--rules", f"@{rules}").exit_code == code


@pytest.mark.parametrize("content", [b"", b"a,b\n1\n", b"\xff\xfe\x00"])
def test_check_exits_with_2_when_the_file_cannot_be_read(folder: Path, content: bytes) -> None:
    (folder / "data.csv").write_bytes(content)

    assert run(folder, "check", "@data.csv", "--rules", "@good.dqdl").exit_code == 2


def test_an_unreadable_ruleset_is_told_with_its_place(folder: Path) -> None:
    result = run(folder, "check", "@data.csv", "--rules", "@broken.dqdl")

    assert "broken.dqdl: line 1, column 21" in result.stderr
    assert "Traceback" not in result.output


def test_check_prints_a_table_and_the_score(folder: Path) -> None:
    result = run(folder, "check", "@data.csv", "--rules", "@bad.dqdl")

    assert 'IsComplete "score"' in result.stdout
    assert "1 of 3 rows does not meet the rule, for example row 3: null" in result.stdout
    assert "Score 50 %: 1 of 2 rules passed. 3 rows: 2 good, 1 bad." in result.stdout


def test_check_prints_json_that_programs_read(folder: Path) -> None:
    outcomes = json.loads(run(folder, "check", "@data.csv", "--rules", "@bad.dqdl", "--json").stdout)

    assert [(o["Rule"], o["Outcome"]) for o in outcomes] == [
        ('IsComplete "score"', "Failed"),
        ("RowCount = 3", "Passed"),
    ]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_check_names_a_column_that_is_left_out_since_results_are_called_so(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    (folder / "data.csv").write_text("name,DataQualityRulesPass\nann,yes\nbo,no\ncy,no\n")
    result = run(folder, "check", "@data.csv", "--rules", "@good.dqdl", *arguments)
    assert result.exit_code == 0
    shown = result.stderr if arguments else result.stdout
    assert "column 'DataQualityRulesPass' of the data is not judged, and left out" in shown


def test_check_writes_outcomes_good_and_bad_rows(folder: Path) -> None:
    run(folder, "check", "@data.csv", "--rules", "@bad.dqdl", "--out", "@out")

    outcomes = json.loads((folder / "out" / "rule_outcomes.json").read_text())
    good, bad = (pq.read_table(folder / "out" / f"{name}.parquet") for name in ("good", "bad"))
    assert list(outcomes[0]) == ["Rule", "Outcome", "FailureReason", "EvaluatedMetrics", "EvaluatedRule", "Labels"]
    assert good.to_pydict() == {"Id": [1, 2], "Name": ["ann", ""], "Score": [3, 4]}
    assert bad.column_names == [
        "Id",
        "Name",
        "Score",
        "DataQualityRulesPass",
        "DataQualityRulesFail",
        "DataQualityRulesSkip",
        "DataQualityEvaluationResult",
    ]
    assert bad["DataQualityRulesFail"].to_pylist() == [['IsComplete "score"']]


def test_the_legacy_profile_lets_nulls_pass(folder: Path) -> None:
    (folder / "rules.dqdl").write_text('Rules = [ ColumnValues "score" > 1 ]')

    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl").exit_code == 1
    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl", "--nulls", "legacy").exit_code == 0


def test_words_that_mean_null_are_named(folder: Path) -> None:
    (folder / "data.csv").write_text("score\n1\nNA\n3\n")
    (folder / "rules.dqdl").write_text('Rules = [ Mean "score" = 2, Completeness "score" < 1 ]')

    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl").exit_code == 1
    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl", "--na", "NA,N/A").exit_code == 0
    assert 'IsComplete "score"' not in run(folder, "recommend", "@data.csv", "--na", "NA").stdout


def test_composite_rules_can_be_judged_row_by_row(folder: Path) -> None:
    (folder / "rules.dqdl").write_text('Rules = [ (ColumnLength "name" > 2) or (ColumnValues "score" > 3) ]')
    arguments = ("check", "@data.csv", "--rules", "@rules.dqdl", "--nulls", "legacy")

    assert run(folder, *arguments).exit_code == 1
    assert run(folder, *arguments, "--composite", "row").exit_code == 0


def test_references_are_given_by_name(folder: Path) -> None:
    (folder / "rules.dqdl").write_text('Rules = [ ReferentialIntegrity "id" "known.{id}" = 1.0 ]')
    (folder / "known.csv").write_text("id\n1\n2\n3\n")

    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl").exit_code == 1
    assert run(folder, "check", "@data.csv", "--rules", "@rules.dqdl", "--reference", "known=@known.csv").exit_code == 0


def test_a_history_file_makes_dynamic_rules_work(folder: Path) -> None:
    (folder / "rules.dqdl").write_text("Rules = [ RowCount >= avg(last(2)) ]")
    arguments = ("check", "@data.csv", "--rules", "@rules.dqdl", "--history", "@history.parquet")

    assert [run(folder, *arguments).exit_code for _ in range(2)] == [0, 0]
    (folder / "data.csv").write_text("id\n1\n")
    assert run(folder, *arguments).exit_code == 1


def test_recommend_writes_rules_that_hold_and_names_dirt(folder: Path) -> None:
    (folder / "movies.csv").write_bytes(MovieCritic().delivery())

    result = run(folder, "recommend", "@movies.csv", "--out", "@rules.dqdl")
    checked = run(folder, "check", "@movies.csv", "--rules", "@rules.dqdl", "--json")

    assert result.exit_code == 0
    assert "'PG' in 1 row" in result.stderr
    assert run(folder, "recommend", "@movies.csv").stdout == (folder / "rules.dqdl").read_text()
    assert [o["Rule"][:30] for o in json.loads(checked.stdout) if o["Outcome"] != "Passed"] == [
        'ColumnValues "Released_Year" i'
    ]


def test_recommend_takes_earlier_deliveries(folder: Path) -> None:
    (folder / "other.csv").write_text("Id,Name,Score\n7,,\n")

    alone = run(folder, "recommend", "@data.csv").stdout
    both = run(folder, "recommend", "@data.csv", "--earlier", "@other.csv").stdout

    assert 'Completeness "Score" >= 0.13' in alone
    assert 'Completeness "Score" >= 0.01' in both


def test_explain_says_each_rule_in_plain_words(folder: Path) -> None:
    result = run(folder, "explain", "@good.dqdl")

    assert result.exit_code == 0
    assert 'Every row must have a value in "name".' in " ".join(result.stdout.replace("│", " ").split())


def test_diff_shows_which_rows_change_sides(folder: Path) -> None:
    result = run(folder, "diff", "@good.dqdl", "@bad.dqdl", "@data.csv")

    assert result.exit_code == 1
    assert "1 rows become bad, 0 become good" in result.stdout
    assert run(folder, "diff", "@good.dqdl", "@good.dqdl", "@data.csv").exit_code == 0
    assert run(folder, "diff", "@good.dqdl", "@broken.dqdl", "@data.csv").exit_code == 2


EVIL = "\x1b[2J\x1b]0;owned\x07<img src=x onerror=alert(1)>\u202e=cmd|'/c calc'!A1"


def test_values_that_a_terminal_or_browser_would_obey_are_spelled_out_everywhere(folder: Path) -> None:
    quoted_value = EVIL.replace('"', '""')
    (folder / "data.csv").write_text(f'id,name\n1,"{quoted_value}"\n2,"=1+1"\n')
    (folder / "rules.dqdl").write_text(f'Rules = [ ColumnValues "name" in ["x"], IsComplete {quote(EVIL)} ]')

    outputs = [
        run(folder, "check", "@data.csv", "--rules", "@rules.dqdl", "--out", "@out"),
        run(folder, "check", "@data.csv", "--rules", "@rules.dqdl", "--json"),
        run(folder, "explain", "@rules.dqdl"),
        run(folder, "diff", "@rules.dqdl", "@good.dqdl", "@data.csv"),
        run(folder, "recommend", "@data.csv"),
    ]

    for result in outputs:
        assert "Traceback" not in result.output
        assert not any(character in result.output for character in "\x1b\x07\u202e")
    text = (folder / "out" / "rule_outcomes.json").read_text()
    assert not any(character in text for character in "\x1b\x07\u202e<")
    reason = json.loads((folder / "out" / "rule_outcomes.json").read_text())[0]["FailureReason"]
    assert "<img" not in reason
    assert "'=1+1'" in reason
    bad = pq.read_table(folder / "out" / "bad.parquet")
    assert bad["name"].to_pylist()[0] == EVIL
