"""Random sequences of deliveries, corrections, repeats, runs, partial runs, kills and second writers, for each source.

The model is one number: the content that was delivered last. Whatever happened before, lake and warehouse end with it.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.errors import PlatformError
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.deliveries.sources import BASE, SUBJECTS, Subject, subject_of
from movie_platform_tests.deliveries.test_guarantees import Killed, assert_everywhere, hooked

STEPS = 8
SHORT = {"imdb_feed": 12, "movies_dataset": 2, "quality_movies": 6, "user_behavior": 3, "box_office": 6}
LONG = 1_000


def play(kind: type[Subject], folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sequence; what it did stands in the message of a failure."""
    choice = random.Random(seed)
    folder.mkdir()
    subject = subject_of(kind, (folder / "raw").as_uri(), (folder / "lake").as_uri(), folder)
    done: list[str] = []
    delivered: list[int] = []

    def deliver() -> None:
        # Of few contents, so that one comes back; dated anywhere in two days.
        delivered.append(choice.randint(1, 4))
        subject.deliver(delivered[-1], at=BASE + timedelta(minutes=choice.randint(-1440, 1440)))

    def broken() -> None:
        subject.deliver(0, files=subject.broken(), at=BASE + timedelta(minutes=choice.randint(-1440, 1440)))

    def run() -> None:
        subject.run_and_survive()

    def run_of_what_is_behind_the_archive() -> None:
        try:
            subject.process_archive()
            subject.load()
        except (PlatformError, AttributeError):
            done.append("refused")

    def run_while_the_warehouse_is_busy() -> None:
        with held(folder / "warehouse.duckdb.lock", "a long load", Deadline.after(timedelta(seconds=1))):
            subject.run_and_survive()

    def disturbed(what: Callable[[], None]) -> None:
        position, count = choice.randint(1, 12), 0

        def before_change(_key: str) -> None:
            nonlocal count
            count += 1
            if count == position:
                what()

        with monkeypatch.context() as patch:
            late = hooked(subject, before_change, patch)
            try:
                late.run_and_survive()
            except Killed:
                done.append("killed")

    def killed_run() -> None:
        def kill() -> None:
            raise Killed

        disturbed(kill)

    def overtaken_run() -> None:
        def overtake() -> None:
            deliver()
            type(subject)(subject.raw, subject.lake, subject.warehouse).run_and_survive()

        disturbed(overtake)

    steps = [deliver, deliver, broken, run, run, run_of_what_is_behind_the_archive, killed_run, overtaken_run]
    steps.append(run_while_the_warehouse_is_busy)
    try:
        deliver()
        for _ in range(STEPS):
            step = choice.choice(steps)
            done.append(step.__name__)
            step()
            assert subject.loaded() in {None, *delivered}
        deliver()
        subject.settle()
        assert_everywhere(subject, delivered[-1])
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {done}, delivered {delivered}: {error}") from error


@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_any_order_of_events_ends_as_delivered(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(SHORT[kind.source.name]):
        play(kind, tmp_path / str(seed), seed, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_any_of_a_thousand_orders_of_events_ends_as_delivered(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(LONG):
        play(kind, tmp_path / str(seed), seed + 1_000_000, monkeypatch)
