"""One process at a time, in turn: a lock of the operating system, which a killed holder leaves free."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from movie_platform.disks import NEXT, problem_of
from movie_platform.errors import WorldUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1


@dataclass(frozen=True)
class Deadline:
    """Until when something is waited for."""

    at: float
    wait: timedelta

    @classmethod
    def after(cls, wait: timedelta) -> "Deadline":
        return cls(time.monotonic() + wait.total_seconds(), wait)

    def pauses(self) -> Iterator[None]:
        """Sleeps between attempts, longer each time, until the deadline has passed."""
        pause = FIRST_PAUSE
        while (left := self.at - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)
            yield


@contextmanager
def held(path: Path, purpose: str, deadline: Deadline) -> Iterator[None]:
    """Hold the lock file at `path`; `WorldUnavailable` names who held it until the deadline.

    The lock is the kernel's, on an open file: it ends with its process, however that ends. What the file says is for
    people only. The file stays, since removing it would let two processes lock two files of the same name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        problem = problem_of(error) or f"{error.strerror}; check MOVIE_PLATFORM_WAREHOUSE and permissions"
        raise WorldUnavailable(f"{purpose}: {path} could not be opened for writing: {problem}. {NEXT}") from error
    try:
        _acquire(descriptor, path, purpose, deadline)
        holder = {"pid": os.getpid(), "what": purpose, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        with suppress(OSError):  # a full disk can still be read from
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, purpose: str, deadline: Deadline) -> None:
    attempts = deadline.pauses()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if next(attempts, StopIteration) is StopIteration:
                raise WorldUnavailable(
                    f"{path.stem} is busy: {_holder(path)} still holds it after {deadline.wait.total_seconds():g} s of "
                    f"waiting for {purpose}. Try again, or raise MOVIE_PLATFORM_WAREHOUSE_WAIT."
                ) from None
        else:
            return


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text("utf-8"))
    except ValueError:  # the holder has just taken it and not yet said who it is
        return "another process"
    return f"process {holder['pid']} ({holder['what']}, since {holder['since']})"
