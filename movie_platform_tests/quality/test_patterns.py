"""Patterns fit whole values, in linear time, and say what they cannot do."""

import time

import pandas as pd
import pyarrow as pa
import pytest

from movie_platform.quality import RuleNotComputable, evaluate, parse_ruleset
from movie_platform.quality.patterns import Pattern


def test_a_pattern_fits_the_whole_value() -> None:
    found = Pattern("a|bc").fits(pa.array(["a", "bc", "abc", "ab", "", None]))

    assert found.to_pylist() == [True, True, False, False, False, None]


def test_a_pattern_that_would_backtrack_forever_takes_no_time() -> None:
    frame = pd.DataFrame({"v": ["a" * 50_000] * 20})
    started = time.monotonic()

    evaluation = evaluate(frame, parse_ruleset('Rules = [ ColumnValues "v" matches "(a+)+b" ]'))

    assert evaluation.outcomes[0].failing_rows == 20
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"(?=x)y", "look-ahead"),
        (r"(?<!x)y", "look-behind"),
        (r"(a)\1", "earlier group"),
        (r"a++", "possessive"),
        (r"(?>a)", "atomic"),
        (r"(", "missing"),
    ],
)
def test_an_unsupported_construct_is_named(pattern: str, names: str) -> None:
    with pytest.raises(RuleNotComputable, match=names):
        Pattern(pattern)


def test_whole_numbers_match_without_decimals() -> None:
    frame = pd.DataFrame({"v": [7.0, 123_456_789_012.0, None, 7.5]})

    evaluation = evaluate(frame, parse_ruleset('Rules = [ ColumnValues "v" matches "[0-9]+" ]'), nulls="legacy")

    assert evaluation.rows.failing(0).tolist() == [False, False, False, True]
