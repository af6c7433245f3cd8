"""Hostile rules and data: whatever they are, the parser refuses with a place, and an evaluation ends with all rows."""

import random
import time
from collections.abc import Callable

import pyarrow as pa
import pytest

from movie_platform.quality import Rule, Ruleset, RulesetError, evaluate, parse_ruleset
from movie_platform.quality.ruleset import quote
from movie_platform_tests.fuzzing import FUZZ_SECONDS
from movie_platform_tests.quality.conformance import every_case

RULES = [rule for _, rule, _ in every_case()]
PIECES = [
    *sorted({word for rule in RULES for word in rule.replace("(", " ( ").replace("]", " ] ").split()}),
    *(
        '"',
        "\\",
        "\x00",
        "\u202e",
        "'",
        "$x",
        "[[[[",
        "((((",
        "]",
        "0x1",
        "1e999",
        "9" * 400,
        "#",
        "//",
        "\n",
        "not",
        "é",
    ),
]
NUMBERS = [
    "0",
    "-1",
    "1e400",
    "9" * 5000,
    "0.1",
    "-0",
    "1e-400",
    "2.5",
    "99999999999 days",
    "now()",
    "last(3)",
    '"x"',
    "NULL",
]
TYPES = [
    pa.int64(),
    pa.float64(),
    pa.string(),
    pa.bool_(),
    pa.timestamp("us"),
    pa.date32(),
    pa.decimal128(38, 9),
    pa.null(),
]
CONDITIONS = [
    "= {}",
    "!= {}",
    "> {}",
    "<= {}",
    "between {} and {}",
    "not between {} and {}",
    "in [{}, {}]",
    "not in [{}]",
]
COLUMN_RULES = [
    "ColumnValues",
    "ColumnLength",
    "Mean",
    "Sum",
    "StandardDeviation",
    "Variance",
    "Entropy",
    "Completeness",
]
COLUMN_RULES += ["Uniqueness", "UniqueValueRatio", "DistinctValuesCount"]
SQL = [
    *(
        "SELECT",
        "FROM",
        "primary",
        "WHERE",
        "a",
        "b",
        "count(*)",
        "*",
        "1",
        "= 1",
        ",",
        "(",
        ")",
        "JOIN",
        "ON",
        "GROUP BY",
    ),
    *(
        "ORDER BY",
        "LIMIT",
        "UNION ALL",
        "repeat('x', 100000000)",
        "WITH r AS",
        "range(1000000000)",
        ";",
        "--",
        "'",
        '"',
    ),
    *("read_csv('/etc/passwd')", "max(a)", "over ()", "cast(a as int)", "/ 0", "IN", "NOT", "NULL", "CASE WHEN", "END"),
]


def a_text(choice: random.Random) -> None:
    if choice.random() < 0.5:
        text = f"Rules = [ {choice.choice(RULES)} ]"
        for _ in range(choice.randint(1, 4)):
            place = choice.randrange(len(text))
            text = text[:place] + choice.choice([*PIECES, ""]) + text[place + choice.randint(0, 6) :]
    else:
        text = "Rules = [ " + " ".join(choice.choices(PIECES, k=choice.randint(1, 30))) + " ]"
    refused = None
    try:
        rules = parse_ruleset(text)
    except RulesetError as failure:
        refused = failure
    if refused is None:
        assert parse_ruleset(rules.render()) == rules
    else:
        assert 1 <= refused.line <= text.count("\n") + 1
        assert refused.column >= 1


def a_value(choice: random.Random, kind: pa.DataType) -> object:
    values = [None, 0, 1, -7, 2**40, "9:30 AM", "2026-01-01", "", " ", "NaN", "9" * 40, "\x00", 1.5, float("inf"), True]
    try:
        return pa.scalar(choice.choice(values), kind).as_py()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None


def a_frame(choice: random.Random) -> pa.Table:
    rows = choice.choice([0, 1, 2, 9])
    columns = {}
    for name in ("a", "b"):
        kind = choice.choice(TYPES)
        columns[name] = pa.array([a_value(choice, kind) for _ in range(rows)], kind)
    return pa.table({"row": pa.array(range(rows), pa.int64()), **columns})


def a_rule(choice: random.Random) -> Rule:
    """A rule that is not refused because its bounds can be no number or value, which is all that may be wrong here."""
    while True:
        condition = choice.choice(CONDITIONS)
        condition = condition.format(*choice.choices(NUMBERS, k=condition.count("{}")))
        text = f'{choice.choice(COLUMN_RULES)} "{choice.choice("ab")}" {condition}'
        try:
            (rule,) = parse_ruleset(f"Rules = [ {text} ]")
        except RulesetError as refused:
            if "gives numbers, and" not in str(refused) and "no value of a column" not in str(refused):
                raise
        else:
            return rule


def an_evaluation(choice: random.Random) -> None:
    frame = a_frame(choice)
    rules = [a_rule(choice) for _ in range(choice.randint(1, 4))]

    evaluation = evaluate(frame, Ruleset(rules), nulls=choice.choice(["documented", "legacy"]))

    found = [*evaluation.good()["row"].to_pylist(), *evaluation.bad()["row"].to_pylist()]
    assert sorted(found) == list(range(frame.num_rows)), rules
    assert all(outcome.outcome != "Error" or outcome.failure_reason for outcome in evaluation.outcomes)
    assert evaluation.outcomes_json()


def a_query(choice: random.Random) -> None:
    sql = " ".join(["SELECT", *choice.choices(SQL, k=choice.randint(1, 12))])
    condition = choice.choice(["", "> 0"])
    texts = [f"CustomSql {quote(sql)} {condition}", f'IsComplete "a" where {quote(" ".join(choice.choices(SQL, k=4)))}']

    evaluation = evaluate(
        pa.table({"a": [1, 2], "b": ["x", None]}), parse_ruleset(f"Rules = [ {', '.join(texts)} ]"), sql_seconds=2.0
    )

    assert evaluation.good_count + evaluation.bad_count == 2
    assert "root:" not in evaluation.outcomes_json()


@pytest.mark.parametrize(("attempt", "times"), [(a_text, 400), (an_evaluation, 150), (a_query, 60)])
def test_no_rule_and_no_data_ends_an_evaluation(attempt: Callable[[random.Random], None], times: int) -> None:
    choice = random.Random(29)
    for _ in range(times):
        attempt(choice)


@pytest.mark.soak
@pytest.mark.parametrize("attempt", [a_text, an_evaluation, a_query])
def test_an_hour_of_hostile_rules_ends_no_evaluation(attempt: Callable[[random.Random], None]) -> None:
    end, seed = time.monotonic() + FUZZ_SECONDS, 0
    while time.monotonic() < end:
        seed += 1
        attempt(random.Random(seed))
