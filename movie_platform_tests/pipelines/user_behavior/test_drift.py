"""A day whose share of positive reviews is unlike the days before is named, and nothing else is."""

from datetime import date, timedelta
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.user_behavior.classification import classified_by, outdated, stage_key
from movie_platform.pipelines.user_behavior.classifiers import label
from movie_platform.pipelines.user_behavior.drift import FEWEST_DAYS, DayShare, Drift, drift
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW
from movie_platform_tests.pipelines.user_behavior.conftest import DAY


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


def stage(lake: ObjectStore, day: date, positive: int, reviews: int = 1_000, judged_by: str | None = "model 1") -> None:
    rows = [
        {
            "source": "a.csv",
            "record_number": n,
            "cid": 1,
            "positive_review": n < positive,
            "second_opinion": True,
            "score": 0.5,
            "classifier": judged_by,
        }
        for n in range(reviews)
    ]
    table = pa.Table.from_pylist(rows, MOVIE_REVIEW.arrow_schema)
    out = pa.BufferOutputStream()
    pq.write_table(table if judged_by else table.drop_columns(["score", "classifier"]), out)
    lake.write(stage_key(day), out.getvalue().to_pybytes())


def before(number: int) -> date:
    return DAY - timedelta(days=number)


def test_a_share_far_from_the_last_days_is_drift(lake: ObjectStore) -> None:
    for number in range(1, 20):
        stage(lake, before(number), 480 + number * 2)
    stage(lake, DAY, 510)
    assert drift(lake, DAY).is_usual
    stage(lake, DAY, 950)
    found = drift(lake, DAY)
    assert not found.is_usual
    assert str(found).startswith("95.0% positive, usually 50.0% (median of 19 days)")


def test_days_of_another_classifier_and_older_ones_are_not_compared(lake: ObjectStore) -> None:
    for number in range(1, 7):
        stage(lake, before(number), 500)
    stage(lake, before(8), 500, judged_by="token 1")
    stage(lake, before(9), 0, reviews=0)
    stage(lake, before(29), 500)
    stage(lake, DAY, 990)
    found = drift(lake, DAY)
    assert len(found.before) == 6
    assert found.is_usual
    assert str(found) == "99.0% positive; 6 of the 28 days before can be compared, 7 are needed"
    stage(lake, before(28), 500)
    assert not drift(lake, DAY).is_usual


def test_a_day_without_reviews_is_no_drift(lake: ObjectStore) -> None:
    assert drift(lake, DAY).is_usual
    stage(lake, DAY, 0, reviews=0)
    assert str(drift(lake, DAY)) == "no review was classified"


@hypothesis.given(
    days=st.lists(st.integers(0, 200), min_size=FEWEST_DAYS, max_size=28), today=st.integers(0, 200), turn=st.randoms()
)
def test_the_order_of_the_days_before_does_not_matter(days: list[int], today: int, turn: object) -> None:
    shares = [DayShare(200, positive) for positive in days]
    shuffled = list(shares)
    turn.shuffle(shuffled)  # type: ignore[attr-defined]
    here = DayShare(200, today)
    assert Drift(here, tuple(shares)).is_usual == Drift(here, tuple(shuffled)).is_usual
    assert Drift(DayShare(200, days[0]), (DayShare(200, days[0]),) * FEWEST_DAYS).is_usual


def test_days_are_outdated_that_another_version_or_an_earlier_release_judged(lake: ObjectStore) -> None:
    stage(lake, before(1), 5, reviews=10, judged_by=label("model"))
    stage(lake, before(2), 5, reviews=10, judged_by="model 00000000")
    stage(lake, before(3), 5, reviews=10, judged_by="token 1")
    stage(lake, before(4), 5, reviews=10, judged_by=None)
    stage(lake, before(5), 0, reviews=0)
    days = [before(number) for number in range(1, 8)]
    assert outdated(lake, days, "model") == [before(2), before(3), before(4)]
    assert outdated(lake, days, "token") == [before(1), before(2), before(4)]
    assert classified_by(lake, before(4)) == ""
    assert classified_by(lake, before(5)) is classified_by(lake, before(6)) is None
