"""What Python's parser does not bear is refused, and literals are read by several threads at once: DuckDB calls the
exact reader from each of its own.
"""

import ast
import gc
import sys
import tracemalloc
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pytest

from movie_platform.engine import literal
from movie_platform.engine.literal import MAX_PARTS, LiteralUnreadable, read_literal, read_literals

KIND = pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())]))


@pytest.fixture
def busy_collector() -> Iterator[None]:
    """Garbage is collected all the time; each collection parses something and gives the other threads their turn."""

    def turn(phase: str, info: dict[str, int]) -> None:
        ast.parse("1")
        sum(range(200))

    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    gc.callbacks.append(turn)
    yield
    gc.callbacks.remove(turn)
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


def test_threads_read_literals_beside_each_other(busy_collector: None) -> None:
    value = [{"id": number, "name": "a name"} for number in range(300)]
    with ThreadPoolExecutor(3) as threads:
        read = list(threads.map(lambda text: read_literal(text, KIND), [repr(value)] * 60))
    assert read == [value] * 60


def test_a_process_that_does_not_collect_goes_on_not_collecting() -> None:
    gc.disable()
    try:
        read_literal("[]", KIND)
        assert not gc.isenabled()
    finally:
        gc.enable()
    read_literal("[]", KIND)
    assert gc.isenabled()


strings = st.builds(
    lambda prefix, quote, tokens: prefix + quote + "".join(tokens) + quote,
    st.sampled_from(["", "r", "u"]),
    st.sampled_from(["'", '"', "'''", '"""']),
    st.lists(st.sampled_from([*"'\"\\\n\r#[]{}(),:-+~a", "\\\r\n", "'''", '"""', "\\'", '\\"']), max_size=8),
)
comments = st.text("'\"\\#[]{}-a", max_size=6).map(lambda text: f"#{text}\n") | st.sampled_from(["", " ", "\r", "\\\n"])
items = st.builds("{}{},{}".format, comments, strings, comments)


@hypothesis.settings(max_examples=500, deadline=None)
@hypothesis.given(st.lists(items, max_size=4).map("".join))
def test_only_brackets_and_signs_outside_of_strings_and_comments_count(inside: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = ast.literal_eval(f"[{inside}]")
        except (ValueError, SyntaxError):
            hypothesis.reject()
    hypothesis.assume(isinstance(value, list) and all(isinstance(item, str) for item in value))
    with pytest.MonkeyPatch.context() as strict:
        strict.setattr(literal, "MAX_DEPTH", 1)
        strict.setattr(literal, "_MAX_SIGNS", 0)
        assert read_literal(f"[{inside}]", pa.list_(pa.string())) == value
        for nested in (f"[{inside}[]]", f"[[],{inside}]"):
            with pytest.raises(LiteralUnreadable, match="nested deeper"):
                read_literal(nested, pa.list_(pa.string()))
        with pytest.raises(LiteralUnreadable, match="chain of signs"):
            read_literal(f"[{inside}-1]", pa.list_(pa.string()))


@pytest.mark.parametrize("hidden", ["[" * 150 + "]" * 150, "-" * 1000 + "1", "~" * 1000 + "1"])
def test_a_tower_between_comments_of_quotes_is_refused(hidden: str) -> None:
    with pytest.raises(LiteralUnreadable, match=r"nested deeper|chain of signs"):
        read_literal(f"[ # '''\n{hidden}\r# '''\n]", KIND)


def list_of(parts: int) -> str:
    """A list of numbers: two brackets, and a comma between any two numbers."""
    return "[" + ",".join("1" * ((parts - 1) // 2)) + "]"


def test_a_literal_has_at_most_so_many_parts() -> None:
    numbers = pa.list_(pa.int64())
    assert read_literal(list_of(MAX_PARTS - 1), numbers) == [1] * (MAX_PARTS // 2 - 1)
    with pytest.raises(LiteralUnreadable, match="more than 200,000 parts"):
        read_literal(list_of(MAX_PARTS + 1), numbers)


def test_a_long_text_is_one_part() -> None:
    text = ",-[" * MAX_PARTS
    assert read_literal(repr([text]), pa.list_(pa.string())) == [text]


@pytest.mark.parametrize("piece", ["1,", "'',", "a.", "1if 1else ", "1<", "''", "#\n", "{", "\n,", "-", "1 ", "\\\n1,"])
def test_a_cell_of_millions_of_parts_is_refused_in_little_memory(piece: str) -> None:
    cell = "[" + piece * 1_000_000 + "]"
    tracemalloc.start()
    try:
        with pytest.raises(LiteralUnreadable):
            read_literal(cell, pa.list_(pa.int64()))
        assert tracemalloc.get_traced_memory()[1] < 2 * sys.getsizeof(cell) + 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("prefix", ["f", "F", "rf", "Rf", "fR", "'a' f", "'a'f"])
def test_what_braces_of_a_formatted_string_hold_is_not_parsed(prefix: str) -> None:
    for quote in ("'", '"', "'''"):
        with pytest.raises(LiteralUnreadable, match="a formatted string"):
            read_literal(f"[{prefix}{quote}{{{list_of(5 * MAX_PARTS)}}}{quote}]", pa.list_(pa.string()))


def test_a_number_that_ends_in_f_before_a_comment_is_no_formatted_string() -> None:
    assert read_literal("[0xf#'\n]", pa.list_(pa.int64())) == [15]


def test_many_literals_are_read_in_order_whatever_their_size() -> None:
    texts = [list_of(parts) for parts in (3, 150_001, 5) for _ in range(12)] + [None, "x", ""]
    read = read_literals(texts, pa.list_(pa.int64()))
    assert [None if value is None else len(value) for value in read.to_pylist()] == [
        *[1] * 12,
        *[75_000] * 12,
        *[2] * 12,
        *[None] * 3,
    ]
