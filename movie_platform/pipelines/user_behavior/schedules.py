"""Every night the day that is over is run, whether reviews came or not."""

from datetime import timedelta

import dagster as dg

from movie_platform.deliveries.watching import Request
from movie_platform.orchestration.pipeline_jobs import job_name
from movie_platform.orchestration.sensors import run_request
from movie_platform.pipelines.user_behavior.source import SOURCE


def nightly_metric(days: dg.PartitionsDefinition) -> dg.ScheduleDefinition:
    """Purchases are complete only when their day is over."""

    @dg.schedule(
        name="user_behavior_nightly",
        cron_schedule="30 0 * * *",
        execution_timezone="UTC",
        job_name=job_name(SOURCE),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs the day that is over: its purchases are complete, and late reviews are looked for once more.",
    )
    def user_behavior_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = (context.scheduled_execution_time.date() - timedelta(days=1)).isoformat()
        if not days.has_partition_key(day):
            return dg.SkipReason(f"{day} is before the first day")
        request = Request((day,), key=f"user_behavior_nightly/{day}")
        return run_request(SOURCE, request)

    return user_behavior_nightly
