"""The sensor of a source that delivers for days."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import dagster as dg

from movie_platform.deliveries import Listing, fingerprint_of
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.watching import Cursor, Place, Request, ScanResult, scan
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify import RulesetUnreadable
from movie_platform.orchestration.arrivals import arrivals_of
from movie_platform.orchestration.corrections import digest_of, of_newest, overdue, shown_of
from movie_platform.orchestration.day_checks import DayChecks
from movie_platform.orchestration.events import arrival_events, rejected_keys
from movie_platform.orchestration.pipeline_jobs import source_job
from movie_platform.settings import Settings
from movie_platform.waits import Patience

REJECTED_IN_A_LOG = 20
"""Rejected keys that one tick's log names; the observation and `movie-platform status` name more."""


def run_request(source: Source, request: Request) -> dg.RunRequest:
    """The source's job for a window or day, or a range of them. The run names its assets, so that it can be found."""
    first, last = request.partitions[0], request.partitions[-1]
    assets = [dg.AssetKey(name) for name in source.assets]
    if len(request.partitions) == 1:
        return dg.RunRequest(run_key=request.key, partition_key=first, asset_selection=assets, asset_check_keys=[])
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.RunRequest(run_key=request.key, tags=tags, asset_selection=assets, asset_check_keys=[])


def log_rejected(context: dg.SensorEvaluationContext, listing: Listing) -> None:
    for key, why_rejected in islice(listing.rejected_keys.items(), REJECTED_IN_A_LOG):
        context.log.warning(f"{key} is no delivery: {why_rejected}")
    if listing.rejected > REJECTED_IN_A_LOG:
        context.log.warning(f"{listing.rejected - REJECTED_IN_A_LOG} more keys are no delivery")


def daily_sensor(
    source: Source,
    settings: Settings,
    *,
    checks: Sequence[DayChecks] = (),
    name: str = "",
    broken_rules: Callable[[], tuple[str, dg.AssetCheckEvaluation] | None] | None = None,
) -> dg.SensorDefinition:
    """Sees new, late and replaced files, reports their arrival, and asks for their days and for what is owed.

    Of the source's assets, checks have a step of their own (`DayChecks`): a run that is asked for plans none.
    `broken_rules` says why deliveries wait for rules that can be read; that is reported as a failed check and sent as
    a notice. Checks that a lost or overtaken run left wrong are evaluated by what the lake says.
    """
    raw_key, how = f"raw_{source.command}", arrivals_of(source, settings)

    @dg.sensor(
        name=name or f"{source.name}_arrivals",
        job=source_job(source),
        minimum_interval_seconds=how.interval,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sees new, late and replaced files below {source.prefix}, reports their arrival, and asks for "
        "their days and for what is owed.",
        required_resource_keys={raw_key, "lake", *(["notifier"] if broken_rules else [])},
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        patience = Patience(settings.sensor_wait.total_seconds())
        raw: ObjectStore = getattr(context.resources, raw_key).patient(patience)
        lake: ObjectStore = context.resources.lake.patient(patience)
        cursor = Cursor.parse(context.cursor)
        if broken_rules and (broken := broken_rules()):
            return _waits_for_rules(context, source, cursor, *broken)

        def scan_now() -> ScanResult:
            place = Place(source.start(settings), settings.platform_name, datetime.now(UTC))
            return scan(source, raw, lake, cursor, place)

        try:
            found = how.scanned(context, scan_now)
            corrected, judged = _corrections(context.instance, lake, cursor.judged, checks)
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        log_rejected(context, found.listing)
        events: list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation] = [
            *arrival_events(source, found.arrived, raw)
        ]
        if found.rejected_is_news and found.listing.rejected:
            events.append(rejected_keys(source, found.listing))
        events += corrected
        rejected = f" {found.listing.rejected} keys are no delivery." if found.listing.rejected else ""
        return dg.SensorResult(
            run_requests=[run_request(source, request) for request in found.requests],
            asset_events=events,
            cursor=str(replace(found.new_cursor, judged=judged)),
            skip_reason=None if found.requests else f"Nothing new.{rejected}",
        )

    return arrivals


def _waits_for_rules(
    context: dg.SensorEvaluationContext,
    source: Source,
    cursor: Cursor,
    problem: str,
    evaluation: dg.AssetCheckEvaluation,
) -> dg.SensorResult:
    """Why deliveries wait, reported and sent once."""
    is_news = cursor.problem != problem
    if is_news:
        notice = RulesetUnreadable(source.name, problem, datetime.now(UTC))
        context.log.error(f"{problem}: {context.resources.notifier.notify(notice)}")
    return dg.SensorResult(
        skip_reason=f"Deliveries wait: {problem}",
        asset_events=[evaluation] if is_news else [],
        cursor=str(replace(cursor, problem=problem)),
    )


def _corrections(
    instance: dg.DagsterInstance, lake: ObjectStore, judged: str, checks: Sequence[DayChecks]
) -> tuple[list[dg.AssetCheckEvaluation], str]:
    """Evaluations that the UI should show and does not, and the digest of lake and UI that this was found out from."""
    shown = shown_of(instance, [key for of in checks for key in of.keys])
    lake_says = fingerprint_of({key: etag for of in checks for key, etag in of.digest(lake).items()})
    digest = f"{lake_says}{digest_of(shown)}"
    if digest == judged:
        return [], judged
    late = [evaluation for of in checks for evaluation in overdue(shown, of.standing(lake))]
    return list(of_newest(instance, late)), digest
