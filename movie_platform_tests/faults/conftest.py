"""The process that others are forked from, to be killed."""

from collections.abc import Iterator

import pytest

from movie_platform_tests.faults.kills import IMPORTED
from movie_platform_tests.faults.processes import Processes, processes


@pytest.fixture(scope="session")
def forked() -> Iterator[Processes]:
    with processes(*IMPORTED) as started:
        yield started
