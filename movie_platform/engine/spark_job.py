"""The program that a Spark driver runs: one job, handed to it by Dagster Pipes, through which it reports its progress.

It is started as a process here, or by spark-submit on EMR; then its master and its environment are spark-submit's.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from movie_platform.engine.jobs import FAILURE, RESULT, failure, run_job
from movie_platform.engine.spark import SparkEngine, start_session
from movie_platform.waits import Waits

T = TypeVar("T")
_REPORT_EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
"""Less than Dagster's client waits for a driver that it asked to stop."""


class PipesProgress:
    """Progress as lines of the run's log."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def track(self, items: Iterable[T], total: int, description: str) -> Iterator[T]:
        last = time.monotonic()
        for done, item in enumerate(items):
            if time.monotonic() - last >= _REPORT_EVERY_SECONDS:
                last = time.monotonic()
                self._log.info(f"{description}: {done} of {total}")
            yield item
        self._log.info(f"{description}: {total} of {total}")


def main(arguments: list[str]) -> None:
    """Do the job that Dagster asks for. With `--s3` as an argument messages go through S3."""
    from dagster_pipes import PipesDefaultMessageWriter, PipesS3MessageWriter, open_dagster_pipes

    writer: Any = PipesDefaultMessageWriter()
    if "--s3" in arguments:
        import boto3

        writer = PipesS3MessageWriter(boto3.client("s3"), interval=2)
    signal.signal(signal.SIGTERM, _stop)
    _leave_when_asked_to_stop()
    with open_dagster_pipes(message_writer=writer) as pipes:
        asked = pipes.extras
        try:
            session = start_session(asked["name"], master=asked["master"], configuration=asked["configuration"])
            try:
                pipes.log.info(f"Spark {session.version} on {session.sparkContext.master}")
                with SparkEngine(session, work=asked["work"], waits=Waits(**asked["waits"])) as engine:
                    result = run_job(asked["job"], asked["parameters"], engine, PipesProgress(pipes.log))
            finally:
                session.stop()
        except Exception as error:
            pipes.log.error(f"{asked['job']} failed: {error}")  # noqa: TRY400 - Pipes sends the trace by itself
            pipes.report_custom_message({FAILURE: failure(error)})
            raise
        pipes.report_custom_message({RESULT: result})


def _leave_when_asked_to_stop() -> None:
    """A driver that is asked to stop while it is in a call that does not return is gone after `PATIENCE_SECONDS`.

    Python's own handlers wait for such a call to return; the descriptor is written to at once.
    """
    ours, signalled = socket.socketpair()
    signalled.setblocking(False)
    signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)

    def leave() -> None:
        while (number := ours.recv(1)[0]) not in {signal.SIGINT, signal.SIGTERM}:
            continue
        time.sleep(PATIENCE_SECONDS)
        signalled.close()
        os._exit(128 + number)

    threading.Thread(target=leave, name="leave-when-asked-to-stop", daemon=True).start()


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1:])
