"""The feed's partitions: a window every ten minutes."""

import dagster as dg

from movie_platform.feed_start import WINDOW_FORMAT


def ten_minute_windows(start: str) -> dg.TimeWindowPartitionsDefinition:
    """From the feed's first window on; the window of 19:30 is there at 19:30, when its files come."""
    return dg.TimeWindowPartitionsDefinition(
        start=start, fmt=WINDOW_FORMAT, cron_schedule="*/10 * * * *", timezone="UTC", end_offset=1
    )
