"""The feed as Dagster knows it."""

import dagster as dg

from movie_platform.orchestration.events import raw_asset
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.pipelines.imdb_feed.assets import GROUP, feed_assets, feed_checks
from movie_platform.pipelines.imdb_feed.partitions import ten_minute_windows
from movie_platform.pipelines.imdb_feed.sensors import feed_sensor
from movie_platform.pipelines.imdb_feed.source import SOURCE, source_of
from movie_platform.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    windows, shown = (ten_minute_windows(first) for first in (settings.feed_start.first_run, str(settings.feed_start)))
    return dg.Definitions(
        assets=[
            raw_asset(SOURCE, windows, GROUP),
            feed_assets(windows, shown, settings.feed_lookback, settings.feed_max_bytes),
        ],
        asset_checks=[feed_checks(settings.feed_lookback)],
        sensors=[feed_sensor(settings)],
        schedules=[reconciliation(source_of(settings), settings, minute=17)],
    )
