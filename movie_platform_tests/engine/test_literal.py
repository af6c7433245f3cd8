"""What Python's parser does not bear is refused, and literals are read by several threads at once: DuckDB calls the
exact reader from each of its own.
"""

import ast
import gc
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pytest

from movie_platform.engine import literal
from movie_platform.engine.literal import LiteralUnreadable, read_literal

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
