"""A run whose process died together with its code server is found, and no other one is."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any

import dagster as dg
import grpc
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._grpc.__generated__ import dagster_api_pb2, dagster_api_pb2_grpc
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value, serialize_value

from movie_platform.orchestration.run_launcher import WatchedRunLauncher
from movie_platform.orchestration.runs import PROCESS, instance, run_partitions


class CodeServer(dagster_api_pb2_grpc.DagsterApiServicer):
    """Knows of one run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def CanCancelExecution(self, request: Any, _context: object) -> Any:  # noqa: N802 - Dagster's name
        asked = deserialize_value(request.serialized_can_cancel_execution_request, CanCancelExecutionRequest)
        answer = serialize_value(CanCancelExecutionResult(can_cancel=asked.run_id == self.run_id))
        return dagster_api_pb2.CanCancelExecutionReply(serialized_can_cancel_execution_result=answer)


@contextmanager
def serving(run_id: str, at: str) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(1))
    dagster_api_pb2_grpc.add_DagsterApiServicer_to_server(CodeServer(run_id), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(at)
    server.start()
    yield port
    server.stop(None)


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRunLauncher]:
    with instance(tmp_path_factory.mktemp("home")) as on:
        found = on.run_launcher
        assert isinstance(found, WatchedRunLauncher), "a new instance gets it from the project's dagster.yaml"
        yield found


def started(launcher: WatchedRunLauncher, process: str = "", **server: object) -> dg.DagsterRun:
    tags = {".dagster/grpc_info": json.dumps({"host": "localhost", **server})} if server else {PROCESS: process}
    run = dg.DagsterRun("a job", status=dg.DagsterRunStatus.STARTED, tags=tags)
    launcher._instance.add_run(run)
    return run


def test_a_run_whose_code_server_is_gone_has_failed(launcher: WatchedRunLauncher, tmp_path: Path) -> None:
    socket = str(tmp_path / "s")
    run = started(launcher, socket=socket)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
    with serving(run.run_id, f"unix:{socket}"):
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_that_a_code_server_started_anew_knows_nothing_of_has_failed(launcher: WatchedRunLauncher) -> None:
    with serving("another run", "127.0.0.1:0") as port:
        run = started(launcher, port=port)
        assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


def test_a_code_server_on_the_network_that_does_not_answer_may_come_back(launcher: WatchedRunLauncher) -> None:
    with serving("", "127.0.0.1:0") as port:
        run = started(launcher, port=port)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_of_a_terminal_has_failed_where_its_process_is_gone(launcher: WatchedRunLauncher) -> None:
    process = subprocess.Popen(["sleep", "60"])
    run = started(launcher, f"{gethostname()}:{process.pid}")
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    process.kill()
    process.wait()
    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


@dg.asset
def nothing() -> None:
    """Made by a run."""


def test_a_command_of_a_terminal_names_its_process_with_the_run() -> None:
    on = dg.DagsterInstance.ephemeral()
    outcome = run_partitions(dg.Definitions(assets=[nothing]), ["nothing"], [], on)
    run = on.get_run_by_id(outcome.run_id)
    assert run
    assert run.tags[PROCESS] == f"{gethostname()}:{os.getpid()}"


def test_of_a_process_on_another_machine_nothing_is_known(launcher: WatchedRunLauncher) -> None:
    for process in ("another:999999999", ""):
        assert launcher.check_run_worker_health(started(launcher, process)).status is WorkerStatus.RUNNING
