"""Once an hour, what was delivered is compared with what is processed and loaded; the sensor asks for what is owed."""

from datetime import UTC, datetime
from itertools import islice

import dagster as dg

from movie_platform.deliveries import reconciled
from movie_platform.deliveries.source import Source
from movie_platform.errors import WarehouseDamaged, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.events import errors_for_dagster
from movie_platform.settings import Settings

NAMED = 20
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def reconciliation(source: Source, settings: Settings, *, minute: int) -> dg.ScheduleDefinition:
    """A job, since it may wait for the warehouse longer than a sensor's tick may last."""
    raw_key = f"raw_{source.command}"

    @dg.op(name=f"find_what_is_owed_of_{source.name}", required_resource_keys={raw_key, "lake", "warehouse"})
    def find_what_is_owed(context: dg.OpExecutionContext) -> None:
        raw: ObjectStore = getattr(context.resources, raw_key)
        lake, now = context.resources.lake, datetime.now(UTC)
        start = source.start(settings)
        with errors_for_dagster():
            listing = source.shape.listing(raw, start, now)
            try:
                owed = source.owed(raw, lake, context.resources.warehouse, start, now, listing=listing)
            except (WorldUnavailable, WarehouseDamaged) as error:
                context.log.warning(f"Whether everything is loaded cannot be found out now: {error}")
                owed = source.owed(raw, lake, None, start, now, listing=listing)
            running = partitions_under_way(context.instance, source)
            due = {p: reason for p, reason in owed.items() if not any(a <= p <= b for a, b in running)}
            asked_from = source.asked_from(settings)
            older = [p for p in due if p < asked_from]
            due = {p: reason for p, reason in due.items() if p >= asked_from}
            under_way = owed.keys() - due.keys()
            reconciled.write(lake, source, settings.platform_name, due, now, listing, under_way=under_way)
        named = dict(islice(due.items(), NAMED))
        context.log.info(f"{len(due)} {source.partition}s are owed, the sensor asks for them: {named}")
        if older:
            context.log.warning(
                f"{len(older)} {source.partition}s are owed before {asked_from}, where the UI's partitions begin; the "
                f"sensor does not ask for them: run them by `movie-platform run {source.command} --from {older[0]} "
                f"--to {older[-1]}`"
            )
        for key, why_rejected in islice(listing.rejected_keys.items(), NAMED):
            context.log.warning(f"{key} is no delivery: {why_rejected}")
        counts = {"owed": len(due), "owed before the first partition": len(older)}
        context.add_output_metadata({**counts, "first": named, "keys that are no delivery": listing.rejected})

    @dg.job(
        name=f"{source.name}_reconciliation",
        description="Compares what was delivered with what is in lake and warehouse, for the sensor to ask for what a "
        "lost run or tick, or a warehouse that was away, left behind.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        find_what_is_owed()

    return dg.ScheduleDefinition(
        job=job,
        cron_schedule=f"{minute} * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Every hour: are all {source.partition}s of {source.title} processed and loaded?",
    )


def partitions_under_way(instance: dg.DagsterInstance, source: Source) -> list[tuple[str, str]]:
    """First and last window or day of each of the source's runs that is queued or running."""
    assets = {dg.AssetKey(name) for name in source.assets}
    found = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if not assets & set(run.asset_selection or ()):
            continue
        one = run.tags.get("dagster/partition", "")
        first = run.tags.get("dagster/asset_partition_range_start", one)
        last = run.tags.get("dagster/asset_partition_range_end", one)
        if first and last:
            found.append((first, last))
    return found
