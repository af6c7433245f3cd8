"""The sensor on the feed's S3 prefix."""

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.arrivals import arrivals_of
from movie_platform.orchestration.corrections import digest_of, of_newest, overdue, shown_of
from movie_platform.orchestration.events import arrival_events, rejected_keys
from movie_platform.orchestration.pipeline_jobs import source_job
from movie_platform.orchestration.sensors import log_rejected, run_request
from movie_platform.pipelines.imdb_feed import checks
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, Schedule, scan
from movie_platform.pipelines.imdb_feed.source import SOURCE, schedule_of
from movie_platform.settings import Settings
from movie_platform.waits import Patience


def feed_sensor(settings: Settings) -> dg.SensorDefinition:
    schedule, how = schedule_of(settings), arrivals_of(SOURCE, settings)

    @dg.sensor(
        name="imdb_feed_arrivals",
        job=source_job(SOURCE),
        minimum_interval_seconds=how.interval,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sees new, late and corrected windows below imdb_raw_data/, reports their arrival, and asks for "
        "their runs; tries refused windows again; corrects checks that a lost or overtaken run left wrong.",
    )
    def imdb_feed_arrivals(
        context: dg.SensorEvaluationContext,
        raw_feed: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
    ) -> dg.SensorResult:
        cursor = Cursor.parse(context.cursor)
        patience = Patience(settings.sensor_wait.total_seconds())
        raw_feed, lake = raw_feed.patient(patience), lake.patient(patience)
        try:
            found = how.scanned(context, lambda: scan(raw_feed, lake, cursor, schedule, datetime.now(UTC)))
            corrected, judged = _corrections(context.instance, lake, cursor.judged, schedule)
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        log_rejected(context, found.listing)
        events: list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation] = [
            *arrival_events(SOURCE, (delivery for delivery in found.arrived if delivery.files), raw_feed)
        ]
        if found.rejected_is_news and found.listing.rejected:
            events.append(rejected_keys(SOURCE, found.listing))
        events += corrected
        rejected = f" {found.listing.rejected} keys are no delivery." if found.listing.rejected else ""
        waiting = "; ".join(f"{window} waits: {reason}" for window, reason in found.waiting.items())
        return dg.SensorResult(
            run_requests=[run_request(SOURCE, request) for request in found.requests],
            asset_events=events,
            cursor=str(replace(found.new_cursor, judged=judged)),
            skip_reason=None if found.requests else f"{waiting or 'No new windows.'}{rejected}",
        )

    return imdb_feed_arrivals


def _corrections(
    instance: dg.DagsterInstance, lake: ObjectStore, judged: str, schedule: Schedule
) -> tuple[list[dg.AssetCheckEvaluation], str]:
    """Evaluations that the UI should show and does not, and the digest of lake and UI that this was found out from.

    As long as the digest is that of the last tick, nothing is read but listings.
    """
    shown = shown_of(instance, checks.KEYS)
    digest = f"{checks.digest_of(lake, schedule.lookback)}{digest_of(shown)}"
    if digest == judged:
        return [], judged
    late = overdue(shown, checks.evaluations(lake, schedule.lookback))
    return list(of_newest(instance, late)), digest
