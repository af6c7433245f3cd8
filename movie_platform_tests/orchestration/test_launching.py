"""A run whose process is gone is found; one that is still at work is left alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun

from movie_platform.orchestration.launching import LocalRunLauncher
from movie_platform.orchestration.runs import instance


@pytest.fixture
def local(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance(tmp_path / "home") as made:
        yield made


def _run_in(local: dg.DagsterInstance, *pids: int) -> DagsterRun:
    run = local.run_storage.add_run(DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
    for pid in pids:
        local.report_engine_event("Executing steps in process", run, EngineEventData.in_process(pid))
    return run


def _health(local: dg.DagsterInstance, run: DagsterRun) -> WorkerStatus:
    launcher = local.run_launcher
    assert isinstance(launcher, LocalRunLauncher), "what a new DAGSTER_HOME is made with"
    assert launcher.supports_check_run_worker_health
    return launcher.check_run_worker_health(run).status


def test_a_run_is_at_work_as_long_as_its_process_is_there(local: dg.DagsterInstance) -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = _run_in(local, worker.pid)
    assert _health(local, run) == WorkerStatus.RUNNING
    worker.kill()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert _health(local, run) == WorkerStatus.NOT_FOUND, "killed, also as long as nobody has waited for it"
    worker.communicate()
    found = local.run_launcher.check_run_worker_health(run)
    assert (found.status, found.msg) == (
        WorkerStatus.NOT_FOUND,
        f"its process {worker.pid} has ended, killed or with the machine",
    )


def test_the_process_that_wrote_last_counts(local: dg.DagsterInstance) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert _health(local, _run_in(local, ended.pid, os.getpid())) == WorkerStatus.RUNNING
    assert _health(local, _run_in(local, os.getpid(), ended.pid)) == WorkerStatus.NOT_FOUND


def test_a_later_process_of_the_same_number_is_another_one(
    local: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run_in(local, os.getpid())
    monkeypatch.setattr("psutil.Process.create_time", lambda _: time.time() + 3600)
    assert _health(local, run) == WorkerStatus.NOT_FOUND


def test_a_run_that_names_no_process_yet_is_left_alone(local: dg.DagsterInstance) -> None:
    assert _health(local, _run_in(local)) == WorkerStatus.RUNNING
