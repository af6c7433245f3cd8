"""Once a day, everything judged is compared with everything loaded."""

from datetime import UTC, datetime

import dagster as dg

from movie_platform.errors import WorldUnavailable
from movie_platform.pipelines.quality_movies.arrivals import note_not_loaded
from movie_platform.pipelines.quality_movies.assets import RETRIES, RETRY_AFTER
from movie_platform.pipelines.quality_movies.loading import days_not_loaded


def load_reconciliation() -> dg.ScheduleDefinition:
    """A job, since it may wait longer for the warehouse than a tick lives; the sensor takes up what it finds."""

    @dg.op(required_resource_keys={"lake", "warehouse"})
    def find_days_not_loaded(context: dg.OpExecutionContext) -> None:
        lake, now = context.resources.lake, datetime.now(UTC)
        try:
            days = days_not_loaded(context.resources.warehouse, lake, now)
        except WorldUnavailable as away:
            raise dg.RetryRequested(RETRIES, RETRY_AFTER) from away
        note_not_loaded(lake, days, now)
        context.log.info(f"{len(days)} judged days are not loaded {days[:20]}; the sensor asks for them")
        context.add_output_metadata({"not_loaded": len(days), "first": days[:20]})

    @dg.job(
        name="quality_movies_reconciliation",
        description="Finds days that were judged and never loaded, because the warehouse was away for longer than "
        "their runs tried, for the sensor to ask for.",
        executor_def=dg.in_process_executor,
    )
    def quality_movies_reconciliation() -> None:
        find_days_not_loaded()

    return dg.ScheduleDefinition(
        job=quality_movies_reconciliation,
        cron_schedule="37 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
