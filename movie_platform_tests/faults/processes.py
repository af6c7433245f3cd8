"""Work in processes that may be killed at any moment."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a process ended: its exit code, minus the signal where one ended it, and what its work returned."""

    code: int
    result: Any


class Processes:
    """Each piece of work has a process of its own, one at a time.

    They are forked from one that has imported the modules and used none of them: a fork of a process in which DuckDB,
    Arrow or the S3 client have started threads would hang.
    """

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._connection, theirs = Pipe()
        self._forking = get_context("spawn").Process(target=_fork_on_demand, args=(theirs, modules), daemon=True)
        self._forking.start()
        theirs.close()

    def start(self, work: Callable[..., Any], *arguments: Any) -> int:
        """The id of the process that does the work; `wait` before starting another one."""
        self._connection.send((work, arguments))
        return int(self._connection.recv())

    def wait(self) -> Ended:
        return Ended(*self._connection.recv())

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """The result of work that nobody kills."""
        self.start(work, *arguments)
        code, result = self.wait()
        assert code == 0, f"ended with {code}: {result}"
        return result

    def close(self) -> None:
        self._forking.kill()
        self._forking.join()


@contextmanager
def processes(*modules: str) -> Iterator[Processes]:
    opened = Processes(modules)
    try:
        yield opened
    finally:
        opened.close()


def _fork_on_demand(connection: Connection, modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
    while True:
        work, arguments = connection.recv()
        receiving, sending = Pipe(duplex=False)
        child = os.fork()
        if child == 0:
            _work(sending, work, arguments)
        sending.close()
        connection.send(child)
        try:
            result = receiving.recv()
        except EOFError:
            result = None
        receiving.close()
        connection.send((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), result))


def _work(sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    code = 0
    try:
        sending.send(work(*arguments))
    except BaseException:
        sending.send(traceback.format_exc())
        code = 1
    os._exit(code)
