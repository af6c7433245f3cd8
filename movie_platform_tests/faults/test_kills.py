"""A run whose process is killed at any moment, and that is run again, ends as if it was never killed.

Every process here is a real one that the kernel ends: nothing of it is closed, rolled back or tidied up.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from movie_platform_tests.deliveries.sources import SUBJECTS, Feed, Subject
from movie_platform_tests.faults.kills import (
    How,
    Place,
    corrected,
    difference,
    prepared,
    settled,
)
from movie_platform_tests.faults.processes import Processes

SAMPLED = 13
"""In `make test`, of the feed's places one in so many is killed at; in `make soak` every one of every source."""
MOMENTS = 40
"""Kills by the clock, spread over the time that a run takes."""
KILLED = (-signal.SIGKILL, -signal.SIGXFSZ)


@dataclass
class Kills:
    """What a correction ends with wherever its run is killed, and what was found."""

    processes: Processes
    kind: type[Subject]
    folder: Path
    made: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ready, self.now = Place(self.kind, self.folder / "ready"), Place(self.kind, self.folder / "now")
        self.processes.run(prepared, self.ready)
        self.ready.copied_to(self.now.folder)
        began = time.monotonic()
        self.names: list[str] = self.processes.run(corrected, self.now)
        self.takes = time.monotonic() - began
        self.expected = self.processes.run(settled, self.now)

    def places(self) -> list[tuple[int, How]]:
        """Before each boundary, and within each file and each end of a transaction that is written."""
        written = ("open", "commit", "close")
        before: list[tuple[int, How]] = [(at, "before") for at in range(1, len(self.names) + 1)]
        return before + [(at, "within") for at, _ in before if self.names[at - 1].startswith(written)]

    def kill_at(self, at: int, how: How) -> None:
        self.ready.copied_to(self.now.folder)
        self.processes.start(corrected, self.now, at, how)
        self._compare(f"{how} {self.names[at - 1]}")

    def kill_after(self, seconds: float) -> None:
        self.ready.copied_to(self.now.folder)
        process = self.processes.start(corrected, self.now)
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it was faster
            os.kill(process, signal.SIGKILL)
        self._compare(f"after {seconds:.3f} s")

    def _compare(self, where: str) -> None:
        code, result = self.processes.wait()
        assert code in {0, *KILLED}, f"{where}: {result}"
        self.made += code in KILLED
        if found := difference(self.processes.run(settled, self.now), self.expected):
            self.wrong.append(f"{where}: {found}")


def test_a_run_of_the_feed_killed_at_a_sample_of_places_ends_as_if_it_never_was(
    tmp_path: Path, forked: Processes
) -> None:
    kills = Kills(forked, Feed, tmp_path)
    places = kills.places()[::SAMPLED]
    for at, how in places:
        kills.kill_at(at, how)
    assert kills.wrong == []
    assert {how for _, how in places} == {"before", "within"}
    assert kills.made >= len(places) - 1, "an empty file cannot be cut off"


@pytest.mark.soak
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_a_run_killed_at_any_place_and_at_any_moment_ends_as_if_it_never_was(
    kind: type[Subject], tmp_path: Path, forked: Processes
) -> None:
    kills = Kills(forked, kind, tmp_path)
    counts = []
    for name in ("before", "within"):
        made = kills.made
        for at, how in kills.places():
            if how == name:
                kills.kill_at(at, how)
        counts.append(kills.made - made)
    made = kills.made
    for moment in range(MOMENTS):
        kills.kill_after(kills.takes * moment / MOMENTS)
    counts.append(kills.made - made)
    print(f"{kind.source.name}: killed before, within, by the clock: {counts}; {len(kills.wrong)} ended otherwise")
    assert kills.wrong == []
    assert min(counts) > 0
