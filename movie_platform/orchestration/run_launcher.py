"""Runs whose process is gone are found, so that Dagster's retries start them again."""

import os
import socket

import dagster as dg
from dagster import DefaultRunLauncher

# Dagster exports neither what a launcher says of a run's process, nor how a code server is asked for it.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from movie_platform.orchestration.runs import PROCESS

ANSWERS_WITHIN = 10
"""Seconds."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts each run in a process of the code server, as Dagster's own launcher does.

    A code server reports the end of its processes. Where it was killed too, as all are when the machine loses power,
    a run of Dagster's own launcher counts as started until `max_runtime_seconds`: for six hours nobody processes what
    it had before it. This one asks the code server for the run, and has it fail where that server is gone or knows
    nothing of it. A run of a terminal fails where its process is gone from this machine.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:  # a run of a terminal, or one that has just ended
            if _is_gone(run.tags.get(PROCESS, "")):
                return CheckRunHealthResult(WorkerStatus.FAILED, "the process that ran it is gone")
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=ANSWERS_WITHIN)
        except DagsterUserCodeUnreachableError as error:
            # Behind a socket of this machine nothing comes back. One on the network may be away for a moment, and one
            # that is too busy to answer is there.
            if client.socket and "UNAVAILABLE" in str(error):
                return CheckRunHealthResult(WorkerStatus.FAILED, "the code server that ran it is gone")
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the code server was started anew and has no process of it")


def _is_gone(process: str) -> bool:
    """Whether the process is of this machine, or of this container, and no longer there."""
    host, _, number = process.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
