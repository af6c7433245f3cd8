"""What holds for all rules and all data: nothing is lost, batches do not matter, text and rules are the same thing."""

import math
import re
from collections import Counter
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_platform.quality import CompositeRule, Rule, Ruleset, SimpleRule, data, evaluate, explain, parse_ruleset
from movie_platform.quality.batches import Batch
from movie_platform.quality.conditions import Arithmetic, Call, Condition, Keyword, Number, Operand, Quantity, Text
from movie_platform.quality.keys import KeyCounts
from movie_platform.quality.pandera_schema import column_check, is_per_value
from movie_platform.quality.statistics import ExactSum, Moments

QUICK = settings(max_examples=40, deadline=None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(lambda n: Number(str(n))),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(lambda d: Number(f"{d:f}")),
)
quantities = st.builds(Quantity, st.integers(0, 99).map(lambda n: Number(str(n))), st.sampled_from(["hours", "days"]))
dynamic = st.builds(
    lambda name, k: Call(name, (Call("last", (Number(str(k)),)),)),
    st.sampled_from(["avg", "sum", "min", "max", "std", "median"]),
    st.integers(1, 9),
)
arithmetic = st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/"]), st.one_of(numbers, dynamic), numbers)
moments = st.one_of(st.just(Call("now")), st.builds(lambda q: Arithmetic("-", Call("now"), q), quantities))
operands: st.SearchStrategy[Operand] = st.one_of(
    numbers, st.builds(Text, texts), st.sampled_from([Keyword("NULL"), Keyword("EMPTY")]), dynamic, arithmetic, moments
)


def conditions(operand: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    return st.one_of(
        st.builds(
            lambda operator, value: Condition(operator, (value,)),
            st.sampled_from(["=", "!=", ">", ">=", "<", "<="]),
            operand,
        ),
        st.builds(
            lambda operator, low, high: Condition(operator, (low, high)),
            st.sampled_from(["between", "not between"]),
            operand,
            operand,
        ),
        st.builds(
            lambda operator, values: Condition(operator, tuple(values)),
            st.sampled_from(["in", "not in"]),
            st.lists(operand, min_size=1, max_size=4),
        ),
    )


some_text = texts.filter(bool)
labels = st.lists(
    st.tuples(some_text.filter(lambda key: key not in ("action", "severity")), some_text),
    max_size=2,
    unique_by=lambda label: label[0],
).map(tuple)
shares = st.integers(0, 100).map(lambda percent: Number(str(percent / 100)))
simple_rules = st.builds(
    SimpleRule,
    type=st.just("ColumnValues"),
    parameters=st.tuples(texts),
    condition=st.one_of(
        conditions(operands), st.builds(lambda text: Condition("matches", (Text(re.escape(text)),)), texts)
    ),
    where=st.one_of(st.none(), texts.filter(str.strip)),
    threshold=st.one_of(st.none(), conditions(shares)),
    own_labels=labels,
)
any_rules: st.SearchStrategy[Rule] = st.recursive(
    simple_rules,
    lambda inner: st.builds(
        CompositeRule,
        operator=st.sampled_from(["and", "or"]),
        members=st.lists(inner, min_size=2, max_size=3).map(tuple),
        own_labels=labels,
    ),
    max_leaves=4,
)


def _flattened(rule: Rule) -> Rule:
    """Labels stand at the end of a composite only at the top: inside, they belong to the members."""
    if not isinstance(rule, CompositeRule):
        return rule
    members = tuple(
        _flattened(member) if isinstance(member, SimpleRule) else _unlabelled(member) for member in rule.members
    )
    return CompositeRule(operator=rule.operator, members=members, own_labels=rule.own_labels)


def _unlabelled(rule: Rule) -> Rule:
    assert isinstance(rule, CompositeRule)
    return CompositeRule(
        operator=rule.operator,
        members=tuple(_unlabelled(m) if isinstance(m, CompositeRule) else m for m in rule.members),
    )


@QUICK
@given(st.lists(any_rules.map(_flattened), min_size=1, max_size=3))
def test_a_rule_is_its_text(rules: list[Rule]) -> None:
    ruleset = Ruleset(rules)

    again = parse_ruleset(ruleset.render())

    assert again == ruleset
    assert again.digest == ruleset.digest
    assert [rule.name for rule in again] == [rule.name for rule in ruleset]
    assert all(explain(rule) for rule in again)


cells = st.one_of(st.none(), st.integers(-3, 3))
words = st.one_of(st.none(), st.sampled_from(["", " ", "a", "b", "ab", "3"]))
frames = st.lists(st.tuples(cells, cells, words), max_size=30).map(
    lambda rows: pa.table(
        {
            "row": pa.array(range(len(rows)), pa.int64()),
            "x": pa.array([row[0] for row in rows], pa.int64()),
            "y": pa.array([row[1] for row in rows], pa.float64()),
            "w": pa.array([row[2] for row in rows], pa.string()),
        }
    )
)
some_rules = st.sampled_from(
    [
        'ColumnValues "x" > 0',
        'ColumnValues "x" not between -1 and 1',
        'ColumnValues "y" in [1, 2, NULL] with threshold > 0.5',
        'ColumnValues "w" != EMPTY',
        'ColumnValues "w" matches "a.*"',
        'ColumnValues "w" > 1',
        'ColumnLength "w" <= 1 with threshold >= 0.8',
        'ColumnDataType "w" = "INTEGER" with threshold > 0.3',
        'IsComplete "x"',
        'IsComplete "y" where "x > 0"',
        'Completeness "w" > 0.9',
        'IsUnique "x"',
        'IsUnique "x" "w"',
        'Uniqueness "w" > 0.2',
        'IsPrimaryKey "x" "y"',
        "RowCount > 5",
        'Mean "y" > 0',
        'Sum "x" > 0',
        'StandardDeviation "y" < 1.5',
        'Entropy "w" > 0.5',
        'UniqueValueRatio "x" > 0.1',
        'DistinctValuesCount "w" < 4',
        'ColumnCorrelation "x" "y" > 0',
        '(IsComplete "x") or (IsComplete "y")',
        '(ColumnValues "x" > 0) and (IsUnique "w") labels = ["action"="warn"]',
        "CustomSql \"select row from primary where x is not null or w = 'a'\"",
        'CustomSql "select count(*) from primary where y > 0" > 2',
        'IsComplete "nothing"',
    ]
)
rulesets = st.lists(some_rules, min_size=1, max_size=6).map(
    lambda rules: parse_ruleset(f"Rules = [{', '.join(rules)}]")
)


@QUICK
@given(frames, rulesets, st.sampled_from(["documented", "legacy"]), st.booleans())
def test_good_and_bad_rows_are_all_rows_each_once_and_in_order(
    frame: pa.Table, rules: Ruleset, nulls: Any, glue_rows: bool
) -> None:
    evaluation = evaluate(frame, rules, nulls=nulls, glue_rows=glue_rows)

    good, bad = evaluation.good(), evaluation.bad()
    assert sorted([*good["row"].to_pylist(), *bad["row"].to_pylist()]) == list(range(frame.num_rows))
    assert good["row"].to_pylist() == sorted(good["row"].to_pylist())
    assert bad["row"].to_pylist() == sorted(bad["row"].to_pylist())
    assert good.select(frame.column_names) == frame.filter(pa.array(~evaluation.rows.bad_mask()))
    assert all(reasons for reasons in bad["DataQualityRulesFail"].to_pylist())
    judged = evaluation.judged()
    for place in range(frame.num_rows):
        lists = [judged[name][place].as_py() for name in data_lists]
        assert sum(map(len, lists)) == len(rules)


data_lists = ("DataQualityRulesPass", "DataQualityRulesFail", "DataQualityRulesSkip")


@QUICK
@given(frames, rulesets, st.integers(1, 9), st.sampled_from(["documented", "legacy"]))
def test_batches_do_not_change_anything(frame: pa.Table, rules: Ruleset, size: int, nulls: Any) -> None:
    whole = evaluate(frame, rules, nulls=nulls)
    with mock.patch.object(data, "BATCH_ROWS", size):
        cut = evaluate(frame, rules, nulls=nulls)
        of_frame = evaluate(frame.to_pandas(types_mapper=pd.ArrowDtype), rules, nulls=nulls)

        assert cut.to_json() == of_frame.to_json() == whole.to_json()
        assert cut.metrics == whole.metrics
        assert cut.judged().to_pylist() == whole.judged().to_pylist()


def _naive(value: int | None, condition: Condition, nulls: str) -> bool:
    """One value against one condition, as the language describes it."""
    wanted = [float(operand.text) for operand in condition.operands if isinstance(operand, Number)]
    names_null = Keyword("NULL") in condition.operands
    negative = condition.operator in ("!=", "not in")
    if value is None:
        if names_null:
            return not negative
        return negative or nulls == "legacy"
    answers = {
        "=": lambda: value in wanted,
        "in": lambda: value in wanted,
        "!=": lambda: value not in wanted,
        "not in": lambda: value not in wanted,
        ">": lambda: value > wanted[0],
        ">=": lambda: value >= wanted[0],
        "<": lambda: value < wanted[0],
        "<=": lambda: value <= wanted[0],
        "between": lambda: wanted[0] < value < wanted[1],
        "not between": lambda: value <= wanted[0] or value >= wanted[1],
    }
    return answers[condition.operator]()


small_numbers = st.sampled_from([Number(text) for text in ("-3", "-1.5", "0", "1", "2.0", "2.5")])
value_conditions = st.one_of(
    conditions(small_numbers),
    st.builds(
        lambda operator, values: Condition(operator, (Keyword("NULL"), *values)),
        st.sampled_from(["in", "not in"]),
        st.lists(small_numbers, max_size=2),
    ),
)


@QUICK
@given(st.lists(cells, min_size=1, max_size=20), value_conditions, st.sampled_from(["documented", "legacy"]))
def test_values_are_judged_as_one_by_one(values: list[int | None], condition: Condition, nulls: Any) -> None:
    rule = SimpleRule(type="ColumnValues", parameters=("x",), condition=condition)
    expected = [not _naive(value, condition, nulls) for value in values]

    for kind in (pa.int64(), pa.float64(), pa.float32(), pa.int8(), pa.decimal128(38, 2)):
        table = pa.table({"x": pa.array(values, pa.int64()).cast(kind)})
        assert evaluate(table, Ruleset([rule]), nulls=nulls).rows.failing(0).tolist() == expected


trees = st.recursive(
    st.sampled_from(['ColumnValues "x" > 0', 'ColumnValues "y" > 0', 'IsComplete "w"']),
    lambda inner: st.builds(
        lambda operator, left, right: f"({left}) {operator} ({right})", st.sampled_from(["and", "or"]), inner, inner
    ),
    max_leaves=5,
)


@QUICK
@given(frames.filter(lambda frame: frame.num_rows > 0), trees)
def test_and_and_or_mean_what_they_say_for_outcomes_and_for_rows(frame: pa.Table, tree: str) -> None:
    (rule,) = parse_ruleset(f"Rules = [ {tree} ]")

    def naive(rule: Rule, row: dict[str, Any]) -> bool:
        if isinstance(rule, CompositeRule):
            answers = [naive(member, row) for member in rule.members]
            return all(answers) if rule.operator == "and" else any(answers)
        value = row[rule.columns[0]]
        return value is not None and (rule.claim.startswith("IsComplete") or value > 0)

    def outcome(rule: Rule) -> bool:
        if isinstance(rule, CompositeRule):
            answers = [outcome(member) for member in rule.members]
            return all(answers) if rule.operator == "and" else any(answers)
        return all(naive(rule, row) for row in frame.to_pylist())

    by_row = evaluate(frame, Ruleset([rule]), composite="row")
    by_dataset = evaluate(frame, Ruleset([rule]))

    expected = [not naive(rule, row) for row in frame.to_pylist()]
    assert by_row.rows.failing(0).tolist() == by_dataset.rows.failing(0).tolist() == expected
    assert by_row.outcomes[0].passed == (not any(expected))
    assert by_dataset.outcomes[0].passed == outcome(rule)


floats = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e100, max_value=1e100)


@QUICK
@given(st.lists(st.lists(floats, max_size=8), min_size=1, max_size=4))
def test_sums_are_exact_however_they_are_cut(parts: list[list[float]]) -> None:
    cut = ExactSum()
    for part in parts:
        cut.add(np.array(part, dtype=np.float64))

    assert cut.exact == sum((Fraction(value) for part in parts for value in part), Fraction(0))


@QUICK
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=30))
def test_integers_are_summed_beyond_64_bits(values: list[int]) -> None:
    found = Moments()
    found.add(pa.array(values, pa.int64()))

    assert found.sum == float(sum(values))


@QUICK
@given(
    st.one_of(
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
        st.lists(st.integers(-(2**31), 2**31), min_size=1, max_size=40),
    )
)
def test_mean_and_deviation_are_those_of_the_definition(values: list[float]) -> None:
    found = Moments()
    found.add(pa.array(values))
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in exact) / len(exact))

    assert found.mean == float(mean)
    assert found.standard_deviation == pytest.approx(deviation, rel=1e-12, abs=1e-150)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(cells, words), max_size=40),
    st.integers(1, 7),
    st.sampled_from([{}, {"held_bytes": 0}, {"held_bytes": 0, "memory_bytes": 0}]),
    st.sampled_from([["a"], ["b"], ["a", "b"]]),
)
def test_keys_are_counted_alike_however_many_there_are(
    rows: list[tuple[int | None, str | None]], size: int, limits: dict[str, int], columns: list[str]
) -> None:
    table = pa.table(
        {"a": pa.array([r[0] for r in rows], pa.int64()), "b": pa.array([r[1] for r in rows], pa.string())}
    )
    outside = np.array([a == 3 for a, _ in rows], dtype=bool)
    counter = KeyCounts(columns, lambda: iter(table.to_batches()), **limits)
    start = 0
    for batch in table.to_batches(max_chunksize=size):
        counter.add(Batch(batch), ~outside[start : start + batch.num_rows])
        start += batch.num_rows
    found = counter.finish()

    keys = [
        tuple(row[name] for name in columns) if not out else (None,)
        for row, out in zip(table.to_pylist(), outside, strict=True)
    ]
    real = [key for key in keys if any(part is not None for part in key)]
    assert found.repeated.tolist() == [key in real and real.count(key) > 1 for key in keys]
    assert found.unique == sum(real.count(key) == 1 for key in real)
    assert found.distinct == len(set(real))
    assert found.keyed_rows == len(real)
    assert found.counts == Counter(Counter(real).values())


@QUICK
@given(frames, rulesets, st.sampled_from(["documented", "legacy"]))
def test_a_text_column_is_judged_alike_where_the_data_hold_each_text_once(
    frame: pa.Table, rules: Ruleset, nulls: Any
) -> None:
    # Of the dictionary's texts one is in no row, and it is no number.
    texts = pa.chunked_array([[*frame["w"].to_pylist(), "unused"]], pa.string()).dictionary_encode()
    encoded = frame.set_column(3, "w", texts.slice(0, frame.num_rows))

    plain, found = evaluate(frame, rules, nulls=nulls), evaluate(encoded, rules, nulls=nulls)

    assert found.to_json() == plain.to_json()
    assert found.metrics == plain.metrics
    assert found.judged().to_pylist() == plain.judged().to_pylist()


@QUICK
@given(frames, rulesets, st.sampled_from(["documented", "legacy"]))
def test_a_rules_pandera_check_marks_the_rows_that_an_evaluation_marks(
    frame: pa.Table, rules: Ruleset, nulls: Any
) -> None:
    evaluation = evaluate(frame, rules, nulls=nulls)
    of_pandas = frame.to_pandas(types_mapper=pd.ArrowDtype)

    for place, rule in enumerate(rules):
        if isinstance(rule, SimpleRule) and is_per_value(rule) and rule.columns[0] in of_pandas and len(of_pandas):
            if evaluation.outcomes[place].outcome == "Error":
                continue
            output = column_check(rule, nulls)(of_pandas[rule.columns[0]]).check_output
            assert (~output).tolist() == evaluation.rows.failing(place).tolist()
