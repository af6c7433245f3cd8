"""The data set's partitions: a day for each delivery."""

from datetime import date

import dagster as dg


def delivery_days(start: date) -> dg.DailyPartitionsDefinition:
    """From the first day on, today included: what is delivered today is run today."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)
