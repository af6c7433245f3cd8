"""Sensors that send notices of how runs ended, a run that succeeded with failed checks included."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify import Notifier, RuleResult, RunEnded, notify_unless_known

NOTIFIED = "movie_platform/told"
"""The run's tag that names who was notified of its end, so that nobody is notified again."""
_WILL_RETRY = "dagster/will_retry"
_PAGE = 1_000


def run_sensors() -> list[dg.SensorDefinition]:
    """One sensor for runs that failed, one for those that succeeded."""
    return [
        _sensor(
            "run_failures",
            dg.DagsterRunStatus.FAILURE,
            "Notifies that a run failed, and why, unless it is started again.",
        ),
        _sensor(
            "run_successes",
            dg.DagsterRunStatus.SUCCESS,
            "Notifies that a run succeeded, and which of its checks failed.",
        ),
    ]


def _sensor(name: str, status: dg.DagsterRunStatus, description: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status, name=name, description=description, default_status=dg.DefaultSensorStatus.RUNNING
    )
    def sensor(
        context: dg.RunStatusSensorContext, notifier: ResourceParam[Notifier], lake: ResourceParam[ObjectStore]
    ) -> None:
        notify_of_run(context.instance, context.dagster_run.run_id, notifier, lake)

    return sensor


def notify_of_run(instance: dg.DagsterInstance, run_id: str, notifier: Notifier, lake: ObjectStore) -> None:
    """Notify those who were not yet how a run ended; raises, which the sensor shows, where one was not reached.

    The lake remembers the trouble that partitions are in, so that it is notified once a day and not with each run.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.tags.get(_WILL_RETRY) == "true":
        return
    already = [name for name in run.tags.get(NOTIFIED, "").split(" ") if name]
    delivered = notify_unless_known(notifier, run_ended(instance, run, notifier), lake, already=already)
    if delivered.by:
        instance.add_run_tags(run_id, {NOTIFIED: " ".join([*already, *delivered.by])})
    if not delivered.everywhere:
        raise PlatformError(f"run {run_id}: {delivered}")


def run_ended(instance: dg.DagsterInstance, run: dg.DagsterRun, notifier: Notifier) -> RunEnded:
    """How a run ended, by its own events."""
    ended = instance.get_run_stats(run.run_id).end_time
    checks = list(_checks(instance, run.run_id))
    return RunEnded(
        run_id=run.run_id,
        job=run.job_name,
        succeeded=run.is_success,
        assets=_assets(run),
        partitions=_partitions(run),
        at=datetime.fromtimestamp(ended, UTC) if ended else datetime.now(UTC),
        reason="" if run.is_success else _reason(instance, run.run_id),
        failed_checks=tuple(result for result in checks if result.outcome != "Passed"),
        checks=len(checks),
        loads=tuple(_loads(instance, run.run_id)),
        link=notifier.link_to_run(run.run_id),
    )


def _checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[RuleResult]:
    for record in _events(instance, run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        evaluation = record.asset_check_evaluation_data
        where = f"{evaluation.asset_key.to_user_string()} {evaluation.partition or ''}".strip()
        word = evaluation.metadata.get("outcome")
        outcome = "Passed" if evaluation.passed else "Error" if word and word.value == "Error" else "Failed"
        yield RuleResult(
            rule=f"{evaluation.check_name} on {where}",
            outcome=outcome,  # type: ignore[arg-type]
            reason=evaluation.description or "",
            metrics={
                name.removeprefix("metric "): float(value.value)  # type: ignore[arg-type]
                for name, value in evaluation.metadata.items()
                if name.startswith("metric ")
            },
        )


def _loads(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    for event in _events(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = event.step_materialization_data.materialization
        metadata = made.metadata
        if load := metadata.get("load"):
            refreshed = metadata.get("refreshed")
            views = f", {refreshed.value} refreshed" if refreshed else ""
            yield f"{made.asset_key.to_user_string()} {made.partition or ''}".strip() + f" {load.value}{views}"


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """What the failed steps said, or the run itself where none of its steps was reached."""
    reasons = []
    for event in _events(instance, run_id, dg.DagsterEventType.STEP_FAILURE):
        failure = event.step_failure_data
        if failure.user_failure_data:
            reasons.append(failure.user_failure_data.description or "")
        elif failure.error:
            reasons.append((failure.error.cause or failure.error).message.strip())
    if not reasons:
        reasons = [event.message or "" for event in _events(instance, run_id, dg.DagsterEventType.RUN_FAILURE)]
    return "\n".join(reason for reason in reasons if reason)


def _events(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> Iterator[dg.DagsterEvent]:
    cursor, more = None, True
    while more:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=kind, limit=_PAGE)
        cursor, more = page.cursor, page.has_more
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                yield event


def _assets(run: dg.DagsterRun) -> tuple[str, ...]:
    return tuple(sorted(key.to_user_string() for key in run.asset_selection or ()))


def _partitions(run: dg.DagsterRun) -> str:
    first = run.tags.get("dagster/asset_partition_range_start")
    last = run.tags.get("dagster/asset_partition_range_end")
    return f"{first} to {last}" if first and last else run.tags.get("dagster/partition", "")
