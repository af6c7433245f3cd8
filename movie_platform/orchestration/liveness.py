"""Whether Dagster works: sensors and schedules that keep failing, heartbeats of daemons, runs that wait or ended."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg

NOT_NOW = "Not now: "
"""How a sensor begins to say that it could not look; such a tick counts as failed."""
TICKS_AT_LEAST = {"sensor": 3, "schedule": 2}
LASTS_AT_LEAST = {"sensor": timedelta(minutes=10), "schedule": timedelta(0)}
"""So many ticks in a row, over so long, are no passing trouble. A schedule's next tick may be a day away."""
TICKS_LOOKED_AT = 100
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
ENDED_AFTER = timedelta(days=2)
"""A sensor or schedule without a tick for so long is switched off or gone."""


@dataclass(frozen=True)
class Failing:
    """A sensor or schedule whose newest ticks failed."""

    kind: Literal["sensor", "schedule"]
    name: str
    ticks: int
    """How many of the newest in a row."""
    since: datetime
    reason: str

    def keeps_failing(self, now: datetime) -> bool:
        return self.ticks >= TICKS_AT_LEAST[self.kind] and now - self.since >= LASTS_AT_LEAST[self.kind]


def failing(instance: dg.DagsterInstance, names: Collection[str], now: datetime) -> list[Failing]:
    """Of the sensors and schedules of these names those that keep failing, by name.

    One that works costs one query, for its newest tick.
    """
    found = (one for state in _states(instance, names) if (one := _failed(instance, state, now)))
    return sorted((one for one in found if one.keeps_failing(now)), key=lambda one: one.name)


def heartbeats(instance: dg.DagsterInstance) -> dict[str, datetime | None]:
    """When each daemon that this instance needs last wrote a heartbeat; None where it never did."""
    if instance.daemon_skip_heartbeats_without_errors:
        return {}
    written = instance.get_daemon_heartbeats() if instance.get_required_daemon_types() else {}
    return {
        daemon: datetime.fromtimestamp(written[daemon].timestamp, UTC) if daemon in written else None
        for daemon in sorted(instance.get_required_daemon_types())
    }


@dataclass(frozen=True)
class LastRun:
    """The newest run of a job that ended."""

    job: str
    ended: datetime
    seconds: float
    succeeded: bool


@dataclass(frozen=True)
class Work:
    """What Dagster's daemon has before it and behind it."""

    queued: int
    queued_since: datetime | None
    """When the oldest queued run was asked for."""
    heartbeats: Mapping[str, datetime | None]
    last_runs: Sequence[LastRun]


def work_of(instance: dg.DagsterInstance, jobs: Collection[str]) -> Work:
    """One query for the queue, and one for each job."""
    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    oldest = instance.get_run_records(queued, limit=1, order_by="create_timestamp", ascending=True)
    ended = (run for job in jobs if (run := _last_run(instance, job)))
    since = oldest[0].create_timestamp.astimezone(UTC) if oldest else None
    return Work(instance.get_runs_count(queued), since, heartbeats(instance), tuple(ended))


def _last_run(instance: dg.DagsterInstance, job: str) -> LastRun | None:
    ended = dg.RunsFilter(job_name=job, statuses=ENDED)
    for record in instance.get_run_records(ended, limit=1):
        at = record.end_time or record.create_timestamp.timestamp()
        seconds = at - (record.start_time or at)  # a run that never started took no time
        succeeded = record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        return LastRun(job, datetime.fromtimestamp(at, UTC), seconds, succeeded)
    return None


def _states(instance: dg.DagsterInstance, names: Collection[str]) -> Iterator[Any]:
    if instance.schedule_storage is None:  # an instance in memory has no sensors
        return
    for state in instance.all_instigator_state():
        if state.is_running and state.name in names and state.instigator_type.value in ("SENSOR", "SCHEDULE"):
            yield state


def _failed(instance: dg.DagsterInstance, state: Any, now: datetime) -> Failing | None:
    ids = state.instigator_origin_id, state.selector_id
    newest = _ended(instance.get_ticks(*ids, limit=2))[:1]
    if not newest or not _is_failed(newest[0]) or now.timestamp() - newest[0].timestamp > ENDED_AFTER.total_seconds():
        return None
    ticks = _ended(instance.get_ticks(*ids, limit=TICKS_LOOKED_AT))
    count = next((position for position, tick in enumerate(ticks) if not _is_failed(tick)), len(ticks))
    since = datetime.fromtimestamp(ticks[count - 1].timestamp, UTC)
    kind: Literal["sensor", "schedule"] = "sensor" if state.instigator_type.value == "SENSOR" else "schedule"
    return Failing(kind, state.name, count, since, _reason(ticks[0]))


def _ended(ticks: Sequence[Any]) -> list[Any]:
    """Newest first, without one that is under way."""
    return [tick for tick in ticks if tick.status.value != "STARTED"]


def _is_failed(tick: Any) -> bool:
    return tick.status.value == "FAILURE" or (tick.skip_reason or "").startswith(NOT_NOW)


def _reason(tick: Any) -> str:
    if tick.skip_reason:
        return str(tick.skip_reason).removeprefix(NOT_NOW)
    if tick.error is None:
        return "Dagster keeps no error of it"
    return str((tick.error.cause or tick.error).message).strip()
