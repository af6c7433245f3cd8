"""What is delivered, told to Dagster: to the UI as events, and as runs by the sensors on what comes a day at a time."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Protocol, TypeVar

import dagster as dg

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.settings import Settings

AT_ONCE = 20
"""Days that one tick asks for; the next tick goes on."""
_VERSION = "dagster/data_version"


class Delivery(Protocol):
    """What came for a day."""

    @property
    def day(self) -> date: ...

    @property
    def fingerprint(self) -> str:
        """Another one means other content."""
        ...

    @property
    def version(self) -> str:
        """When it came: content that comes a second time, after other content, is news again."""
        ...


D = TypeVar("D", bound=Delivery)


def report(arrivals: Iterable[dg.AssetMaterialization], instance: dg.DagsterInstance) -> None:
    """Tell the UI of arrivals of one asset whose data version it does not know yet."""
    found = list(arrivals)
    known = _known(found, instance)
    for arrival in found:
        if known.get(str(arrival.partition)) != (arrival.tags or {})[_VERSION]:
            instance.report_runless_asset_event(arrival)


def _known(arrivals: Sequence[dg.AssetMaterialization], instance: dg.DagsterInstance) -> dict[str, str]:
    """By partition, the version of the arrival that the UI was last told of."""
    if not arrivals:
        return {}
    found = instance.event_log_storage.get_latest_tags_by_partition(
        arrivals[0].asset_key,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        [_VERSION],
        [str(arrival.partition) for arrival in arrivals],
    )
    return {partition: tags[_VERSION] for partition, tags in found.items()}


def _taken_up(
    arrivals: Sequence[dg.AssetMaterialization], made: dg.AssetKey, instance: dg.DagsterInstance
) -> dict[str, str]:
    """By partition, the version of the arrival that `made` was materialized after."""

    def latest(key: dg.AssetKey) -> Mapping[str, int]:
        return instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, {str(arrival.partition) for arrival in arrivals}
        )

    if not arrivals:
        return {}
    told, done = latest(arrivals[0].asset_key), latest(made)
    known = _known(arrivals, instance)
    return {day: version for day, version in known.items() if done.get(day, 0) > told[day]}


def daily_sensor(
    name: str,
    *,
    description: str,
    target: Sequence[dg.AssetKey],
    raw: str,
    find: Callable[[ObjectStore], Mapping[date, D]],
    start: date,
    arrival: Callable[[D, ObjectStore], dg.AssetMaterialization],
    settings: Settings,
) -> dg.SensorDefinition:
    """A sensor that asks for each day whose delivery is new, or another one than was seen; `raw` names its store.

    Without a memory of its own, as when it starts for the first time, it takes for seen what the first target was made
    from.
    """

    @dg.sensor(
        name=name,
        target=dg.AssetSelection.assets(*target),
        minimum_interval_seconds=max(1, int(settings.sensor_interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
        required_resource_keys={raw},
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store: ObjectStore = getattr(context.resources, raw)
        try:
            found = find(store)
        except PlatformError as error:
            return dg.SensorResult(skip_reason=f"Not now: {error}", cursor=context.cursor)
        seen: dict[str, str]
        if context.cursor:
            seen = json.loads(context.cursor)
        else:
            seen = _taken_up([arrival(delivery, store) for delivery in found.values()], target[0], context.instance)
        today = datetime.now(UTC).date()
        news = [d for day, d in found.items() if start <= day <= today and seen.get(str(day)) != d.fingerprint]
        due = news[:AT_ONCE]
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(f"{name}/{d.day}/{d.fingerprint}/{d.version}", partition_key=str(d.day)) for d in due
            ],
            asset_events=[arrival(delivery, store) for delivery in due],
            cursor=json.dumps({**seen, **{str(delivery.day): delivery.fingerprint for delivery in due}}),
            skip_reason=None if due else "No new delivery.",
        )

    return arrivals
