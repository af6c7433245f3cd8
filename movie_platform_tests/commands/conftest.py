"""The feed's stores, for its commands."""

from pathlib import Path

import pytest

from movie_platform.lake import ObjectStore, open_store


@pytest.fixture
def raw(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "raw").as_uri())


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())
