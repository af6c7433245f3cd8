"""A source is overdue by the time that its newest served window or day is of, and by nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from movie_platform.deliveries import receipts
from movie_platform.deliveries.receipts import NOTHING_DELIVERED, Receipt, made_of
from movie_platform.deliveries.source import Source
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.monitoring.freshness import Freshness, delivered_since, freshness_of
from movie_platform.pipelines.imdb_feed.processing import process, process_all
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span, start_of
from movie_platform.pipelines.quality_movies.evaluation import judge_day
from movie_platform.pipelines.quality_movies.source import SOURCE as QUALITY
from movie_platform.pipelines.user_behavior.source import SOURCE as BEHAVIOR
from movie_platform.settings import load_settings
from movie_platform_tests.deliveries.sources import DAY, SUBJECTS, Feed, Subject, subject_of
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver
from movie_platform_tests.pipelines.quality_movies.conftest import delivery, movie, rules_of

DUE = {"imdb_feed": timedelta(minutes=30), "quality_movies": timedelta(hours=25), "user_behavior": timedelta(hours=26)}


def found(source: Source, lake: ObjectStore, now: datetime) -> Freshness:
    return freshness_of(source, lake, load_settings(), now)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[ObjectStore, ObjectStore]:
    return open_store((tmp_path / "raw").as_uri()), open_store((tmp_path / "lake").as_uri())


@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_every_source_is_fresh_until_its_next_window_or_day_is_due(kind: type[Subject], tmp_path: Path) -> None:
    subject = subject_of(kind, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert found(subject.source, subject.lake, now).state(now) == "nothing yet"
    subject.deliver(1)
    subject.run()
    of = found(subject.source, subject.lake, now)
    length = LENGTH if kind is Feed else timedelta(days=1)
    assert of.newest == subject.partition
    assert of.ended == datetime(2026, 1, 1, tzinfo=UTC) + length
    if subject.source.name in DUE:
        assert of.due == of.ended + DUE[subject.source.name]
        assert [of.state(of.due), of.state(of.due + timedelta(microseconds=1))] == ["fresh", "overdue"]
    else:
        assert of.state(now + timedelta(days=999)) == "no cadence"


def test_an_old_window_that_is_back_filled_today_does_not_make_the_feed_fresh(
    stores: tuple[ObjectStore, ObjectStore],
) -> None:
    raw, lake = stores
    newest = shift(W, timedelta(days=3))
    for window in (newest, W):
        deliver(raw, window)
    now = start_of(newest) + timedelta(hours=5)
    process(raw, lake, newest)
    before = found(FEED, lake, now)
    assert before.state(now) == "overdue"
    process(raw, lake, W)
    assert found(FEED, lake, now) == before
    later = shift(newest, LENGTH)
    deliver(raw, later)
    process(raw, lake, later)
    assert found(FEED, lake, now).newest == later


def test_a_run_without_a_delivery_does_not_make_a_source_fresh(stores: tuple[ObjectStore, ObjectStore]) -> None:
    _, lake = stores
    receipts.put(lake, BEHAVIOR.name, Receipt("2026-01-01", 1, "f" * 16, made_of({})))
    receipts.put(lake, BEHAVIOR.name, Receipt("2026-01-02", 0, NOTHING_DELIVERED, made_of({})))
    assert found(BEHAVIOR, lake, datetime(2026, 1, 3, tzinfo=UTC)).newest == "2026-01-01"


def test_a_day_that_its_rules_hold_back_is_not_served(stores: tuple[ObjectStore, ObjectStore]) -> None:
    raw, lake = stores
    for day, rules in ((DAY, "RowCount = 1"), ("2026-01-02", "RowCount > 9")):
        raw.write(f"input_data/{day}/movies.csv", delivery(movie("A film")))
        judge_day(raw, lake, day, rules_of(f'{rules} labels=["action" = "block"]'))
    now = datetime(2026, 1, 4, tzinfo=UTC)
    assert found(QUALITY, lake, now).newest == DAY
    assert delivered_since(QUALITY, lake, DAY) == {"2026-01-02": False}


def test_what_came_and_is_refused_is_known_from_listings(stores: tuple[ObjectStore, ObjectStore]) -> None:
    raw, lake = stores
    bad = shift(W, LENGTH)
    deliver(raw, W)
    deliver(raw, bad, {"nothing.csv": b""})
    list(process_all(raw, lake, [W, bad]))
    assert delivered_since(FEED, lake, W) == {bad: True}


class Counting(LocalStore):
    """Counts the objects that are listed."""

    listed = 0

    def objects(self, *arguments: object, **named: object):  # type: ignore[no-untyped-def,override]
        for info in super().objects(*arguments, **named):  # type: ignore[arg-type]
            self.listed += 1
            yield info


def test_a_feed_that_is_served_costs_a_listing_of_one_day_however_much_is_older(tmp_path: Path) -> None:
    lake = Counting((tmp_path / "lake").as_uri())
    for window in span(W, shift(W, timedelta(days=9))):
        lake.write(f"deliveries/imdb_feed/{window}/{Receipt(window, 1, 'a' * 16, 'b' * 16).name}", b"")
    now = start_of(W) + timedelta(days=9, minutes=5)
    assert found(replace(FEED), lake, now).newest == shift(W, timedelta(days=9))
    assert lake.listed <= 2 * 24 * 6
