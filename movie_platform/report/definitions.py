"""The report as Dagster knows it: made anew every hour, after what it shows."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.lake import ObjectStore
from movie_platform.orchestration.events import OWNERS, errors_for_dagster
from movie_platform.orchestration.table_metadata import in_kilobytes
from movie_platform.pipelines import source_of
from movie_platform.settings import Settings

ASSET = "platform_report"
JOB = f"{ASSET}_job"


def report_definitions(settings: Settings, pipelines: Sequence[str]) -> dg.Definitions:
    serving = [asset for pipeline in pipelines for asset in source_of(pipeline).assets]

    @dg.asset(
        name=ASSET,
        deps=serving,
        group_name="report",
        owners=OWNERS,
        kinds={"html"},
        description="How everything stands, on one page that needs neither network nor Dagster: "
        "`report/platform.html` in the lake. Made from the lake's records; it never waits for the warehouse.",
    )
    def platform_report(lake: ResourceParam[ObjectStore]) -> dg.MaterializeResult[None]:
        from movie_platform.report.page import KEY, publish

        with errors_for_dagster():
            size = publish(settings, lake, datetime.now(UTC))
        return dg.MaterializeResult(metadata={"dagster/uri": lake.uri_of(KEY), **in_kilobytes(size)})

    schedule = dg.ScheduleDefinition(
        name="platform_report_hourly",
        job=dg.define_asset_job(JOB, selection=dg.AssetSelection.assets(ASSET)),
        cron_schedule="12 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour: the report of how everything stands, made anew.",
    )
    return dg.Definitions(assets=[platform_report], schedules=[schedule])
