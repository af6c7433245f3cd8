"""Everything Dagster knows of the platform, put together."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from movie_platform.operations.notifications import run_sensors
from movie_platform.pipelines.imdb_feed.assets import feed_assets, raw_triplet
from movie_platform.pipelines.imdb_feed.partitions import ten_minute_windows
from movie_platform.pipelines.imdb_feed.schedules import reconciliation
from movie_platform.pipelines.imdb_feed.sensors import feed_sensor, schedule_of
from movie_platform.resources import platform_resources
from movie_platform.settings import Settings, load_settings


def build_defs(settings: Settings | None = None, *, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The platform under the given settings (the environment's by default); `resources` replaces some of its own."""
    # Checks that know their partitions are a preview in Dagster; ours are tested against the version in the lock.
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    settings = settings or load_settings()
    return dg.Definitions.merge(
        _imdb_feed(settings),
        dg.Definitions(
            sensors=run_sensors(),
            resources={**platform_resources(settings), **(resources or {})},
            executor=dg.in_process_executor,
        ),
    )


def _imdb_feed(settings: Settings) -> dg.Definitions:
    windows = ten_minute_windows(settings.feed_start)
    return dg.Definitions(
        assets=[raw_triplet(windows), feed_assets(windows)],
        sensors=[feed_sensor(settings)],
        schedules=[reconciliation(schedule_of(settings))],
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
