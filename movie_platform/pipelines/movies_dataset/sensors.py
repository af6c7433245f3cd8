"""The sensor on `project-data/`: a new zip, or another one under the same key, is run."""

import json

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.assets import ANSWER_KEYS, TABLE_KEYS, arrival
from movie_platform.pipelines.movies_dataset.deliveries import PREFIX, find_deliveries
from movie_platform.settings import Settings

AT_ONCE = 20
"""Deliveries that one tick asks for; the next tick goes on."""


def dataset_sensor(settings: Settings) -> dg.SensorDefinition:
    start = settings.dataset_start.isoformat()

    @dg.sensor(
        name="movies_dataset_arrivals",
        target=dg.AssetSelection.assets(*TABLE_KEYS, *ANSWER_KEYS),
        minimum_interval_seconds=max(1, int(settings.sensor_interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sees the-movies-dataset.zip below {PREFIX}, also when it is replaced, and asks for its run.",
    )
    def movies_dataset_arrivals(
        context: dg.SensorEvaluationContext, raw_dataset: ResourceParam[ObjectStore]
    ) -> dg.SensorResult:
        seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        try:
            found = find_deliveries(raw_dataset)
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        due = [d for d in found.values() if d.day >= start and seen.get(d.day) != d.info.etag][:AT_ONCE]
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=f"movies_dataset/{d.day}/{d.info.etag}", partition_key=d.day) for d in due
            ],
            asset_events=[arrival(delivery, raw_dataset) for delivery in due],
            cursor=json.dumps({**seen, **{delivery.day: delivery.info.etag for delivery in due}}),
            skip_reason=None if due else "No new delivery.",
        )

    return movies_dataset_arrivals
