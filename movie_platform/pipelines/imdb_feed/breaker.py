"""When a run stops beginning windows: what failed three times in a row will fail for the rest as well."""

from collections.abc import Callable
from typing import Protocol, TypeVar

AT_MOST = 3


class _Outcome(Protocol):
    @property
    def unreachable(self) -> str: ...


_T = TypeVar("_T", bound=_Outcome)


def guarded(work: Callable[[str], _T], postponed: Callable[[str, str], _T]) -> Callable[[str], _T]:
    """The same work, until `AT_MOST` windows in a row reached no store; then `postponed` says why of each other one.

    Work that other threads have begun by then comes to its end.
    """
    in_a_row, why = 0, ""

    def guarded_work(window: str) -> _T:
        nonlocal in_a_row, why
        if why:
            return postponed(window, why)
        outcome = work(window)
        in_a_row = in_a_row + 1 if outcome.unreachable else 0
        if in_a_row >= AT_MOST:
            why = f"{AT_MOST} windows in a row failed, the last one because {outcome.unreachable}"
        return outcome

    return guarded_work
