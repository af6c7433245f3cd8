"""A raw side and a lake on local disk, and each source that delivers for days."""

from pathlib import Path
from typing import cast

import pytest

from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore, open_store
from movie_platform_tests.deliveries.daily_sources import DAILY


@pytest.fixture
def raw(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "raw").as_uri())


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


@pytest.fixture(params=DAILY, ids=lambda source: source.name)
def source(request: pytest.FixtureRequest) -> Source:
    return cast(Source, request.param)
