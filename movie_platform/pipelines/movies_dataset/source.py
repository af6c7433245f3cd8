"""The Movies Dataset as a source of deliveries: a zip, what the lake makes of it, and what is owed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from movie_platform.deliveries import Delivery
from movie_platform.deliveries.columns import Expectation
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS
from movie_platform.pipelines.movies_dataset.publication import FILES, MADE, NAME, read_publication
from movie_platform.pipelines.movies_dataset.tables import DELIVERED, EXPECTED, TABLES

if TYPE_CHECKING:
    from movie_platform.warehouse import Warehouse


def _owed_loads(lake: ObjectStore, warehouse: "Warehouse", known: Mapping[str, Standing]) -> Mapping[str, str]:
    from movie_platform.pipelines.movies_dataset.loading import owed_loads

    return owed_loads(lake, warehouse, known)


def _load_all(warehouse: "Warehouse", lake: ObjectStore, run_id: str) -> int:
    from movie_platform.pipelines.movies_dataset.loading import load_all

    return load_all(warehouse, lake, run_id=run_id)


def _was_made(_raw: ObjectStore, lake: ObjectStore, delivery: Delivery) -> bool:
    published = read_publication(lake, delivery.partition)
    return published is not None and [published.etag] == list(delivery.etags.values())


SOURCE = Source(
    name=NAME,
    command="dataset",
    title="The Movies Dataset",
    prefix=FILES.prefix,
    partition="day",
    shape=FILES,
    start=lambda settings: settings.dataset_start.isoformat(),
    due=lambda settings: settings.dataset_due,
    raw_asset="the_movies_dataset",
    description="The Movies Dataset as it is delivered: one zip with movies, keywords, credits, links and ratings.",
    assets=(*(table.name for table in TABLES), *(question.view for question in QUESTIONS)),
    made=MADE,
    owed_loads=_owed_loads,
    load_all=_load_all,
    was_made=_was_made,
    delivered=DELIVERED,
    expects=(
        Expectation(
            NAME,
            files=EXPECTED,
            if_new="it is in no table, and its values are in the delivered zip alone",
            if_gone="the zip is refused, and what was served before stays",
            if_unreadable="a cell that cannot be read is null, or its record no row where it must be there; each is in "
            "rejects/movies_dataset/",
        ),
    ),
)
