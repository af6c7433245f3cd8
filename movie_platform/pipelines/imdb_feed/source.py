"""The feed as a source of deliveries: its windows, what the lake makes of them, and what is owed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from movie_platform.deliveries import Delivery, receipts
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import arrivals, refusals
from movie_platform.pipelines.imdb_feed.arrivals import Schedule
from movie_platform.pipelines.imdb_feed.columns import EXPECTED, delivered_columns
from movie_platform.pipelines.imdb_feed.deliveries import NAME, RAW_PREFIX, Windows
from movie_platform.pipelines.imdb_feed.tables import DELIVERED
from movie_platform.settings import Settings

if TYPE_CHECKING:
    from movie_platform.warehouse import Warehouse


def schedule_of(settings: Settings) -> Schedule:
    return Schedule(settings.feed_start, settings.feed_grace, settings.feed_lookback, settings.platform_name)


def _owed_loads(lake: ObjectStore, warehouse: "Warehouse", known: Mapping[str, Standing]) -> Mapping[str, str]:
    from movie_platform.pipelines.imdb_feed.loading import owed_loads

    return owed_loads(lake, warehouse, known)


def _load_all(warehouse: "Warehouse", lake: ObjectStore, run_id: str) -> int:
    from movie_platform.pipelines.imdb_feed.loading import load_all

    return load_all(warehouse, lake, run_id=run_id)


def _was_made(_raw: ObjectStore, lake: ObjectStore, delivery: Delivery) -> bool:
    return arrivals.was_made(lake, delivery)


def _standings(lake: ObjectStore, first: str = "", last: str = "") -> Mapping[str, Standing]:
    """With the windows that are refused for what was delivered; the others are tried again every hour anyway."""
    found = dict(receipts.standings(lake, NAME, since=first, until=last))
    for refusal in refusals.every(lake):
        if first <= refusal.window and (not last or refusal.window <= last):
            standing = found.get(refusal.window, Standing())
            found[refusal.window] = replace(standing, refused=(*standing.refused, refusal.fingerprint))
    return found


def source_of(settings: Settings) -> Source:
    """The feed, whose waiting for the files of a window goes by a setting."""
    return replace(SOURCE, is_waiting=lambda delivery, now: arrivals.is_awaited(delivery, settings.feed_grace, now))


SOURCE = Source(
    name=NAME,
    command="feed",
    title="IMDB feed",
    prefix=RAW_PREFIX,
    partition="window",
    shape=Windows(),
    start=lambda settings: settings.feed_start.first_delivery,
    asked_from=lambda settings: settings.feed_start,
    due=lambda settings: settings.feed_due,
    raw_asset="imdb_raw_triplet",
    description="Three CSV files that the client delivers every ten minutes: movies (type A), pairs of movie and "
    "director (type B), people (type C).",
    assets=("imdb_archive", "imdb_clean", "imdb_movies"),
    made=("clean_files/", "partitioned/filetime=", "rejects/imdb_feed/", "bad-records/imdb_feed/"),
    owed_loads=_owed_loads,
    load_all=_load_all,
    was_made=_was_made,
    archives=((NAME, "archive/"),),
    standings=_standings,
    delivered=DELIVERED,
    expects=(EXPECTED,),
    delivered_columns=delivered_columns,
)
