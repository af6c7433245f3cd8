"""The same trouble is notified once, again once a day while it lasts, and anew when it comes back."""

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.notify import Notifier, RuleResult, RunEnded, notify_unless_known
from movie_platform_tests.notify.test_memory import Pager
from movie_platform_tests.notify.test_notices import AT


@pytest.fixture
def pager() -> Pager:
    return Pager()


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


def run(number: int, at: datetime = AT, **changes: Any) -> RunEnded:
    fields: dict[str, Any] = {
        "run_id": f"run{number}",
        "job": "job",
        "succeeded": False,
        "assets": ("imdb_movies",),
        "partitions": "202603010000",
        "at": at,
        "reason": f"the bucket did not answer after {number} attempts",
    }
    return RunEnded(**{**fields, **changes})


def heard(pager: Pager, lake: ObjectStore, *runs: RunEnded) -> list[str]:
    for ended in runs:
        notify_unless_known(Notifier([pager]), ended, lake)
    return [notice.removeprefix("run-") for notice in pager.heard]


def test_a_trouble_that_lasts_is_notified_once_a_day(pager: Pager, lake: ObjectStore) -> None:
    every_six_hours = [run(number, AT + timedelta(hours=6 * number)) for number in range(9)]
    assert heard(pager, lake, *every_six_hours) == ["run0", "run4", "run8"]


def test_another_partition_another_reason_and_another_check_are_other_troubles(pager: Pager, lake: ObjectStore) -> None:
    check = RuleResult("rated on movies", "Failed")
    others = [
        run(1),
        run(2, partitions="202603010010"),
        run(3, reason="the disk is full"),
        run(4, succeeded=True, reason="", failed_checks=(check,)),
    ]
    assert heard(pager, lake, *others) == ["run1", "run2", "run3", "run4"]


def test_after_a_run_that_ended_well_the_next_failure_is_news(pager: Pager, lake: ObjectStore) -> None:
    well = run(2, succeeded=True, reason="")
    assert heard(pager, lake, run(1), well, run(3)) == ["run1", "run2", "run3"]
    assert list(lake.objects("notifications/troubles/")) != []


def test_a_channel_that_was_not_reached_hears_of_the_same_run_later(pager: Pager, lake: ObjectStore) -> None:
    broken = Pager()
    broken.name, broken.is_broken = "broken", True
    told = notify_unless_known(Notifier([pager, broken]), run(1), lake)
    assert set(told.failures) == {"broken"}
    broken.is_broken = False
    assert notify_unless_known(Notifier([pager, broken]), run(1), lake, already=told.by).by == ("broken",)
    assert pager.heard == broken.heard == ["run-run1"]


def test_a_lake_that_is_away_keeps_nobody_from_hearing(
    pager: Pager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    away = LocalStore((tmp_path / "lake").as_uri())
    away.root = tmp_path / "file"
    assert heard(pager, away, run(1), run(2)) == ["run1", "run2"]
    assert "is not remembered" in caplog.text


def test_a_memory_that_cannot_be_read_is_written_anew(pager: Pager, lake: ObjectStore) -> None:
    heard(pager, lake, run(1))
    (memory,) = lake.objects("notifications/troubles/")
    lake.write(memory.key, b"{")
    assert heard(pager, lake, run(2), run(3)) == ["run1", "run2"]


@given(hours=st.lists(st.integers(0, 20), min_size=1, max_size=15))
def test_whatever_the_pace_of_failures_reminders_are_a_day_apart(hours: list[int]) -> None:
    class Memory:
        """As much of a store as this needs."""

        def __init__(self) -> None:
            self.objects: dict[str, bytes] = {}

        def read(self, key: str) -> bytes:
            from movie_platform.errors import ObjectMissing

            if key not in self.objects:
                raise ObjectMissing(key)
            return self.objects[key]

        def write(self, key: str, data: bytes) -> None:
            self.objects[key] = data

    times, at = [], AT
    pager, memory = Pager(), Memory()
    for number, pause in enumerate(hours):
        at += timedelta(hours=pause)
        before = len(pager.heard)
        notify_unless_known(Notifier([pager]), run(number, at), memory)  # type: ignore[arg-type]
        times += [at] * (len(pager.heard) - before)
    assert times[0] == AT + timedelta(hours=hours[0])
    assert all(later - earlier >= timedelta(days=1) for earlier, later in itertools.pairwise(times))
    assert at - times[-1] < timedelta(days=1)
