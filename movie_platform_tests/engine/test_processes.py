"""A function over many texts gives the same in this process and in others, which leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil
import pytest

from movie_platform.engine import processes
from movie_platform.engine.processes import Processes

TEXTS = ["x" * (n % 7) for n in range(1_001)]
KILLED = f"""
import os, signal
from movie_platform.engine import processes
from {__name__} import TEXTS, own_process
processes.ALONE = 0
beside = processes.Processes(2)
print(*set(beside.answers(own_process, TEXTS)) - {{os.getpid()}}, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def lengths(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def own_process(texts: Sequence[str]) -> list[int]:
    return [os.getpid()] * len(texts)


def fails_elsewhere(texts: Sequence[str]) -> list[int]:
    if texts is TEXTS or len(texts) == 501:
        return [0] * len(texts)
    raise ValueError("no number")


def test_many_texts_are_divided_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ALONE", 0)
    beside = Processes(2)
    assert beside.answers(lengths, TEXTS) == lengths(TEXTS)
    found = set(beside.answers(own_process, TEXTS))
    assert len(found) == 2
    assert os.getpid() in found
    with pytest.raises(ValueError, match="no number"):
        beside.answers(fails_elsewhere, TEXTS)
    beside.close()
    assert not any(psutil.pid_exists(pid) for pid in found - {os.getpid()})


def test_few_texts_start_no_process() -> None:
    beside = Processes(2)
    assert set(beside.answers(own_process, TEXTS)) == {os.getpid()}
    assert set(Processes(1).answers(own_process, TEXTS * 10)) == {os.getpid()}


def test_the_others_end_with_a_process_that_is_killed() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (other,) = map(int, killed.stdout.split())
    until = time.monotonic() + 60
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(other).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, "it is still there"
            time.sleep(0.05)
