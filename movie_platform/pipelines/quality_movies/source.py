"""The quality movies as a source of deliveries: daily CSV files, what the lake makes of them, and what is owed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from movie_platform.deliveries import Delivery
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.archive import ARCHIVE, EXPECTED, FILES, NAME
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.pipelines.quality_movies.tables import DELIVERED

if TYPE_CHECKING:
    from movie_platform.warehouse import Warehouse


def _owed_loads(lake: ObjectStore, warehouse: "Warehouse", known: Mapping[str, Standing]) -> Mapping[str, str]:
    from movie_platform.pipelines.quality_movies.loading import owed_loads

    return owed_loads(lake, warehouse, known)


def _load_all(warehouse: "Warehouse", lake: ObjectStore, run_id: str) -> int:
    from movie_platform.pipelines.quality_movies.loading import load_all

    return load_all(warehouse, lake, run_id=run_id)


def _was_made(_raw: ObjectStore, lake: ObjectStore, delivery: Delivery) -> bool:
    record = record_of(lake, delivery.partition)
    return record is not None and record.is_made_from(delivery)


def _is_served(lake: ObjectStore, day: str) -> bool:
    record = record_of(lake, day)
    return record is None or record.is_loaded


SOURCE = Source(
    name=NAME,
    command="quality",
    title="Quality movies",
    prefix=FILES.prefix,
    partition="day",
    shape=FILES,
    start=lambda settings: settings.quality_start.isoformat(),
    due=lambda settings: settings.quality_due,
    is_served=_is_served,
    raw_asset="quality_movies_raw",
    description="CSV files of rated movies that come every day, in `input_data/<date>/` or directly in `input_data/`.",
    assets=(
        "quality_movies_evaluated",
        "quality_movies_bad",
        "quality_rule_outcomes",
        "quality_movies_good",
        "quality_history",
    ),
    made=(
        "stage/quality_movies/",
        "bad-records/quality_movies/",
        "rejects/quality_movies/",
        "rule_outcome/",
        "quality_history/quality_movies/",
        "evaluations/quality_movies/",
    ),
    owed_loads=_owed_loads,
    load_all=_load_all,
    was_made=_was_made,
    archives=((NAME, ARCHIVE.root),),
    delivered=DELIVERED,
    expects=(EXPECTED,),
)
