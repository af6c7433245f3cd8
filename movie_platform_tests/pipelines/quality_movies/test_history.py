"""A history of days in the lake gives what the engine's own histories give."""

from datetime import UTC, datetime

import pytest

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.history import LakeHistory, moment_of
from movie_platform.quality import InMemoryHistory

DAYS = ("2026-03-01", "2026-03-02", "2026-03-05")


@pytest.mark.parametrize("last", [None, 1, 2, 10])
@pytest.mark.parametrize("before", ["2026-03-01", "2026-03-05", "2026-03-06"])
def test_it_looks_back_like_any_other_history(store: ObjectStore, before: str, last: int | None) -> None:
    memory = InMemoryHistory()
    for number, day in enumerate(DAYS):
        for history in (memory, LakeHistory(store)):
            history.record("movies", moment_of(day), {"RowCount": float(number), "Other": 1.0})
            history.record("another", moment_of(day), {"RowCount": 99.0})
    expected = memory.series("movies", "RowCount", before=moment_of(before), last=last)
    assert list(LakeHistory(store).series("movies", "RowCount", before=moment_of(before), last=last)) == list(expected)


def test_an_evaluation_that_is_repeated_replaces_what_it_recorded(store: ObjectStore) -> None:
    for value in (1.0, 2.0):
        LakeHistory(store).record("movies", moment_of("2026-03-01"), {"RowCount": value})
    (point,) = LakeHistory(store).series("movies", "RowCount", before=datetime(2026, 4, 1, tzinfo=UTC))
    assert point.value == 2.0


def test_a_metric_that_is_new_has_no_past(store: ObjectStore) -> None:
    LakeHistory(store).record("movies", moment_of("2026-03-01"), {"RowCount": 1.0})
    assert LakeHistory(store).series("movies", "Mean", before=datetime(2026, 4, 1, tzinfo=UTC)) == []
