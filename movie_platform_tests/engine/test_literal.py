"""Literals are read by several threads at once: DuckDB calls the exact reader from each of its own."""

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
    """Garbage is collected all the time, and each collection gives the other threads their turn."""

    def turn(phase: str, info: dict[str, int]) -> None:
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
