"""Ten-minute windows and their keys, `YYYYMMDDHHMM` in UTC, which sort as they follow each other in time."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from movie_platform.errors import InputRefused
from movie_platform.feed_start import WINDOW_FORMAT

LENGTH = timedelta(minutes=10)
_KEY = re.compile(r"\d{11}0", re.ASCII)


def start_of(window: str) -> datetime:
    """When the window opens; an `InputRefused` where the key is no window."""
    if _KEY.fullmatch(window):
        try:
            return datetime.strptime(window, WINDOW_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            pass  # digits that are no date: refused below, like any other key
    raise InputRefused(
        f"{window!r} is no ten-minute window: the key is YYYYMMDDHHMM in UTC, at a full ten minutes", rule="window_key"
    )


def is_window(key: str) -> bool:
    try:
        start_of(key)
    except InputRefused:
        return False
    return True


def key_of(moment: datetime) -> str:
    """The window that holds a moment."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute - moment.minute % 10).strftime(WINDOW_FORMAT)


def shift(window: str, by: timedelta) -> str:
    return key_of(start_of(window) + by)


def span(first: str, last: str) -> Iterator[str]:
    """Every window from first to last, both included."""
    moment, end = start_of(first), start_of(last)
    while moment <= end:
        yield moment.strftime(WINDOW_FORMAT)
        moment += LENGTH


def contiguous_runs(windows: Sequence[str], longest: int) -> list[list[str]]:
    """Sorted windows, cut into runs of windows that follow each other without a gap, none longer than `longest`."""
    runs: list[list[str]] = []
    expected = None
    for window in windows:
        if window == expected and len(runs[-1]) < longest:
            runs[-1].append(window)
        else:
            runs.append([window])
        expected = shift(window, LENGTH)
    return runs
