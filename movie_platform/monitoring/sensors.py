"""The sensor that watches the platform: it asks for no run, and notifies of what nobody else notices."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import dagster as dg

from movie_platform.deliveries import reconciled
from movie_platform.deliveries.source import Source
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.monitoring import checks, troubles
from movie_platform.monitoring.freshness import freshness_of
from movie_platform.monitoring.troubles import Trouble
from movie_platform.monitoring.watch import Found, Memory, notified, recorded
from movie_platform.orchestration.corrections import overdue as not_shown
from movie_platform.orchestration.corrections import shown_of
from movie_platform.orchestration.liveness import failing, heartbeats
from movie_platform.settings import Settings
from movie_platform.waits import Patience

NAME = "platform_watch"
SECONDS_BETWEEN = 60


def watch_sensor(settings: Settings, sources: list[Source]) -> dg.SensorDefinition:
    """Looks every minute; its memory of what was notified is its cursor."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=SECONDS_BETWEEN,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={"lake", "notifier"},
        description="Notifies of a source that is overdue, a sensor or schedule that keeps failing, a daemon without a "
        "heartbeat and a load that is owed for more than an hour: once when it begins, once a day while it lasts, and "
        "once when it is over.",
    )
    def platform_watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now, before = datetime.now(UTC), Memory.parse(context.cursor)
        lake: ObjectStore = context.resources.lake.patient(Patience(settings.sensor_wait.total_seconds()))
        said: list[dg.AssetCheckEvaluation] = []
        found, unknown = _found(
            {
                troubles.OVERDUE: lambda: _overdue(lake, settings, sources, now, said),
                troubles.OWED: lambda: _owed(lake, settings, sources),
                troubles.FAILING: lambda: _failing(context, now),
                troubles.SILENT: lambda: _silent(context.instance, before, now),
            }
        )
        for what, why in unknown.items():
            context.log.warning(f"Whether anything is {what.lower()} cannot be found out now: {why}")
        try:
            said += [checks.columns_as_expected(of, of.changed_columns(lake, settings)) for of in sources]
        except PlatformError as error:
            context.log.warning(f"Whether the columns are as expected cannot be found out now: {error}")
        evaluations = not_shown(shown_of(context.instance, [of.asset_check_key for of in said]), said)
        after = notified(before, found, context.resources.notifier, now)
        after = recorded(after, before, lake, settings.platform_name, now)
        open_now = ", ".join(trouble.key for trouble in found.troubles)
        return dg.SensorResult(skip_reason=open_now or "Nothing is wrong.", asset_events=evaluations, cursor=str(after))

    return platform_watch


def _found(looks: dict[str, Callable[[], Iterable[Trouble]]]) -> tuple[Found, dict[str, str]]:
    """What is wrong, and of which kinds of trouble that is not known."""
    known: list[Trouble] = []
    unknown: dict[str, str] = {}
    for word, look in looks.items():
        try:
            known += list(look())
        except PlatformError as error:
            unknown[word] = str(error)
    return Found(tuple(known), frozenset(looks.keys() - unknown.keys())), unknown


def _overdue(
    lake: ObjectStore,
    settings: Settings,
    sources: list[Source],
    now: datetime,
    said: list[dg.AssetCheckEvaluation],
) -> Iterable[Trouble]:
    """The overdue sources; `said` gets what the check says of each source."""
    found = {source.name: freshness_of(source, lake, settings, now) for source in sources}
    late = [trouble for source in sources for trouble in troubles.overdue(source, found[source.name], lake, now)]
    said += [checks.in_time(source, found[source.name], now) for source in sources]
    return late


def _owed(lake: ObjectStore, settings: Settings, sources: list[Source]) -> Iterable[Trouble]:
    for source in sources:
        yield from troubles.owed_for_long(source, reconciled.read(lake, source.name, settings.platform_name))


def _failing(context: dg.SensorEvaluationContext, now: datetime) -> Iterable[Trouble]:
    repository = context.repository_def
    assert repository is not None
    names = {one.name for one in repository.sensor_defs} | {one.name for one in repository.schedule_defs}
    for one in failing(context.instance, names - {NAME}, now):
        yield troubles.failing(f"{one.kind} {one.name}", one.since, one.ticks, one.reason)


def _silent(instance: dg.DagsterInstance, before: Memory, now: datetime) -> Iterable[Trouble]:
    began = datetime.fromisoformat(before.began) if before.began else now
    for daemon, heartbeat in heartbeats(instance).items():
        yield from troubles.silent(daemon, heartbeat, began, now)
