"""A month of the feed, broken windows, corrections and repetitions included; for `make soak`."""

import random
from pathlib import Path

import pytest

from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span, start_of
from movie_platform.samples.imdb_feed import FeedClient, defective, deliver
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W

DAYS = 30
A_DAY = 144


@pytest.mark.soak
def test_a_month_of_deliveries_ends_accounted_for_and_loaded_once(tmp_path: Path) -> None:
    platform, client, choice = Platform(tmp_path, feed_grace="0"), FeedClient(), random.Random(11)
    windows = list(span(W, shift(W, LENGTH * (DAYS * A_DAY - 1))))
    cursor = None
    for day in range(DAYS):
        today = windows[day * A_DAY : (day + 1) * A_DAY]
        late = choice.sample(today, 5)
        for window in today:
            files = client.triplet(window)
            if window not in late:
                deliver(platform.raw, window, defective(files, window, choice)[1] if choice.random() < 0.1 else files)
        cursor = settle(platform, cursor)
        for window in late + choice.sample(today, 5):  # deliveries that are late, and ones that come again
            deliver(platform.raw, window, FeedClient(seed=day).triplet(window))
        cursor = settle(platform, cursor)

    status = feed_status(platform.raw, platform.lake, W, start_of(windows[-1]) + LENGTH)
    assert status.waiting == ()
    assert {*status.processed, *(refusal.window for refusal in status.refused)} == set(windows)
    loads = [(row.partition, row.source_digests) for row in platform.ledger() if row.outcome == "loaded"]
    assert len(loads) == len(set(loads))
    assert {window for window, _ in loads} == set(status.processed)
    implied = platform.warehouse.query(
        'SELECT w.* FROM imdb_movie_windows w JOIN (SELECT movie_id, max("window") AS latest FROM imdb_movie_windows '
        'GROUP BY movie_id) l ON w.movie_id = l.movie_id AND w."window" = l.latest ORDER BY ALL'
    )
    assert platform.warehouse.query("SELECT * FROM imdb_movies ORDER BY ALL").equals(implied)
    assert implied.num_rows > 0


def settle(platform: Platform, cursor: str | None) -> str | None:
    """Tick and run until the sensor asks for nothing more."""
    while True:
        tick = platform.tick(cursor)
        cursor = tick.cursor
        if not tick.run_requests:
            return cursor
        for request in tick.run_requests:
            first = request.tags.get("dagster/asset_partition_range_start", request.partition_key)
            last = request.tags.get("dagster/asset_partition_range_end", request.partition_key)
            platform.run(*span(first, last))
