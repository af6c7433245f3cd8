"""User behavior's partitions: a day each."""

from datetime import date

import dagster as dg


def behavior_days(start: date) -> dg.DailyPartitionsDefinition:
    """From the first day on, today included: the reviews of a day come on that day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)
