"""The sensor on `movie_review/`: reviews that arrive, or are replaced, are run with the purchases of their day."""

import dagster as dg

from movie_platform.orchestration.arrivals import daily_sensor
from movie_platform.pipelines.user_behavior.assets import ASSETS, METRIC, arrival
from movie_platform.pipelines.user_behavior.deliveries import PREFIX, find_deliveries
from movie_platform.settings import Settings


def behavior_sensor(settings: Settings) -> dg.SensorDefinition:
    return daily_sensor(
        "movie_review_arrivals",
        description=f"Sees reviews below {PREFIX}, also when they are replaced, and asks for their day's run.",
        target=[METRIC, *(key for key in ASSETS if key != METRIC)],
        raw="raw_behavior",
        find=find_deliveries,
        start=settings.behavior_start,
        arrival=arrival,
        settings=settings,
    )
