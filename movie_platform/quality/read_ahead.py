"""Work on one batch while the next one is read."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items in the same order; the next one is made in a thread of its own, and never more than that one.

    What the generator raises is raised here, in its turn. A consumer that stops early ends the generator too.
    """
    end = object()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
            coming = thread.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = thread.submit(next, items, end)
                yield item  # type: ignore[misc]
    finally:
        items.close()
