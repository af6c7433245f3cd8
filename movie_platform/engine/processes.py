"""A Python function over many texts on all cores of this machine: one process of Python works on one core at a time."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

ALONE = 8_192
"""Texts before other processes are started: to start one takes as long as a classifier takes for so many."""
LEAST = 256
"""Texts that are worth sending to another process."""


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """Other processes beside this one, started when there are many texts. They end with it, also where it is killed.

    They import what a function needs anew, so it must be one that pickle can carry.
    """

    def __init__(self, together: int | None = None) -> None:
        # A daemonic process may not have children.
        self._together = 1 if multiprocessing.current_process().daemon else together or cores()
        self._seen = 0
        self._others: ProcessPoolExecutor | None = None

    def answers(self, function: Callable[[Sequence[str]], Sequence[int]], texts: Sequence[str]) -> list[int]:
        """What the function gives for the texts, which are divided among all of the processes."""
        self._seen += len(texts)
        parts = min(self._together, len(texts) // LEAST) if self._seen > ALONE else 1
        if parts <= 1:
            return list(function(texts))
        if self._others is None:
            # A fork of a process with threads may hang.
            context = multiprocessing.get_context("spawn")
            self._others = ProcessPoolExecutor(self._together - 1, context, _end_with_parent)
        size = -(-len(texts) // parts)
        sent = [self._others.submit(function, texts[start : start + size]) for start in range(size, len(texts), size)]
        found = list(function(texts[:size]))
        for answer in sent:
            found += answer.result()
        return found

    def close(self) -> None:
        if self._others is not None:
            self._others.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    def wait() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
