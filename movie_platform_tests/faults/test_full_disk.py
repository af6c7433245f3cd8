"""A lake whose disk is full or read-only: one message, nothing half, and all of it taken up when there is room."""

import errno
import os
from pathlib import Path

import pytest

from movie_platform.errors import WorldUnavailable
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "the disk is full; make room"), (errno.EROFS, "mounted read-only")]
)
def test_a_lake_without_room_says_so_holds_nothing_half_and_is_filled_later(
    number: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(tmp_path)
    deliver(platform.raw, W)
    with monkeypatch.context() as patch:

        def no_room(descriptor: int, data: memoryview) -> int:
            raise OSError(number, os.strerror(number))

        patch.setattr("movie_platform.lake.local.os.write", no_room)
        with pytest.raises(WorldUnavailable, match=f"a/b could not be written: .*{says}"):
            platform.lake.write("a/b", b"x")
    assert list(platform.lake.objects()) == []
    assert list((tmp_path / "lake" / ".under-way").iterdir()) == []
    assert platform.run(W).succeeded
    assert refusals.windows(platform.lake) == []
    assert [row.partition for row in platform.ledger()] == [W]
