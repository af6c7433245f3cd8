"""Ticks that wait for S3's announcements, so that a run is asked for seconds after a delivery is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import dagster as dg

from movie_platform.deliveries.announcements import Announcements, Watch, announcements_of
from movie_platform.deliveries.source import Source
from movie_platform.errors import PlatformError
from movie_platform.settings import Settings

WAITS_FOR = 19
"""Seconds. Dagster's sensor daemon turns every five: a tick that ends just before its fourth turn leaves a gap of a
second before the next one. SQS lets a receiver wait 20 s, and Dagster a tick 60 s."""


class Scanned(Protocol):
    """What a scan found."""

    @property
    def requests(self) -> tuple[Any, ...]: ...


Found = TypeVar("Found", bound=Scanned)


@dataclass(frozen=True)
class Arrivals:
    """How a source's sensor learns that something arrived: by its interval, or also from a queue."""

    interval: int
    """Seconds from the beginning of a tick until the next one may begin."""
    place: str = ""
    announcements: Announcements | None = None

    def scanned(self, context: dg.SensorEvaluationContext, scan: Callable[[], Found]) -> Found:
        """What a scan finds. While there is nothing to be run, the tick waits for announcements and scans again.

        Every scan begins where the tick did, so the last one finds all that the ones before it did.
        """
        if self.announcements is None:
            return scan()
        until = time.monotonic() + self._waits_for(context)
        with self.announcements.watch(self.place) as watch:
            try:
                found = scan()
                while not found.requests and _is_announced(context, watch, until):
                    found = scan()
                    if time.monotonic() >= until:
                        break
                return found
            finally:
                for said in watch.unknown:
                    context.log.warning(f"{said}. It is removed from the queue.")

    def _waits_for(self, context: dg.SensorEvaluationContext) -> int:
        if context.instance.get_sensor_settings().get("use_threads"):
            return WAITS_FOR
        context.log.warning(
            "The tick does not wait for announcements, since all other sensors would wait for it: set `sensors: "
            "{use_threads: true, num_workers: 10}` in dagster.yaml."
        )
        return 0


def _is_announced(context: dg.SensorEvaluationContext, watch: Watch, until: float) -> bool:
    try:
        return watch.wait(until)
    except PlatformError as error:
        context.log.warning(f"Nobody hears of arrivals now, the next tick looks for them: {error}")
        return False


def arrivals_of(source: Source, settings: Settings) -> Arrivals:
    """As the settings say; deliveries on this machine's disk are announced by nobody."""
    uri = settings.source_uri(source.command)
    kind, _, url = settings.arrivals.partition(":")
    if kind == "poll" or not uri.startswith("s3://"):
        return Arrivals(max(1, int(settings.sensor_interval.total_seconds())))
    place, announcements = f"{uri}/{source.prefix}", announcements_of(url, settings.aws_waits)
    announcements.know(place)
    return Arrivals(1, place, announcements)
