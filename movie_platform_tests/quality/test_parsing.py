"""DQDL text becomes rules, and what is wrong with a text is said with its place."""

import pytest

from movie_platform.quality import CompositeRule, RulesetError, SimpleRule, parse_ruleset
from movie_platform.quality.rule_names import LONGEST


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


def test_a_long_name_is_shortened_by_whole_words() -> None:
    scores = ", ".join(f'"{number}"' for number in range(36))
    where = 'where "Meta_score is not null"'
    rules = parse_ruleset(
        f"""Rules = [ ColumnValues "Meta_score" in [{scores}] {where} with threshold >= 0.89,
        ColumnLength "Meta_score" between 1 and 3 where "Meta_score is not null and Certificate in (1, 2) or true",
        ColumnLength "Meta_score" between 1 and 3 where "Meta_score is not null and Certificate in (1, 2) or false",
        IsComplete "{"m" * 100}" ]"""
    )
    names = [rule.name for rule in rules]
    assert names[0] == "meta_score_in_36_values_share_at_least_0_89_where_meta_score_is_not_null"
    for name in names[1:3]:
        words, _, digest = name.rpartition("_")
        assert words == "meta_score_column_length_between_1_and_3_where_meta_score_is_not_null_and"
        assert len(digest) == 6
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= LONGEST


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


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ('IsCompleet "a"', ("IsComplete",)),
        ('columnvalues "a" > 1', ("ColumnValues",)),
        ('Uniquness "a" > 0.9', ("Uniqueness",)),
        ('Frobnicate "a" > 0.9', ()),
    ],
)
def test_a_misspelled_rule_type_is_refused_with_the_nearest_name(rule: str, names: tuple[str, ...]) -> None:
    with pytest.raises(RulesetError, match="is not a rule type") as caught:
        parse_ruleset(f"Rules = [ RowCount > 1, {rule} ]")

    assert caught.value.column == 25
    assert caught.value.expected[:1] == names


@pytest.mark.parametrize(
    ("rule", "says"), [('AllStatistics "a"', "Analyzers"), ('JobStatus = "SUCCEEDED"', "AWS Glue")]
)
def test_what_only_measures_or_is_about_glues_jobs_is_refused_among_rules(rule: str, says: str) -> None:
    with pytest.raises(RulesetError, match=says):
        parse_ruleset(f"Rules = [ {rule} ]")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("Completeness of col_1 > 0.9", 'Completeness "col_1" > 0.9'),
        ('IsPrimaryKey colA "col B"', 'IsPrimaryKey "colA" "col B"'),
        ('ColumnCorrelation of "a" and "b" > 0.5', 'ColumnCorrelation "a" "b" > 0.5'),
        ("IsUnique of a and b and c", 'IsUnique "a" "b" "c"'),
        ("ColumnValues day between 1 and 3", 'ColumnValues "day" between 1 and 3'),
        ('ColumnValues x between "a" and "c"', 'ColumnValues "x" between "a" and "c"'),
        ("RowCount > average(last(3))", "RowCount > average(last(3))"),
        ("RowCount > multiply(2, last(1))", "RowCount > multiply(2, last(1))"),
    ],
)
def test_connecting_words_and_names_without_quotes_are_read(short: str, long: str) -> None:
    assert parse_ruleset(f"Rules = [ {short} ]")[0].claim == long


def test_and_between_rules_is_no_and_between_parameters() -> None:
    (rule,) = parse_ruleset('Rules = [ IsUnique a and b and IsComplete a and (IsComplete "b") ]')

    assert rule.claim == '(IsUnique "a" "b") and (IsComplete "a") and (IsComplete "b")'


def test_other_data_sources_are_named_in_either_spelling() -> None:
    named = '{ "Primary": "films", "AdditionalDataSources": [ "books" ] } Rules = [ RowCountMatch "books" = 1.0 ]'
    assert parse_ruleset(f"DataSources = {named}") == parse_ruleset(f"Sources = {named}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1 a = 2 Rules = [ RowCount > 1 ]", "defined twice"),
        ('a = "x" b = "from $a" Rules = [ CustomSql $b ]', "is not replaced"),
        ('Metadata = { "author": "x" } Rules = [ RowCount > 1 ]', "Metadata has no key 'author'"),
        ('DataSources = { "books": "x" } Rules = [ RowCount > 1 ]', "Sources has no key 'books'"),
        ('Rules = [ ColumnValues "a" > (now() - 1) ]', "lacks a unit"),
        ('Rules = [ FileMatch "s3://b/" in ["x"] with threshold > 0.5 ]', "takes no threshold"),
        ('Rules = [ RowCount > 1 labels = ["k"="a", "k"="b"] ]', "stands twice"),
        ('Rules = [ RowCount > 1 labels = ["k"=""] ]', "a key and a value"),
        (f'Rules = [ RowCount > 1 labels = ["k"="{"x" * 257}"] ]', "256"),
        (f'Rules = [ RowCount > 1 labels = ["{"x" * 129}"="v"] ]', "128"),
        ("Rules = [ RowCount > 1 labels = [" + ", ".join(f'"k{n}"="v"' for n in range(11)) + "] ]", "at most 10"),
        (
            "DefaultLabels = ["
            + ", ".join(f'"d{n}"="v"' for n in range(8))
            + "] Rules = [ RowCount > 1 labels = ["
            + ", ".join(f'"k{n}"="v"' for n in range(3))
            + "] ]",
            "11 labels, the default ones included",
        ),
        ('Rules = [ IsComplete "a" where "" ]', "where is empty"),
        ('Rules = [ DataFreshness "a" > 3 ]', "not an age"),
        ('Rules = [ DataFreshness "a" > 3 MB ]', "not an age"),
        ("Rules = [ RowCount ]", "needs a condition"),
        ('Rules = [ Mean "a" ]', "needs a condition"),
        ("Rules = [ IsComplete 'a' ]", "straight double quotes"),
        ("Rules = [ IsComplete \u201ca\u201d ]", "straight double quotes"),
        ("Rules = [ IsComplete order-id ]", "stands in quotes"),
        ('Rules = [ ColumnValues "a" like "x%" ]', "matches"),
        ('Rules = [ not (IsComplete "a") ]', "negated"),
        ('IsComplete "a"', "Rules = "),
        ('Rules = [ ColumnValues "a" > 1 with bogus = "x" ]', "no option bogus"),
        ('Rules = [ RowCount > 1 with ignoreCase = "true" ]', "no option ignoreCase"),
        ('Rules = [ ColumnValues "a" in ["x"] with ignoreCase = "maybe" ]', '"true" or "false"'),
        ('Rules = [ ColumnValues "a" > 1 with ignoreCase = "true" ]', "goes with"),
        ('Rules = [ ColumnDataType "a" = "DATE" with format = "yy" ]', "not a format"),
        ('Rules = [ ColumnDataType "a" = "LONG" with format = "dd-MM-yyyy" ]', "goes with"),
        ('Rules = [ ColumnDataType "a" = "DATE" with format = "dd-MM" with format = "MM-dd" ]', "stands twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(RulesetError, match=says) as caught:
        parse_ruleset(text)

    assert len(caught.value.expected) <= 14


def test_at_most_five_things_that_could_stand_there_are_named() -> None:
    with pytest.raises(RulesetError) as caught:
        parse_ruleset('Rules = [ ColumnValues "a" ? ]')

    assert len(caught.value.expected) <= 5


@pytest.mark.parametrize("pattern", ["(?=x)y", "(", "[a-z&&[^b]]", r"\\p{Alpha}+"])
def test_a_pattern_that_cannot_be_used_is_refused_at_its_own_place(pattern: str) -> None:
    with pytest.raises(RulesetError) as caught:
        parse_ruleset(f'Rules = [ RowCount > 1,\n  ColumnValues "a" not matches "{pattern}" ]')

    assert (caught.value.line, caught.value.column) == (2, 32)


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
        ('Rules = [ ColumnValues "a" > 1 with threshold > 90 ]', 1, 11, "a number from 0 to 1"),
        ('Rules = [ IsComplete "a" labels = ["action"="explode"] ]', 1, 36, "quarantine"),
        ('Rules = [ ColumnDataType "a" = "COLOUR" ]', 1, 11, "TIMESTAMP"),
        ('Rules = [ ColumnNamesMatchPattern "(" ]', 1, 35, ""),
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


def test_and_before_a_misspelled_rule_type_joins_rules() -> None:
    with pytest.raises(RulesetError, match="IsCompleet is not a rule type"):
        parse_ruleset('Rules = [ IsUnique "a" and IsCompleet "b" ]')


def test_a_text_of_many_names_is_read() -> None:
    names = " and ".join(f"Column{n}" for n in range(64))

    (rule,) = parse_ruleset(f"Rules = [ IsUnique {names} ]")

    assert len(rule.columns) == 64


@pytest.mark.parametrize("analyzer", ['IsComplete "a"', 'IsPrimaryKey "a" "b"', 'DetectAnomalies "RowCount"'])
def test_what_answers_yes_or_no_is_no_analyzer(analyzer: str) -> None:
    with pytest.raises(RulesetError, match="measures nothing; it belongs into Rules"):
        parse_ruleset(f"Rules = [ RowCount > 1 ] Analyzers = [ {analyzer} ]")
