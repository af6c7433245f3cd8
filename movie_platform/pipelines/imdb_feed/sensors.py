"""The sensor on the feed's S3 prefix."""

from datetime import UTC, datetime
from itertools import islice

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, Request, Schedule, look
from movie_platform.pipelines.imdb_feed.assets import ARCHIVE, CLEAN, MOVIES, arrival
from movie_platform.settings import Settings

STRANGE_NAMED = 20
"""Strange folders that one tick's log names; `movie-platform status` shows them all."""


def schedule_of(settings: Settings) -> Schedule:
    return Schedule(settings.feed_start, settings.feed_grace, settings.feed_lookback)


def feed_sensor(settings: Settings) -> dg.SensorDefinition:
    schedule = schedule_of(settings)

    @dg.sensor(
        name="imdb_feed_arrivals",
        target=dg.AssetSelection.assets(ARCHIVE, CLEAN, MOVIES),
        minimum_interval_seconds=max(1, int(settings.sensor_interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sees new, late and corrected windows below imdb_raw_data/, reports their arrival, and asks for "
        "their runs; tries refused windows again.",
    )
    def imdb_feed_arrivals(
        context: dg.SensorEvaluationContext,
        raw_feed: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
    ) -> dg.SensorResult:
        try:
            found = look(raw_feed, lake, Cursor.parse(context.cursor), schedule, datetime.now(UTC))
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        for folder, reason in islice(found.strange.items(), STRANGE_NAMED):
            context.log.warning(f"imdb_raw_data/{folder} is refused: {reason}")
        waiting = "; ".join(f"{window} waits: {reason}" for window, reason in found.held.items())
        return dg.SensorResult(
            run_requests=[_run_request(request) for request in found.requests],
            asset_events=[arrival(delivery, raw_feed) for delivery in found.arrived],
            cursor=str(found.cursor),
            skip_reason=None if found.requests else waiting or "No new windows.",
        )

    return imdb_feed_arrivals


def _run_request(request: Request) -> dg.RunRequest:
    first, last = request.windows[0], request.windows[-1]
    if len(request.windows) == 1:
        return dg.RunRequest(run_key=request.key, partition_key=first)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.RunRequest(run_key=request.key, tags=tags)
