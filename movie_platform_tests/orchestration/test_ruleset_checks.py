"""A ruleset file's rules are the asset's checks, and the UI obeys nothing that data or rules say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from movie_platform.orchestration.ruleset_checks import RULESET_PARSES, RulesetChecks
from movie_platform.quality import evaluate, read_ruleset_file

RULES = """
Rules = [
    IsComplete "title",
    ColumnValues "rating" between 0 and 10 labels = ["action" = "block"],
    RowCount > 10,
    ColumnLength "nowhere" > 3
]
"""
MOVIES = pd.DataFrame({"title": ["<b>Bold</b>", None, "Up"], "rating": [8.0, 11.0, 12.5]})
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-02-01")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "movies.dqdl"
    path.write_text(RULES)
    return path


def asset_of(path: Path, frame: pd.DataFrame = MOVIES) -> dg.AssetsDefinition:
    checks = RulesetChecks(dg.AssetKey("movies"), read_ruleset_file(path))

    @dg.multi_asset(specs=[dg.AssetSpec("movies", partitions_def=DAYS)], check_specs=checks.specs, partitions_def=DAYS)
    def movies() -> Iterator[Any]:
        yield dg.MaterializeResult("movies")
        if broken := checks.broken():
            yield broken
            yield dg.Output(None, f"movies_{RULESET_PARSES}")
        else:
            yield from checks.results(evaluate(frame, checks.file.rules))

    return movies


def evaluated(path: Path) -> dict[str, dg.AssetCheckEvaluation]:
    result = dg.materialize([asset_of(path)], partition_key="2026-01-05")
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def test_every_rule_is_a_check_described_in_words_with_the_rule_below(rules: Path) -> None:
    specs = {spec.name: spec for spec in asset_of(rules).check_specs}
    assert {str(spec.description).partition("\n\nDQDL: ")[2] for spec in specs.values()} == {
        'IsComplete "title"',
        'ColumnValues "rating" between 0 and 10',
        "RowCount > 10",
        'ColumnLength "nowhere" > 3',
    }
    said = str(specs["title_is_complete"].description)
    assert said.startswith('Every row must have a value in "title".')
    assert "title_is_complete" in specs
    assert not any(spec.blocking for spec in specs.values())


def test_another_text_makes_other_checks_and_changes_no_other_name(rules: Path) -> None:
    before = {spec.name for spec in asset_of(rules).check_specs}
    rules.write_text(RULES.replace("RowCount > 10", "RowCount > 2"))
    after = {spec.name for spec in asset_of(rules).check_specs}
    assert before - after == {"row_count_above_10"}
    assert after - before == {"row_count_above_2"}


def test_a_check_shows_metric_expectation_and_failing_rows(rules: Path) -> None:
    shown = evaluated(rules)["rating_column_values_between_0_and_10"]
    assert not shown.passed
    assert shown.metadata["expected"].value == 'ColumnValues "rating" between 0 and 10'
    assert shown.metadata["metric Column.rating.ColumnValues.Compliance"].value == pytest.approx(1 / 3)
    assert shown.metadata["failing rows"].value == 2
    sample = shown.metadata["sample"].records
    assert [record.data for record in sample] == [{"record": 2, "rating": "11.0"}, {"record": 3, "rating": "12.5"}]


def test_severity_comes_from_the_label(rules: Path) -> None:
    found = evaluated(rules)
    assert found["rating_column_values_between_0_and_10"].severity == dg.AssetCheckSeverity.ERROR
    assert found["row_count_above_10"].severity == dg.AssetCheckSeverity.WARN


def test_a_rule_that_cannot_be_computed_fails_and_says_why(rules: Path) -> None:
    shown = evaluated(rules)["nowhere_column_length_above_3"]
    assert not shown.passed
    assert shown.metadata["outcome"].value == "Error"
    assert 'no column "nowhere"' in str(shown.description)


def test_values_of_the_data_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "movies.dqdl"
    path.write_text('Rules = [ ColumnLength "title" < 5, ColumnValues "<i>x</i>" = 1 ]')
    described = {spec.name: str(spec.description) for spec in asset_of(path).check_specs}
    assert described["title_column_length_below_5"].endswith('DQDL: ColumnLength "title" < 5')
    assert "<i>" not in described["i_x_i_column_values_equals_1"]
    shown = evaluated(path)["title_column_length_below_5"]
    assert "<b>" not in str(shown.description)
    assert "<" not in shown.metadata["sample"].records[0].data["title"]


@pytest.mark.parametrize("text", ["Rules = [ IsComplete title > 3 ]", "", "Rules = ["])
def test_a_file_that_does_not_parse_becomes_one_failing_check(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.dqdl"
    path.write_text(text)
    assert [spec.name for spec in asset_of(path).check_specs] == [RULESET_PARSES]
    shown = evaluated(path)[RULESET_PARSES]
    assert not shown.passed
    assert "line 1, column" in str(shown.description)


def test_a_file_that_is_not_there_becomes_one_failing_check(tmp_path: Path) -> None:
    shown = evaluated(tmp_path / "gone.dqdl")[RULESET_PARSES]
    assert not shown.passed
    assert "cannot be read" in str(shown.description)
