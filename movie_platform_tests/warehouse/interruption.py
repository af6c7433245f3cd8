"""Loads that are cut off between two statements, and loads in processes of their own."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from movie_platform.warehouse import Warehouse


class CutOff(BaseException):
    """Nothing of ours catches it: as if the process ended here."""


def cut_off() -> None:
    raise CutOff


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class InterruptedConnection:
    inner: Any
    counter: Iterator[int]
    at: int
    how: Callable[[], object]

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name not in {"execute", "fetch", "insert", "begin", "commit"}:
            return value

        def interrupted(*arguments: Any) -> Any:
            if next(self.counter) == self.at:
                self.how()
            return value(*arguments)

        return interrupted


@contextmanager
def interrupting(warehouse: Warehouse, at: int, how: Callable[[], object] = cut_off) -> Iterator[Iterator[int]]:
    """Within the block, `how` happens before the warehouse's statement number `at` (from 1).

    Yields the counter, whose next number is that of the next statement.
    """
    connect = warehouse.connect
    counter = iter(range(1, 10_000))

    @contextmanager
    def interrupted(purpose: str) -> Iterator[Any]:
        with connect(purpose) as connection:
            yield InterruptedConnection(connection, counter, at, how)

    warehouse.connect = interrupted  # type: ignore[method-assign]
    try:
        yield counter
    finally:
        del warehouse.connect


@contextmanager
def one_connection(warehouse: Warehouse) -> Iterator[None]:
    """Within the block, whatever asks for a connection gets the same one: opening it is most of a question's time."""
    with warehouse.connect("several questions") as connection:
        warehouse.connect = lambda purpose: nullcontext(connection)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del warehouse.connect


def in_process(work: Callable[..., None], *arguments: Any) -> multiprocessing.Process:
    """Start `work` in a process that shares nothing with this one."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    return process  # type: ignore[return-value]


def forked(work: Callable[[], None]) -> int:
    """The exit code of `work` in a fork of this process, which must not have used DuckDB or Arrow's threads."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
