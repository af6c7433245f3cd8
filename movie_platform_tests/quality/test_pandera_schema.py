"""A ruleset is a Pandera schema, and a Pandera model is a ruleset."""

import pandas as pd
import pandera.pandas as pandera
import pytest

from movie_platform.quality import evaluate, parse_ruleset
from movie_platform.quality.pandera_models import ruleset_of
from movie_platform.quality.pandera_schema import column_check, schema_of
from movie_platform.quality.ruleset import SimpleRule

FRAME = pd.DataFrame({"Rating": [9.0, 8.0, None], "name": ["a", "", "c"]}, index=[5, 5, 7])
RULES = parse_ruleset(
    """Rules = [
        ColumnValues "rating" > 8.5, ColumnLength "name" > 0, IsComplete "rating" where "name = 'a'",
        Mean "rating" > 5, IsUnique "name", (IsComplete "rating") or (IsComplete "name")
    ]"""
)


def test_a_schema_finds_what_an_evaluation_finds() -> None:
    schema = schema_of(RULES, FRAME.columns)

    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        schema.validate(FRAME, lazy=True)

    cases = caught.value.failure_cases
    evaluation = evaluate(FRAME, RULES)
    failed = {outcome.rule.claim for outcome in evaluation.outcomes if not outcome.passed}
    assert set(cases["check"]) == failed
    assert (cases["check"] == 'ColumnValues "rating" > 8.5').sum() == evaluation.outcomes[0].failing_rows == 2


def test_a_schema_passes_what_an_evaluation_passes() -> None:
    good = FRAME.head(1)

    assert schema_of(RULES, good.columns).validate(good, lazy=True).equals(good)


def test_a_check_can_be_used_on_its_own_and_gives_nulls_to_the_rule() -> None:
    rule = RULES[0]
    assert isinstance(rule, SimpleRule)

    output = column_check(rule)(FRAME["Rating"]).check_output

    assert output.tolist() == [True, False, False]
    assert output.index.tolist() == [5, 5, 7]


class Movie(pandera.DataFrameModel):
    rating: float = pandera.Field(in_range={"min_value": 1, "max_value": 10})
    name: str = pandera.Field(str_length={"min_value": 1}, nullable=True)
    votes: int = pandera.Field(unique=True, ge=0)

    @pandera.check("rating", name="not_suspiciously_round")
    def not_round(self, rating: pd.Series) -> pd.Series:
        return rating % 1 != 0

    @pandera.dataframe_check
    def enough(self, frame: pd.DataFrame) -> bool:
        return len(frame) >= 2


def test_each_check_of_a_model_is_a_rule() -> None:
    frame = pd.DataFrame({"rating": [9.1, 11.5, 7.0], "name": ["a", None, ""], "votes": [1, 2, 2]})

    evaluation = evaluate(frame, Movie)

    outcomes = {outcome.rule.claim: outcome for outcome in evaluation.outcomes}
    broken = {claim: outcome.failing_rows for claim, outcome in outcomes.items() if not outcome.passed}
    assert broken == {
        'Pandera "rating" in_range(min_value=1, max_value=10)': 1,
        'Pandera "rating" not_suspiciously_round': 1,
        'Pandera "name" str_length(min_value=1)': 1,
        'IsUnique "votes"': 2,
    }
    assert all(outcome.outcome != "Error" for outcome in evaluation.outcomes)
    assert evaluation.good().num_rows == 1
    assert len({rule.name for rule in evaluation.ruleset}) == len(evaluation.ruleset)


def test_a_check_that_breaks_is_an_error_and_not_a_row_that_fails() -> None:
    def broken(series: pd.Series) -> pd.Series:
        raise ZeroDivisionError("by <script>")

    schema = pandera.DataFrameSchema({"v": pandera.Column(checks=[pandera.Check(broken, name="broken")])})
    evaluation = evaluate(pd.DataFrame({"v": [1, 2]}), ruleset_of(schema))

    (outcome,) = [outcome for outcome in evaluation.outcomes if outcome.outcome == "Error"]
    assert "ZeroDivisionError" in (outcome.failure_reason or "")
    assert evaluation.good_count == 2


def test_a_missing_column_of_a_model_is_said() -> None:
    evaluation = evaluate(pd.DataFrame({"rating": [1.5, 2.5], "votes": [1, 2]}), Movie)

    outcomes = {outcome.rule.claim: outcome.outcome for outcome in evaluation.outcomes}
    assert outcomes['ColumnExists "name"'] == "Failed"
    assert outcomes['Pandera "name" str_length(min_value=1)'] == "Error"
