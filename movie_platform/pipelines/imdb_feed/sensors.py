"""The sensor on the feed's S3 prefix."""

from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.events import arrival, rejected_keys
from movie_platform.orchestration.sensors import interval, log_rejected, run_request
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, scan
from movie_platform.pipelines.imdb_feed.source import SOURCE, schedule_of
from movie_platform.settings import Settings


def feed_sensor(settings: Settings) -> dg.SensorDefinition:
    schedule = schedule_of(settings)

    @dg.sensor(
        name="imdb_feed_arrivals",
        target=dg.AssetSelection.assets(*SOURCE.assets),
        minimum_interval_seconds=interval(settings),
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
            found = scan(raw_feed, lake, Cursor.parse(context.cursor), schedule, datetime.now(UTC))
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        log_rejected(context, found.listing)
        events: list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation] = [
            arrival(SOURCE, delivery, raw_feed) for delivery in found.arrived if delivery.files
        ]
        if found.rejected_is_news and found.listing.rejected:
            events.append(rejected_keys(SOURCE, found.listing))
        waiting = "; ".join(f"{window} waits: {reason}" for window, reason in found.waiting.items())
        return dg.SensorResult(
            run_requests=[run_request(SOURCE, request) for request in found.requests],
            asset_events=events,
            cursor=str(found.new_cursor),
            skip_reason=None if found.requests else waiting or "No new windows.",
        )

    return imdb_feed_arrivals
