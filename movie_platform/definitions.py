"""Everything Dagster knows of the platform, put together."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from movie_platform.orchestration import platform_resources
from movie_platform.orchestration.run_notices import run_sensors
from movie_platform.pipelines.imdb_feed.assets import feed_assets, raw_triplet
from movie_platform.pipelines.imdb_feed.partitions import ten_minute_windows
from movie_platform.pipelines.imdb_feed.schedules import reconciliation
from movie_platform.pipelines.imdb_feed.sensors import feed_sensor, schedule_of
from movie_platform.pipelines.movies_dataset.assets import dataset_answers, dataset_tables, dataset_zip
from movie_platform.pipelines.movies_dataset.partitions import delivery_days
from movie_platform.pipelines.movies_dataset.sensors import dataset_sensor
from movie_platform.pipelines.quality_movies.assets import good_movies, judged_movies, measured_movies, raw_movies
from movie_platform.pipelines.quality_movies.partitions import days as quality_days
from movie_platform.pipelines.quality_movies.rulesets import ruleset_in_use
from movie_platform.pipelines.quality_movies.schedules import load_reconciliation
from movie_platform.pipelines.quality_movies.sensors import quality_sensor
from movie_platform.pipelines.user_behavior.assets import behavior_assets
from movie_platform.pipelines.user_behavior.partitions import behavior_days
from movie_platform.pipelines.user_behavior.schedules import nightly_metric
from movie_platform.pipelines.user_behavior.sensors import behavior_sensor
from movie_platform.settings import Settings, load_settings


def build_defs(settings: Settings | None = None, *, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The platform under the given settings (the environment's by default); `resources` replaces some of its own."""
    # Checks that know their partitions are a preview in Dagster; ours are tested against the version in the lock.
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    settings = settings or load_settings()
    return dg.Definitions.merge(
        _imdb_feed(settings),
        _movies_dataset(settings),
        _quality_movies(settings),
        _user_behavior(settings),
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


def _movies_dataset(settings: Settings) -> dg.Definitions:
    days = delivery_days(settings.dataset_start)
    return dg.Definitions(
        assets=[dataset_zip(days), dataset_tables(days, settings), dataset_answers()],
        sensors=[dataset_sensor(settings)],
    )


def _quality_movies(settings: Settings) -> dg.Definitions:
    days = quality_days(settings.quality_start)
    rules = ruleset_in_use(settings)
    return dg.Definitions(
        assets=[
            raw_movies(days),
            judged_movies(days, rules, settings.quality_nulls, settings.quality_start),
            good_movies(days),
            measured_movies(days),
        ],
        sensors=[quality_sensor(settings, days, rules)],
        schedules=[load_reconciliation()],
    )


def _user_behavior(settings: Settings) -> dg.Definitions:
    days = behavior_days(settings.behavior_start)
    return dg.Definitions(
        assets=behavior_assets(settings, days),
        sensors=[behavior_sensor(settings)],
        schedules=[nightly_metric(days)],
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
