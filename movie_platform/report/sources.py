"""What the report is made from: the lake, the settings, the moment, and what the warehouse's ledger last held."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from movie_platform.lake import ObjectStore
from movie_platform.monitoring.ledger import Ledger
from movie_platform.settings import Settings

UNDER_WAY = 16

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Inputs:
    lake: ObjectStore
    settings: Settings
    now: datetime
    ledger: Ledger

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The work on each item in order, several at a time where the lake is far away."""
        if self.lake.local_path("report"):
            return map(work, items)
        with ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="report") as pool:
            return iter(list(pool.map(work, items)))
