"""The sensor on the quality movies' raw side."""

from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.arrivals import Cursor, look, with_told
from movie_platform.pipelines.quality_movies.assets import BAD, GOOD, HISTORY, OUTCOMES, arrival
from movie_platform.pipelines.quality_movies.checks import EVALUATED, rule_checks
from movie_platform.quality import RulesetFile
from movie_platform.settings import Settings


def quality_sensor(settings: Settings, days: dg.PartitionsDefinition, rules: RulesetFile) -> dg.SensorDefinition:
    checks = rule_checks(rules, days)

    @dg.sensor(
        name="quality_movies_arrivals",
        target=dg.AssetSelection.assets(EVALUATED, BAD, OUTCOMES, GOOD, HISTORY),
        minimum_interval_seconds=max(1, int(settings.sensor_interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sees new, late and replaced files below input_data/, reports their arrival, and asks for their "
        "days' runs; waits while the ruleset cannot be read.",
    )
    def quality_movies_arrivals(
        context: dg.SensorEvaluationContext,
        raw_quality: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
    ) -> dg.SensorResult:
        cursor = Cursor.parse(context.cursor)
        broken = checks.broken()
        if broken is not None:
            is_news = cursor.told != rules.problem
            return dg.SensorResult(
                skip_reason=f"Deliveries wait: {rules.name} cannot be read: {rules.problem}",
                asset_events=[broken] if is_news else [],
                cursor=str(with_told(cursor, rules.problem)),
            )
        try:
            found = look(raw_quality, lake, with_told(cursor, ""), settings.quality_start, datetime.now(UTC))
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        for key, reason in found.strange.items():
            context.log.warning(f"{key} is left alone: {reason}")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(request.key, partition_key=request.day) for request in found.requests],
            asset_events=[arrival(delivery, raw_quality) for delivery in found.arrived],
            cursor=str(found.cursor),
            skip_reason=None if found.requests else "Nothing new.",
        )

    return quality_movies_arrivals
