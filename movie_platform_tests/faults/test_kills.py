"""A run that is killed before any change of the lake or statement of the warehouse, and run again, ends as if it were
never killed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from movie_platform_tests.deliveries.sources import SUBJECTS, Feed, Subject, subject_of
from movie_platform_tests.deliveries.test_guarantees import Killed, hooked

SAMPLED = 9
"""In `make test`, of the feed's boundaries one in so many is killed at; in `make soak` every one of every source."""


class Boundaries:
    """Counts what a run does to the outside, and ends it before number `at`."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.names: list[str] = []

    def before(self, what: str) -> None:
        self.names.append(what)
        if len(self.names) == self.at:
            raise Killed(what)


def fresh(kind: type[Subject], folder: Path) -> Subject:
    folder.mkdir()
    subject = subject_of(kind, (folder / "raw").as_uri(), (folder / "lake").as_uri(), folder)
    subject.deliver(1)
    subject.run()
    subject.deliver(2)
    return subject


def run_until(subject: Subject, boundaries: Boundaries, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        watched = hooked(subject, lambda key: boundaries.before(f"change of {key}"), patch)
        watched.process()
        announce(watched, boundaries, patch)
        watched.load()


def announce(subject: Subject, boundaries: Boundaries, patch: pytest.MonkeyPatch) -> None:
    """Each statement, insert and commit of the warehouse is a boundary too."""
    connect: Callable[[str], object] = subject.warehouse.connect

    def connected(purpose: str) -> object:
        return _Announced(connect(purpose), boundaries)

    patch.setattr(subject.warehouse, "connect", connected)


class _Announced:
    def __init__(self, inner: object, boundaries: Boundaries) -> None:
        self._inner, self._boundaries = inner, boundaries

    def __enter__(self) -> object:
        return _Connection(self._inner.__enter__(), self._boundaries)  # type: ignore[attr-defined]

    def __exit__(self, *arguments: object) -> object:
        return self._inner.__exit__(*arguments)  # type: ignore[attr-defined]


class _Connection:
    def __init__(self, inner: object, boundaries: Boundaries) -> None:
        self._inner, self._boundaries = inner, boundaries

    def __getattr__(self, name: str) -> object:
        value = getattr(self._inner, name)
        if name not in {"execute", "insert", "begin", "commit"}:
            return value

        def announced(*arguments: object) -> object:
            self._boundaries.before(f"{name} {str(arguments[0])[:40] if arguments else ''}")
            return value(*arguments)

        return announced


def state(subject: Subject) -> tuple[object, ...]:
    """What lake and warehouse hold: contents, and of the ledger the last version and rows of each table."""
    last = {(row.table_name, row.partition): (row.version, row.rows) for row in subject.warehouse.ledger()}
    return subject.loaded(), subject.in_lake(), subject.owed(), len(last), {rows for _, rows in last.values()}


def killed_everywhere(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int = 1
) -> tuple[int, list[str]]:
    """How many kills were made, and the boundaries after which something else was there than without a kill."""
    undisturbed, counted = fresh(kind, tmp_path / "undisturbed"), Boundaries()
    run_until(undisturbed, counted, monkeypatch)
    undisturbed.settle()
    expected, wrong, kills = state(undisturbed), [], 0
    for at in range(1, len(counted.names) + 1, every):
        subject = fresh(kind, tmp_path / f"killed-{at}")
        with pytest.raises(Killed):
            run_until(subject, Boundaries(at), monkeypatch)
        subject.settle()
        kills += 1
        if state(subject) != expected:
            wrong.append(f"{counted.names[at - 1]}: {state(subject)} instead of {expected}")
    return kills, wrong


def test_a_run_of_the_feed_killed_at_a_sample_of_boundaries_ends_as_if_it_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills, wrong = killed_everywhere(Feed, tmp_path, monkeypatch, SAMPLED)
    assert kills >= 3
    assert wrong == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_a_run_killed_at_any_boundary_ends_as_if_it_never_was(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills, wrong = killed_everywhere(kind, tmp_path, monkeypatch)
    print(f"{kind.source.name}: {kills} kills, {len(wrong)} ended otherwise")
    assert wrong == []
