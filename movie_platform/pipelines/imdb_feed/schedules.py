"""Once a day, everything on the raw side is compared with everything processed."""

from datetime import UTC, datetime
from itertools import islice

import dagster as dg

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.arrivals import Schedule, reconcile
from movie_platform.pipelines.imdb_feed.loading import last_loads


def reconciliation(schedule: Schedule) -> dg.ScheduleDefinition:
    """A job, since a sensor's tick has only sixty seconds; the sensor takes up what it finds."""

    @dg.op(required_resource_keys={"raw_feed", "lake", "warehouse"})
    def find_left_behind_windows(context: dg.OpExecutionContext) -> None:
        raw: ObjectStore = context.resources.raw_feed
        lake: ObjectStore = context.resources.lake
        loaded = None
        try:
            loaded = last_loads(context.resources.warehouse)
        except PlatformError as error:
            context.log.warning(f"Whether every window is loaded cannot be told now: {error}")
        found = reconcile(raw, lake, schedule, datetime.now(UTC), loaded)
        for folder, reason in found.strange.items():
            context.log.warning(f"imdb_raw_data/{folder} is refused: {reason}")
        missing = list(found.missing)
        context.log.info(f"{len(missing)} windows were left behind {missing[:20]}; the sensor asks for them")
        context.add_output_metadata(
            {"left_behind": len(missing), "first": missing[:20], "strange": dict(islice(found.strange.items(), 100))}
        )

    @dg.job(
        name="imdb_feed_reconciliation",
        description="Finds windows that a lost tick or a very late delivery left behind, for the sensor to ask for.",
        executor_def=dg.in_process_executor,
    )
    def imdb_feed_reconciliation() -> None:
        find_left_behind_windows()

    return dg.ScheduleDefinition(
        job=imdb_feed_reconciliation,
        cron_schedule="17 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
