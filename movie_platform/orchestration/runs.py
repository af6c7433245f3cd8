"""The same assets as in the UI, run in this process."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg

from movie_platform.errors import LoadRefused, WorldUnavailable
from movie_platform.orchestration.events import PLATFORM_FAULT, UNREACHABLE

LOCAL_INSTANCE = Path(__file__).parent / "local_instance.yaml"
"""A new instance's `dagster.yaml`. The one in the project's folder is a link to it: an installed package has it too."""
PROCESS = "movie_platform/process"
"""Tag of a run in a process of a terminal: `<host>:<pid>`."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. `platform_fault` is true where it failed for another reason than the data's own."""

    run_id: str
    succeeded: bool
    platform_fault: bool
    message: str
    unreachable: bool = False
    """Whether something outside that could not be reached is the reason."""
    traceback: str = ""
    """Of the steps that failed by an error that nothing in the platform expected."""


@contextmanager
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance in a folder, so that the UI shows what ran; made with the settings of `LOCAL_INSTANCE`.

    The first to come makes its databases, which Dagster does unguarded: several terminals that start at once wait for
    each other. In a folder that may not be written, as in the image, an instance is configured that has them elsewhere.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _made_by_one(home) if os.access(home, os.W_OK) else nullcontext():
        configuration = home / "dagster.yaml"
        if not configuration.exists():
            configuration.write_bytes(LOCAL_INSTANCE.read_bytes())
        opened = dg.DagsterInstance.from_config(str(home))
        # The databases are made by the first question to each.
        opened.get_runs_count()
        opened.get_latest_storage_id_by_partition(dg.AssetKey("none"), dg.DagsterEventType.ASSET_MATERIALIZATION, set())
        opened.all_instigator_state()
    with opened:
        yield opened


def old_runs(on: dg.DagsterInstance, jobs: Sequence[str], before: datetime) -> list[str]:
    """The ids of the jobs' runs that ended and were asked for before the moment; the newest of each job stays, and the
    newest that succeeded."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    found: list[str] = []
    for job in jobs:
        newest = {
            *on.get_run_ids(dg.RunsFilter(job_name=job), limit=1),
            *on.get_run_ids(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1),
        }
        ids = on.get_run_ids(dg.RunsFilter(job_name=job, statuses=ended, created_before=before))
        found += [one for one in ids if one not in newest]
    return found


@contextmanager
def _made_by_one(home: Path) -> Iterator[None]:
    with (home / ".first-start.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_partitions(
    definitions: dg.Definitions,
    selection: Sequence[str],
    partitions: Sequence[str],
    on: dg.DagsterInstance,
    tags: Mapping[str, str] | None = None,
    *,
    job: str = "",
) -> RunOutcome:
    """Materialize assets over partitions that follow each other, in one run; never raises for what the run did.

    The run belongs to the named job. Without one it belongs to none, which the UI calls jobless; without partitions it
    is of assets that have none.
    """
    tags = {PROCESS: f"{socket.gethostname()}:{os.getpid()}", **(tags or {})}
    first, last = (partitions[0], partitions[-1]) if partitions else (None, None)
    if first and last and first != last:
        tags |= {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    # Checks that have a step of their own are left out: Dagster would plan each of them for every partition.
    own = {spec.key for name in selection for spec in definitions.resolve_assets_def(name).check_specs}
    whole = definitions.resolve_job_def(job) if job else definitions.resolve_implicit_global_asset_job_def()
    result = whole.get_subset(
        asset_selection={dg.AssetKey(name) for name in selection},
        asset_check_selection={key for key in own if key.asset_key.to_user_string() in selection},
    ).execute_in_process(
        partition_key=first if len(partitions) == 1 else None,
        tags=tags,
        instance=on,
        run_config=_QUIET,
        raise_on_error=False,
    )
    if result.success:
        return RunOutcome(result.run_id, succeeded=True, platform_fault=False, message="")
    return _failed(result)


def _failed(result: dg.ExecuteInProcessResult) -> RunOutcome:
    """A step that failed on purpose says whether the data or the platform is the reason."""
    messages, traces, fault, unreachable = [], [], False, False
    for event in result.get_step_failure_events():
        failure = event.step_failure_data
        intended = failure.user_failure_data
        if intended:
            messages.append(intended.description or "")
            found = intended.metadata.get(PLATFORM_FAULT)
            fault = fault or found is None or bool(found.value)
            unreachable = unreachable or (
                UNREACHABLE in intended.metadata and bool(intended.metadata[UNREACHABLE].value)
            )
        elif failure.error:
            cause = failure.error.cause or failure.error
            # A load that would take most rows out of a table is refused for what the data is.
            fault = fault or cause.cls_name != LoadRefused.__name__
            unreachable = unreachable or cause.cls_name == WorldUnavailable.__name__
            messages.append(cause.message.strip())
            traces.append(failure.error.to_string())
    return RunOutcome(
        result.run_id,
        succeeded=False,
        platform_fault=fault or not messages,
        message="; ".join(messages),
        unreachable=unreachable,
        traceback="\n".join(traces),
    )
