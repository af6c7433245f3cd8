"""Launches the runs of a local instance, and finds those whose process is gone."""

import dagster as dg
import psutil
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus  # every launcher answers with them


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Dagster's own launcher, which can also say whether the process of a run is still there.

    Without that, a run whose process was killed, or ended with the machine, is shown as started for hours, and holds up
    every other run of its window or day. So it is failed by Dagster's monitoring, and tried again by itself. Only for
    instances whose runs are all on one machine.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process that last wrote into the run's log that it works on it is running."""
        named = [
            (int(str(pid.value)), entry.timestamp)
            for entry in self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            if (pid := entry.get_dagster_event().engine_event_data.metadata.get("pid"))
        ]
        if not named or _is_running(*named[-1]):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"its process {named[-1][0]} has ended, killed or with the machine"
        )


def _is_running(pid: int, since: float) -> bool:
    """Whether the process of that number runs since then, and is no later one that got the number again."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1)
    except psutil.NoSuchProcess:
        return False
