"""The Movies Dataset built by AWS Lambda or a Fargate task as soon as S3 says that its zip is there.

The handler is `movie_platform.pipelines.movies_dataset.lambda_handler.handle`, and its settings are the platform's.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from movie_platform.deliveries.announcements import objects_put
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.publication import publish_delivery
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.progress import LogProgress
from movie_platform.settings import load_settings


def handle(event: Mapping[str, Any], _context: object = None) -> dict[str, str]:
    """Build the deliveries that an event of S3 or EventBridge names; what became of each day.

    Other objects are left alone, and so is a delivery that is built already: S3 may send an event twice. A zip that is
    refused for what it is ends well, since another try would end the same; any other error is Lambda's to try again.
    """
    settings = load_settings()
    waits = settings.s3_waits
    raw, lake = open_store(settings.source_uri("dataset"), waits), open_store(settings.lake_uri, waits)
    named = set(objects_put(event))
    listing = SOURCE.shape.listing(raw, SOURCE.start(settings), datetime.now(UTC))
    found: dict[str, str] = {}
    for day, delivery in listing.deliveries.items():
        if not named.intersection(map(raw.uri_of, delivery.files)):
            continue
        if SOURCE.was_made(raw, lake, delivery):
            found[day] = "is built already"
            continue
        try:
            with DuckDBEngine(waits=waits) as engine:
                publish_delivery(
                    engine,
                    LogProgress(),
                    raw=raw.uri,
                    lake=lake.uri,
                    day=day,
                    max_bytes=settings.dataset_max_bytes,
                    max_ratio=settings.dataset_max_ratio,
                    formats=settings.dataset_formats,
                )
            found[day] = "is built"
        except InputRefused as refused:
            logging.getLogger(__name__).warning("The Movies Dataset of %s is refused: %s", day, refused)
            found[day] = f"is refused: {refused}"
    return found
