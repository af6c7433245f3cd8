"""The quality movies' partitions: a day each."""

from datetime import date

import dagster as dg


def days(start: date) -> dg.DailyPartitionsDefinition:
    """From the first day on, today included: a day's files come on the day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)
