"""How long something outside may keep the platform waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from movie_platform.errors import WorldUnavailable

T = TypeVar("T")

SLOW = 1.0
"""Seconds above which an operation counts as waiting and no longer as work."""


@dataclass(frozen=True)
class Waits:
    """Seconds that one service may take; each ends an operation by itself."""

    connect: float = 5.0
    """Until a connection stands."""
    answer: float = 15.0
    """Without a byte, before the answer or in the middle of it."""
    body: float = 60.0
    """For one request and the whole of its answer."""
    retry: float = 30.0
    """After an operation's first request, until which a failed request is made again."""

    @property
    def longest(self) -> float:
        """No operation takes longer: a request that fails is made again until `retry`, an operation once more."""
        return 2 * self.retry + self.body

    def within(self, seconds: float) -> "Waits":
        """The same waits, shortened until no operation takes longer than so many seconds."""
        body, retry = seconds / 2, seconds / 4
        return replace(
            self,
            connect=min(self.connect, retry),
            answer=min(self.answer, body),
            body=min(self.body, body),
            retry=min(self.retry, retry),
        )


AWS = Waits(connect=3.0, answer=10.0)
"""What Glue, SNS, EMR, Secrets Manager and the like may take where the settings say nothing else."""


def ended_within(
    seconds: float, work: Callable[[], T], says: str, *, too_late: Callable[[T], object] = lambda _: None
) -> T:
    """The result of work that may hang where no time-out of its own reaches; `WorldUnavailable` with the message after
    so many seconds.

    The work goes on in a thread that nobody waits for: the caller sees to it that it changes nothing any more. What it
    still comes to is given to `too_late`. The same where the caller is interrupted.
    """
    came: Future[T] = Future()

    def run() -> None:
        try:
            came.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is the waiting caller's to handle
            came.set_exception(error)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    try:
        return came.result(seconds)
    except TimeoutError:
        if came.done():  # then the error is the work's own
            return came.result()
        raise WorldUnavailable(says) from None
    finally:
        if not came.done():
            came.add_done_callback(lambda of: of.exception() or too_late(of.result()))


@dataclass
class Patience:
    """Seconds that several stores together may waste in slow operations, as in one tick of a sensor.

    Half of them are for operations that are slow and end well, the other half for the last one, which may not end: an
    operation that is begun with time left takes at most `last`. Work at a usual speed costs nothing of it, so that a
    scan of a hundred pages still comes to its end.
    """

    seconds: float
    _wasted: float = field(default=0.0, init=False)

    @property
    def last(self) -> float:
        return self.seconds / 2

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Count the block's time. `WorldUnavailable` instead of it where too much is wasted already."""
        if self._wasted > self.seconds - self.last:
            raise WorldUnavailable(f"{what} is not asked for: {self._wasted:.0f} s were spent waiting for the stores")
        started = time.monotonic()
        try:
            yield
        finally:
            if (taken := time.monotonic() - started) > SLOW:
                self._wasted += taken


UNBOUNDED = Patience(float("inf"))
"""For runs, which are bounded operation by operation."""


class Circuit:
    """Opens after `AT_MOST` operations in a row that were not answered; for `REST` seconds none is begun then."""

    AT_MOST = 3
    REST = 60.0

    def __init__(self) -> None:
        self._failed = 0
        self._open_until = 0.0

    def must_be_closed(self, what: str, service: str) -> None:
        if time.monotonic() < self._open_until:
            raise WorldUnavailable(
                f"{what} is not asked for: {service} left {self.AT_MOST} operations in a row unanswered. Check the "
                "address and network, or run `movie-platform doctor`."
            )

    def answered(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self.AT_MOST:
            self._open_until = time.monotonic() + self.REST
