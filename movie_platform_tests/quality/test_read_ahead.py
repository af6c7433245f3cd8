"""Batches that are read in a thread come as they are, end with their error, and stop when nobody wants more."""

import threading
from collections.abc import Generator

import pytest

from movie_platform.quality.read_ahead import read_ahead


def test_items_come_in_order_and_the_next_one_is_made_meanwhile() -> None:
    asked = [threading.Event() for _ in range(4)]
    makers = set()

    def items() -> Generator[int, None, None]:
        for number, event in enumerate(asked):
            makers.add(threading.current_thread())
            event.set()
            yield number

    coming = read_ahead(items())
    assert next(coming) == 0
    assert asked[1].wait(10)
    assert list(coming) == [1, 2, 3]
    assert threading.current_thread() not in makers


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    coming = read_ahead(items())
    assert next(coming) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)


def test_whoever_stops_early_closes_the_file() -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    coming = read_ahead(items())
    next(coming)
    coming.close()

    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
