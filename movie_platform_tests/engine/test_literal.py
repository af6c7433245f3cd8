"""Literals are read by several threads at once: DuckDB calls the exact reader from each of its own."""

import ast
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from movie_platform.engine.literal import read_literal

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
