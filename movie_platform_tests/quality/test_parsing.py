"""DQDL text becomes rules, and what is wrong with a text is said with its place."""

import pytest

from movie_platform.quality import CompositeRule, RulesetError, SimpleRule, parse_ruleset


def test_every_part_of_a_rule_is_read() -> None:
    (rule,) = parse_ruleset(
        'Rules = [ ColumnValues "Colour" not in ["red", "", NULL] where "size > 3" '
        'with threshold between 0.2 and 0.9 labels = ["team"="paint", "action"="warn"] ]'
    )

    assert isinstance(rule, SimpleRule)
    assert (rule.type, rule.parameters, rule.where) == ("ColumnValues", ("Colour",), "size > 3")
    assert rule.condition is not None
    assert rule.condition.operator == "not in"
    assert rule.threshold is not None
    assert rule.labels == {"team": "paint", "action": "warn"}
    assert rule.action == "warn"


def test_labels_may_stand_before_the_threshold() -> None:
    before = parse_ruleset('Rules = [ ColumnValues "a" > 1 labels = ["x"="y"] with threshold > 0.5 ]')
    after = parse_ruleset('Rules = [ ColumnValues "a" > 1 with threshold > 0.5 labels = ["x"="y"] ]')

    assert before == after


def test_and_binds_tighter_than_or() -> None:
    (rule,) = parse_ruleset('Rules = [ IsComplete "a" or IsComplete "b" and IsComplete "c" ]')

    assert isinstance(rule, CompositeRule)
    assert rule.operator == "or"
    assert rule.claim == '(IsComplete "a") or ((IsComplete "b") and (IsComplete "c"))'


def test_digest_does_not_change_with_comments_spacing_or_names_of_constants() -> None:
    short = parse_ruleset('Rules=[RowCount>3,CustomSql "select 1" = 1]')
    long = parse_ruleset(
        """
        # what we ask of every delivery
        query = "select 1"
        Rules = [
            RowCount > 3,      // at least a few
            CustomSql $query = 1
        ]
        """
    )

    assert short.digest == long.digest
    assert short.digest != parse_ruleset('Rules=[RowCount>4,CustomSql "select 1" = 1]').digest


def test_backslashes_of_patterns_survive() -> None:
    (rule,) = parse_ruleset(r'Rules = [ ColumnValues "a" matches "\d+\"\\s" ]')

    assert rule.claim == r'ColumnValues "a" matches "\d+\"\s"'
    assert parse_ruleset(f"Rules = [ {rule.claim} ]")[0] == rule


def test_default_labels_stand_behind_a_rules_own() -> None:
    rules = parse_ruleset(
        'DefaultLabels = ["action"="block", "team"="x"] Rules = [ RowCount > 1, RowCount > 2 labels=["action"="warn"] ]'
    )

    assert [rule.action for rule in rules] == ["block", "warn"]
    assert rules[1].labels == {"action": "warn", "team": "x"}


def test_rows_are_quarantined_and_data_sets_only_warn_unless_labelled() -> None:
    rules = parse_ruleset('Rules = [ IsComplete "a", RowCount > 1 ]')

    assert [(rule.scope, rule.action, rule.severity) for rule in rules] == [
        ("row", "quarantine", "error"),
        ("dataset", "warn", "warn"),
    ]


def test_names_are_readable_unique_and_do_not_depend_on_other_rules() -> None:
    rules = parse_ruleset(
        'Rules = [ ColumnValues "imdb_rating" between 8.5 and 10.3, ColumnValues "a" in ["x","y","z","w"], '
        'ColumnValues "a" in ["x","y","z","v"], IsComplete "a", IsComplete "a" ]'
    )

    names = [rule.name for rule in rules]
    assert names[0] == "imdb_rating_column_values_between_8_5_and_10_3"
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() for name in names)
    assert parse_ruleset('Rules = [ ColumnValues "imdb_rating" between 8.5 and 10.3 ]')[0].name == names[0]


def test_analyzers_metadata_and_dynamic_operands_are_read() -> None:
    rules = parse_ruleset(
        """
        Metadata = { "version": "1.0" }
        Analyzers = [ RowCount, AllStatistics "price" ]
        Rules = [ RowCount > 0.8 * avg(last(3)) - std(last(10)), ColumnValues "d" > (now() - 3 days) ]
        """
    )

    assert [analyzer.text for analyzer in rules.analyzers] == ["RowCount", 'AllStatistics "price"']
    assert rules[0].claim == "RowCount > ((0.8 * avg(last(3))) - std(last(10)))"


def test_an_unknown_rule_type_does_not_stop_the_others() -> None:
    assert len(parse_ruleset('Rules = [ IsLucky "a" > 3, IsComplete "a" ]')) == 2


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ('Rules = [\n    IsComplete "a"\n    RowCount > 3\n]', 3, 5, "','"),
        ("Rules = [ RowCount between 3 ]", 1, 30, "and"),
        ('Rules = [ ColumnValues "a" in "x" ]', 1, 31, "'['"),
        ("Rules = [ RowCount >", 1, 21, "a number"),
        ("", 1, 1, "Rules"),
        ('rules = [ IsComplete "a" ]', 1, 1, "Rules"),
        ('# ours\n  RULES = [ IsComplete "a" ]', 2, 3, "Rules"),
        ("Rules = [ IsComplete ]", 1, 11, ""),
        ("Rules = [ RowCount > often(3) ]", 1, 22, "last()"),
        ('Rules = [ ColumnValues "a" > 1 with threshold > 90 ]', 1, 32, "a number from 0 to 1"),
        ('Rules = [ IsComplete "a" labels = ["action"="explode"] ]', 1, 36, "quarantine"),
        ('Rules = [ ColumnDataType "a" = "COLOUR" ]', 1, 11, "TIMESTAMP"),
        ("Rules = [ CustomSql $missing > 3 ]", 1, 21, ""),
        ('Rules = [ IsComplete "a ]', 1, 22, "a quoted text"),
    ],
)
def test_an_error_names_line_column_and_what_was_expected(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(RulesetError) as caught:
        parse_ruleset(text)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert expected in " ".join(caught.value.expected)
    assert f"line {line}, column {column}" in str(caught.value)
