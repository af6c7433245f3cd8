"""Work that starts again where somebody else changed what it was made from."""

from collections.abc import Callable
from typing import TypeVar

from movie_platform.errors import WorldUnavailable

ATTEMPTS = 5
T = TypeVar("T")


class Overtaken(Exception):
    """What was read is no longer what is there; the work starts again from what is there now."""


def until_undisturbed(work: Callable[[], T], what: str) -> T:
    """What the work gives once nobody changes its input meanwhile.

    Raises `WorldUnavailable` where that happens several times in a row: somebody is still delivering.
    """
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            return work()
        except Overtaken as overtaken:
            reason = str(overtaken)
    raise WorldUnavailable(f"{what} changed {ATTEMPTS} times while it was processed, the last time because {reason}")
