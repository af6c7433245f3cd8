"""User behavior as a source of deliveries: a vendor's reviews, what the lake makes of each day, and what is owed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from movie_platform.csv_files.kinds import kind_of_type
from movie_platform.deliveries import Delivery, Manifest, manifests, until_undisturbed
from movie_platform.deliveries.columns import Expectation
from movie_platform.deliveries.copies import archived
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior import further_formats
from movie_platform.pipelines.user_behavior.archive import ARCHIVE, FILES, NAME, PURCHASES, REVIEWS, standings
from movie_platform.pipelines.user_behavior.metric import stage_key
from movie_platform.pipelines.user_behavior.purchase_columns import EXPECTED_TYPES, fits
from movie_platform.pipelines.user_behavior.tables import DELIVERED, MOVIE_REVIEW, REVIEW_COLUMNS

if TYPE_CHECKING:
    from movie_platform.warehouse import Warehouse


def _owed_loads(lake: ObjectStore, warehouse: "Warehouse", known: Mapping[str, Standing]) -> Mapping[str, str]:
    from movie_platform.pipelines.user_behavior.metric_build import owed_loads

    return owed_loads(lake, warehouse, known)


def _load_all(warehouse: "Warehouse", lake: ObjectStore, run_id: str) -> int:
    from movie_platform.pipelines.user_behavior.metric_build import load_all

    return load_all(warehouse, lake, run_id=run_id)


def _was_made(raw: ObjectStore, lake: ObjectStore, delivery: Delivery) -> bool:
    """Whether the day has a metric, and its archive exactly the delivered bytes: earlier versions kept no etags."""
    day = delivery.partition
    if lake.info(stage_key(date.fromisoformat(day))) is None:
        return False
    copies = {info.key: info for info in lake.objects(ARCHIVE.folder(day))}
    delivered = {ARCHIVE.folder(day) + ARCHIVE.name(key): info for key, info in delivery.files.items()}
    return copies.keys() == delivered.keys() and all(
        copies[key].size == info.size and manifests.sha256_of(lake, key) == manifests.sha256_of(raw, info.key)
        for key, info in delivered.items()
    )


NIGHTS = 7
"""Days back in which a nightly run that got lost is made up for."""


def _missed_nights(known: Mapping[str, Standing], now: datetime) -> dict[str, str]:
    """Days of the last week that are over and were never run though days before them were: their nightly run got lost.

    A platform that has run no day of the week was switched off, and nothing is made up for.
    """
    today = now.astimezone(UTC).date()
    week = [(today - timedelta(days=number)).isoformat() for number in range(NIGHTS, 0, -1)]
    run = [day for day in week if day in known]
    return {day: "its nightly run got lost" for day in week if run and day > run[0] and day not in known}


def copy_to_lake(raw: ObjectStore, lake: ObjectStore, day: date) -> Manifest | None:
    """Keep what is delivered for the day byte for byte; None where nothing ever was."""

    def find() -> Delivery | None:
        return FILES.find(raw, day.isoformat(), datetime.now(UTC))

    def work() -> Manifest | None:
        with archived(raw, lake, ARCHIVE, day.isoformat(), find) as delivered:
            return delivered.manifest if delivered else None

    return until_undisturbed(work, f"the reviews of {day}")


SOURCE = Source(
    name=NAME,
    command="behavior",
    title="User behavior",
    prefix=FILES.prefix,
    partition="day",
    shape=FILES,
    start=lambda settings: settings.behavior_start.isoformat(),
    due=lambda settings: settings.behavior_due,
    raw_asset="movie_review_files",
    description="A vendor's CSV files of movie reviews, in `movie_review/<date>/` or directly in `movie_review/`.",
    assets=("user_purchases", "movie_reviews_raw", "movie_reviews_classified", "user_behavior_metric"),
    made=(
        "stage/user_purchase/",
        "stage/movie_review/",
        "rejects/user_behavior/",
        "stage/user_behavior_metric/",
        *further_formats.MADE,
    ),
    owed_loads=_owed_loads,
    load_all=_load_all,
    was_made=_was_made,
    archive=REVIEWS,
    made_in_parts={REVIEWS: ("stage/movie_review/", "rejects/user_behavior/")},
    archives=((REVIEWS, ARCHIVE.root), (PURCHASES, "")),
    missed=_missed_nights,
    standings=standings,
    delivered=DELIVERED,
    expects=(
        Expectation(
            REVIEWS,
            files={"": dict(zip(REVIEW_COLUMNS, (kind_of_type(MOVIE_REVIEW["cid"].type), "text"), strict=True))},
            if_new="it is in no table, and its values stay in raw/movie_review/",
            if_unreadable="records that cannot be read are in rejects/user_behavior/",
        ),
        Expectation(
            PURCHASES,
            files={"": EXPECTED_TYPES},
            if_new="it is not read, and its values stay in the shop's database",
            if_gone="the purchases are not read, and what was served before stays",
            if_unreadable="the purchases are not read, and what was served before stays",
            fits=fits,
        ),
    ),
)
