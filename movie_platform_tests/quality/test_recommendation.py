"""Proposed rules: what is proposed when, tried on their own data."""

import pandas as pd
import pytest

from movie_platform.quality import DataUnreadable, diff, evaluate, parse_ruleset, recommend


def proposed(frame: pd.DataFrame, **options: object) -> list[str]:
    return [recommended.rule.claim for recommended in recommend(frame, **options).rules]  # type: ignore[arg-type]


def test_keys_are_complete_unique_and_of_a_known_length() -> None:
    frame = pd.DataFrame({"key": [f"k{n}" for n in range(1000)]})

    assert proposed(frame) == [
        "RowCount between 500 and 2000",
        'IsComplete "key"',
        'Uniqueness "key" > 0.95',
        'ColumnLength "key" between 1 and 5',
    ]


def test_a_column_with_gaps_is_asked_for_the_lower_bound_of_its_completeness() -> None:
    frame = pd.DataFrame({"v": [1.5] * 843 + [None] * 157})

    assert 'Completeness "v" >= 0.82' in proposed(frame)
    assert 'ColumnValues "v" between 0.5 and 2.5 where "v is not null"' in proposed(frame)
    assert 'ColumnValues "v" between 0.5 and 2.5' in proposed(frame, nulls="legacy")


def test_few_values_are_listed_by_frequency_and_rare_ones_are_tolerated() -> None:
    often = ["U"] * 500 + ["A"] * 300 + ["R"] * 130 + ["PG"] * 40 + ["G"] * 29
    frame = pd.DataFrame({"c": [*often, "X"]})

    rules = proposed(frame)

    assert 'ColumnValues "c" in ["U", "A", "R"] with threshold >= 0.91' in rules
    assert not any("PG" in rule for rule in rules)
    assert 'ColumnValues "c" in ["U", "A", "R", "PG", "G"]' in proposed(pd.DataFrame({"c": often}))


def test_values_of_many_kinds_are_not_listed() -> None:
    assert not any(" in [" in rule for rule in proposed(pd.DataFrame({"c": [f"v{n % 121}" for n in range(1000)]})))


def test_numbers_are_bounded_and_integers_asked_for_their_spread() -> None:
    frame = pd.DataFrame({"votes": [5 * (7 * n % 1000) for n in range(1000)], "rating": [7.6, 9.3] * 500})

    rules = proposed(frame)

    assert 'StandardDeviation "votes" between 1371.21 and 1515.54' in rules
    assert 'ColumnValues "votes" between -1 and 4996' in rules
    assert 'ColumnValues "rating" between 6.6 and 10.3' in rules
    assert not any(rule.startswith("StandardDeviation") and "rating" in rule for rule in rules)


def test_dirt_in_a_list_is_named_and_not_made_legitimate() -> None:
    frame = pd.DataFrame({"year": ["1994", "1995"] * 499 + ["1996", "PG"]})

    recommendation = recommend(frame)

    (suspicious,) = recommendation.suspicious
    assert (suspicious.column, suspicious.value, suspicious.rows) == ("year", "PG", 1)
    assert not any('"PG"' in recommended.rule.claim for recommended in recommendation.rules)


@pytest.mark.parametrize("nulls", ["documented", "legacy"])
def test_every_proposal_holds_on_its_own_data(nulls: object) -> None:
    frame = pd.DataFrame(
        {
            "a b": [None, 1, 2, 3] * 50,
            "t": ["", "x", None, "yy"] * 50,
            "f": [0.1, -5, None, 1e300] * 50,
            "b": [True, False] * 100,
            "d": pd.to_datetime(["2026-01-01", None] * 100),
            "none": [None] * 200,
        }
    )
    recommendation = recommend(frame, nulls=nulls)  # type: ignore[arg-type]

    again = evaluate(frame, parse_ruleset(recommendation.render()), nulls=nulls)  # type: ignore[arg-type]

    assert again.score == 1.0
    assert again.bad_count == 0
    assert len(again.outcomes) == len(recommendation.rules) > 8


def test_nothing_is_proposed_from_nothing() -> None:
    with pytest.raises(DataUnreadable):
        recommend(pd.DataFrame({"a": []}))


def test_a_difference_names_the_rows_that_change_sides_and_the_rules_that_did_it() -> None:
    frame = pd.DataFrame({"v": [1, 2, 3, None]})
    old = parse_ruleset('Rules = [ ColumnValues "v" > 1 ]')
    new = parse_ruleset('Rules = [ ColumnValues "v" < 3 where "v is not null", RowCount > 1 ]')

    found = diff(old, new, frame)

    assert (found.to_bad, found.to_good) == (1, 2)
    assert [(row.row, row.now, row.rules) for row in found.rows()] == [
        (0, "good", ('ColumnValues "v" > 1',)),
        (2, "bad", ('ColumnValues "v" < 3 where "v is not null"',)),
        (3, "good", ('ColumnValues "v" > 1',)),
    ]
    assert found.table().column("v").to_pylist() == [1, 3, None]
    assert len(found.added) == 2
    assert len(found.removed) == 1


def test_a_few_rows_carry_no_lists_spreads_or_ranges_and_this_is_said() -> None:
    frame = pd.DataFrame({"id": [3, 5, 4, 2, 1, 6], "v": [7.5, 8.0, 7.5, 8.0, 7.5, 8.0], "c": ["a", "b"] * 3})

    recommendation = recommend(frame)

    assert [found.rule.claim for found in recommendation.rules] == [
        "RowCount > 0",
        'IsComplete "id"',
        'IsComplete "v"',
        'IsComplete "c"',
    ]
    assert any("Only 6 rows" in note for note in recommendation.notes)


def test_the_range_of_an_identifier_is_never_proposed() -> None:
    frame = pd.DataFrame({"film_id": [n * n for n in range(1, 201)], "number": range(200), "votes": [7, 90] * 100})

    rules = proposed(frame)

    assert not any(
        "film_id" in rule or "number" in rule for rule in rules if rule.startswith(("ColumnValues", "Stand"))
    )
    assert 'ColumnValues "votes" between 6 and 91' in rules


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([n % 100 * 31 for n in range(1000)], name="movie_id"),  # repeated
        pd.Series([None, *(n % 200 * 31 for n in range(999))], name="personId", dtype="Int64"),  # incomplete
        pd.Series([f"tt{n % 100:07}" for n in range(1000)], name="imdb_id"),  # text
        pd.Series([n * 7919 % 100_000 for n in range(1000)], name="customerid"),
        pd.Series([1_700_000_000 + n * n for n in range(1000)], name="at"),  # ascending
    ],
    ids=lambda column: column.name,
)
def test_nothing_is_proposed_of_values_that_the_next_delivery_has_others_of(column: pd.Series) -> None:
    rules = proposed(pd.DataFrame({column.name: column}))

    assert [rule for rule in rules if rule.startswith(("ColumnValues", "StandardDeviation"))] == []


def test_a_name_that_only_ends_like_an_identifiers_is_none() -> None:
    rules = proposed(pd.DataFrame({"paid": [n * 7919 % 1000 // 2 * 2 for n in range(1000)]}))

    assert 'ColumnValues "paid" between -1 and 999' in rules


def test_a_column_that_moves_on_with_each_delivery_has_no_range() -> None:
    days = [
        pd.DataFrame({"epoch": [day * 1000 + n % 300 for n in range(600)], "v": [1, 900] * 300}) for day in (1, 2, 3)
    ]

    rules = [found.rule.claim for found in recommend(days[2], earlier=days[:2]).rules]

    assert [rule for rule in rules if '"epoch"' in rule] == ['IsComplete "epoch"']
    assert 'ColumnValues "v" between 0 and 901' in rules


def test_the_fewer_rows_the_wider_the_spread_that_is_asked_for() -> None:
    few, many = ({"votes": [n * 7919 % 1000 for n in range(rows)]} for rows in (50, 1000))

    of_few, of_many = recommend(pd.DataFrame(few)), recommend(pd.DataFrame(many))

    assert "Only 50 rows: standard deviations are asked to be within 20%, not 5%" in of_few.notes
    assert of_many.notes == ()
    low, high = next(
        found.rule.condition.operands  # type: ignore[attr-defined]
        for found in of_few.rules
        if found.rule.claim.startswith("StandardDeviation")
    )
    assert float(high.text) / float(low.text) == pytest.approx(1.196 / 0.804, rel=1e-3)


def test_few_rows_of_one_delivery_are_not_made_many_by_the_others() -> None:
    days = [pd.DataFrame({"c": ["a", "b"] * (rows // 2)}) for rows in (2, 500)]

    recommendation = recommend(days[0], earlier=days[1:])

    assert [found.rule.claim for found in recommendation.rules] == ["RowCount > 0", 'IsComplete "c"']
    assert any("Only 2 rows" in note for note in recommendation.notes)


def test_blank_texts_that_count_as_values_are_named() -> None:
    frame = pd.DataFrame({"c": ["U", "", " "] * 40})

    recommendation = recommend(frame)

    assert 'IsComplete "c"' in [found.rule.claim for found in recommendation.rules]
    assert any('"c" has a blank text in 80 rows' in note for note in recommendation.notes)


def test_from_several_days_only_what_held_on_each_is_proposed() -> None:
    days = [
        pd.DataFrame({"v": [n * 7 % 100 + shift for n in range(count)], "c": ["a", kind] * (count // 2), "k": keys})
        for count, shift, kind, keys in ((200, 0, "b", "x"), (100, 50, "c", "x"), (400, -20, "b", "x"))
    ]
    days[1]["n"], days[0]["n"], days[2]["n"] = None, "n", "n"

    recommendation = recommend(days[0], earlier=days[1:])

    rules = [found.rule.claim for found in recommendation.rules]
    assert "RowCount between 50 and 800" in rules
    assert 'ColumnValues "v" between -21 and 150' in rules
    assert 'ColumnValues "c" in ["a", "b", "c"]' in rules
    assert 'IsComplete "v"' in rules
    assert 'IsComplete "n"' not in rules
    ruleset = parse_ruleset(recommendation.render())
    assert all(evaluate(day, ruleset).score == 1.0 for day in days)
    assert "of 3 deliveries" in recommendation.render()
