"""Readers of what others send keep their claims for any bytes: some in every run, an hour of each when soaked."""

import random
import subprocess
import sys
import time
from importlib.util import find_spec

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from movie_platform_tests.fuzzing import FUZZ_SECONDS
from movie_platform_tests.fuzzing.targets import TARGETS


def altered(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """A seed with pieces cut out, doubled, replaced by noise or by pieces of another."""

    def alter(seed: bytes, other: bytes, noise: bytes, randomness: random.Random) -> bytes:
        data = bytearray(seed)
        for _ in range(randomness.randint(0, 4)):
            start = randomness.randint(0, len(data))
            end = min(len(data), start + randomness.randint(0, 8))
            piece = randomness.choice([b"", bytes(data[start:end]) * 2, noise, other[start:end]])
            data[start:end] = piece
        return bytes(data)

    return st.builds(
        alter, st.sampled_from(seeds), st.sampled_from(seeds), st.binary(max_size=6), st.randoms(use_true_random=False)
    )


def run(name: str, examples: int) -> None:
    target = TARGETS[name]

    @hypothesis.settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(altered(target.seeds), st.binary(max_size=40)))
    def holds(data: bytes) -> None:
        target.check(data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_keeps_its_claims_for_what_it_was_made_for(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_keeps_its_claims_for_any_bytes(name: str) -> None:
    run(name, 100)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_keeps_its_claims_for_an_hour_of_bytes(name: str) -> None:
    if find_spec("atheris") is None:  # no wheel for this Python: examples without guidance
        end = time.monotonic() + FUZZ_SECONDS
        while time.monotonic() < end:
            run(name, 1_000)
        return
    command = [sys.executable, "-m", "movie_platform_tests.fuzzing.guided", name, str(FUZZ_SECONDS)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-5_000:]
