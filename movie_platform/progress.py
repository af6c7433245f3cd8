"""How far a long piece of work is, reported to whoever started it in the form that they read."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
_LOG_EVERY_SECONDS = 15.0


class Progress(Protocol):
    def track(self, items: Iterable[T], total: int, description: str) -> Iterator[T]:
        """The items as they come, each counted as done when the next one is asked for."""
        ...


class LogProgress:
    """Writes a line to the log now and then."""

    def track(self, items: Iterable[T], total: int, description: str) -> Iterator[T]:
        log = logging.getLogger("movie_platform.progress")
        last = time.monotonic()
        for done, item in enumerate(items):
            if time.monotonic() - last >= _LOG_EVERY_SECONDS:
                last = time.monotonic()
                log.info("%s: %d of %d", description, done, total)
            yield item
