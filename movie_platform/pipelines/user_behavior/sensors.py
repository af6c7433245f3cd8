"""The sensor on `movie_review/`: reviews that arrive, or are replaced, are run with the purchases of their day."""

import json
from datetime import UTC, date, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior.assets import ASSETS, arrival
from movie_platform.pipelines.user_behavior.deliveries import PREFIX, Delivery, find_deliveries
from movie_platform.settings import Settings

AT_ONCE = 20
"""Days that one tick asks for; the next tick goes on."""


def due_days(found: dict[date, Delivery], seen: dict[str, str], first: date, today: date) -> list[Delivery]:
    """Deliveries that are new since they were last seen, of days that have come; as many as one tick asks for."""
    news = [d for day, d in found.items() if first <= day <= today and seen.get(day.isoformat()) != d.fingerprint]
    return news[:AT_ONCE]


def behavior_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="movie_review_arrivals",
        target=dg.AssetSelection.assets(*ASSETS),
        minimum_interval_seconds=max(1, int(settings.sensor_interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sees reviews below {PREFIX}, also when they are replaced, and asks for their day's run.",
    )
    def movie_review_arrivals(
        context: dg.SensorEvaluationContext, raw_behavior: ResourceParam[ObjectStore]
    ) -> dg.SensorResult:
        seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        try:
            found = find_deliveries(raw_behavior)
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        due = due_days(found, seen, settings.behavior_start, datetime.now(UTC).date())
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(f"user_behavior/{d.day}/{d.fingerprint}", partition_key=d.day.isoformat()) for d in due
            ],
            asset_events=[arrival(delivery, raw_behavior) for delivery in due],
            cursor=json.dumps({**seen, **{delivery.day.isoformat(): delivery.fingerprint for delivery in due}}),
            skip_reason=None if due else "No new reviews.",
        )

    return movie_review_arrivals
