"""The sensor on `project-data/`: a new zip, or another one under the same key, is run."""

import dagster as dg

from movie_platform.orchestration.arrivals import daily_sensor
from movie_platform.pipelines.movies_dataset.assets import ANSWER_KEYS, TABLE_KEYS, arrival
from movie_platform.pipelines.movies_dataset.deliveries import PREFIX, find_deliveries
from movie_platform.settings import Settings


def dataset_sensor(settings: Settings) -> dg.SensorDefinition:
    return daily_sensor(
        "movies_dataset_arrivals",
        description=f"Sees the-movies-dataset.zip below {PREFIX}, also when it is replaced, and asks for its run.",
        target=[*TABLE_KEYS, *ANSWER_KEYS],
        raw="raw_dataset",
        find=find_deliveries,
        start=settings.dataset_start,
        arrival=arrival,
        settings=settings,
    )
