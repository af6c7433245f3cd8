"""The same news is told once to each channel."""

import logging
from pathlib import Path

import pytest

from movie_platform.errors import PlatformError
from movie_platform.lake import LocalStore, ObjectStore
from movie_platform.notify import Notice, Notifier, notify_once, open_notifier
from movie_platform_tests.notify.test_notices import evaluation

KEY = "notifications/quality_movies/2026-03-01.json"


class Pager:
    """A channel that is out of order for a while."""

    name = "pager"

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.is_broken = False

    def send(self, notice: Notice) -> None:
        if self.is_broken:
            raise PlatformError("the pager has no battery")
        self.heard.append(notice.id)

    def examine(self) -> str:
        return "rings"


def test_the_same_news_is_told_once(store: ObjectStore) -> None:
    pager = Pager()
    for _ in range(3):
        notify_once(Notifier([pager]), evaluation(), store, KEY)
    assert pager.heard == ["dqresult-1"]


def test_other_news_of_the_same_day_is_told(store: ObjectStore) -> None:
    pager = Pager()
    for name in ("first", "first", "second", "second", "first"):
        notify_once(Notifier([pager]), evaluation(id=name), store, KEY)
    assert pager.heard == ["first", "second", "first"]


def test_who_was_not_reached_is_told_later_and_the_others_not_again(store: ObjectStore) -> None:
    first, second = Pager(), Pager()
    second.name, second.is_broken = "second pager", True
    delivered = notify_once(Notifier([first, second]), evaluation(), store, KEY)
    assert delivered.failures == {"second pager": "the pager has no battery"}
    second.is_broken = False
    assert notify_once(Notifier([first, second]), evaluation(), store, KEY).everywhere
    assert first.heard == second.heard == ["dqresult-1"]


def test_a_lake_that_is_away_keeps_nobody_from_hearing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    lake = LocalStore((tmp_path / "lake").as_uri())
    lake.root = tmp_path / "file"
    with caplog.at_level(logging.INFO, "movie_platform.notify"):
        delivered = notify_once(open_notifier(["log"]), evaluation(), lake, KEY)
    assert delivered.by == ("log",)
    assert "is not remembered" in caplog.text
