"""Where each source stands by the raw side and the lake: one calculation for `status`, demonstration and metrics."""

from datetime import datetime

from movie_platform.deliveries.columns import ChangedColumn
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.status import SourceStatus, status_of
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed.status import FeedStatus, feed_status
from movie_platform.settings import Settings


def daily_sources() -> list[Source]:
    """The sources that deliver for days."""
    return [source for pipeline in PIPELINES if (source := source_of(pipeline)).partition == "day"]


def source_status(source: Source, settings: Settings, lake: ObjectStore, now: datetime) -> SourceStatus:
    raw = open_store(settings.source_uri(source.command), settings.s3_waits)
    return status_of(source, raw, lake, source.start(settings), settings.platform_name, now)


def columns_of_all(lake: ObjectStore, settings: Settings) -> dict[str, list[ChangedColumn]]:
    """By source the columns of its newest deliveries that are not as expected."""
    sources = map(source_of, PIPELINES)
    return {source.name: source.changed_columns(lake, settings) for source in sources}


def windows_status(settings: Settings, lake: ObjectStore, now: datetime) -> FeedStatus:
    raw = open_store(settings.source_uri("feed"), settings.s3_waits)
    return feed_status(raw, lake, settings.feed_start.first_delivery, now)
