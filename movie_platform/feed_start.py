"""Where the feed begins: at a window, or so many days ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

WINDOW_FORMAT = "%Y%m%d%H%M"
EARLIEST = "197001010000"
"""No window is older."""


class FeedStart(str):
    """The first window that is a partition of the UI and that the sensor asks for, `YYYYMMDDHHMM` in UTC.

    A rolling one was counted back from the moment when the settings were read, and holds for whoever has them. Windows
    before it are deliveries all the same: reported, compared with lake and warehouse, and run by `run feed`.
    """

    is_rolling: bool
    first_run: str
    """The first window that this process can run."""

    def __new__(cls, window: str, *, is_rolling: bool = False, first_run: str = "") -> "FeedStart":
        start = super().__new__(cls, window)
        start.is_rolling, start.first_run = is_rolling, first_run or window
        return start

    @property
    def first_delivery(self) -> str:
        """The first window that is a delivery of the feed."""
        return EARLIEST if self.is_rolling else str(self)

    def with_older_runs(self) -> "FeedStart":
        """For a process that serves no UI: it can run each window that is a delivery, wherever the UI's begin."""
        return FeedStart(self, is_rolling=True, first_run=EARLIEST) if self.is_rolling else self


def start_of_feed(value: Any) -> FeedStart:
    """A window, or a number of days back from now, which gives the first window of that day's month."""
    if isinstance(value, FeedStart):
        return value
    text = str(value)
    try:
        if re.fullmatch(r"\d{11}0", text, re.ASCII):
            datetime.strptime(text, WINDOW_FORMAT).replace(tzinfo=UTC)
            return FeedStart(text)
    except ValueError:
        pass  # digits that are no date get the same answer
    if re.fullmatch(r"[1-9]\d{0,3}d", text, re.ASCII):
        return rolling(timedelta(days=int(text[:-1])), datetime.now(UTC))
    raise ValueError(
        "allowed is a window, YYYYMMDDHHMM in UTC, at a full ten minutes, or a number of days, 90d (at most 9999d)"
    )


def rolling(length: timedelta, now: datetime) -> FeedStart:
    """The first window of the month that holds the moment so long ago. It moves once a month."""
    return FeedStart(f"{now.astimezone(UTC) - length:%Y%m}010000", is_rolling=True)
