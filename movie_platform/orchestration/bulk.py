"""Where a run's bulk work is done: in its own process on DuckDB, or by a Spark driver through Dagster Pipes."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import dagster as dg
from dagster import (
    PipesEnvContextInjector,
    PipesSubprocessClient,
    PipesTempFileContextInjector,
    PipesTempFileMessageReader,
    open_pipes_session,
)

from movie_platform.aws import POLLED, aws_client
from movie_platform.engine.jobs import FAILURE, RESULT, JobFailed, Result, error_from_message, run_job
from movie_platform.engine.shipping import PREFIX, Shipped, ship
from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.lake import S3Store, open_store
from movie_platform.progress import LogProgress
from movie_platform.setting_values import PACKAGE_PARENT
from movie_platform.settings import Settings, variable
from movie_platform.waits import Waits

POLL_SECONDS = 5.0
_ENDED = {"COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"}


class Bulk(Protocol):
    """Does a job of `movie_platform.engine.jobs` for a run."""

    engine: str

    def run(self, context: dg.AssetExecutionContext, job: str, parameters: Mapping[str, Any]) -> Result:
        """The job's result. What stopped it is raised as the error that it was, `JobFailed` where it was none of ours.

        A run that is cancelled stops its job.
        """
        ...


def bulk_of(settings: Settings) -> Bulk:
    """The engine that the setting names; nothing is started before the first job."""
    if settings.engine == "duckdb":
        return InProcess(settings.s3_waits)
    target = settings.engine.removeprefix("spark").removeprefix(":") or "local[*]"
    if target.startswith("emr-serverless:"):
        return ServerlessSpark(target.removeprefix("emr-serverless:"), settings)
    if target.startswith("emr:"):
        return StepSpark(target.removeprefix("emr:"), settings)
    return SubprocessSpark(target, settings)


class InProcess:
    """DuckDB in the run's own process."""

    engine = "duckdb"

    def __init__(self, waits: Waits) -> None:
        self._waits = waits

    def run(self, context: dg.AssetExecutionContext, job: str, parameters: Mapping[str, Any]) -> Result:
        from movie_platform.engine.in_process import DuckDBEngine

        with DuckDBEngine(waits=self._waits) as engine:
            return run_job(job, parameters, engine, LogProgress())


class SubprocessSpark:
    """A driver as a process on this machine: with its workers in it, or with those of a standalone cluster."""

    engine = "spark"

    def __init__(self, master: str, settings: Settings) -> None:
        self._master = master
        self._settings = settings

    def run(self, context: dg.AssetExecutionContext, job: str, parameters: Mapping[str, Any]) -> Result:
        reader = _KeptFileMessages()
        client = PipesSubprocessClient(
            context_injector=PipesTempFileContextInjector(), message_reader=reader, termination_timeout_seconds=30
        )
        local = self._master.startswith("local")
        extras = _extras(
            self._settings, job, parameters, master=self._master, work=not local, run_id=context.run.run_id
        )
        command = [sys.executable, "-m", "movie_platform.engine.spark_job"]
        with _raising_what_it_said(context, reader, job):
            client.run(context=context, command=command, extras=extras, env={"PYTHONPATH": str(PACKAGE_PARENT)})
        return _result(reader, job)


class ServerlessSpark:
    """A job run of an EMR Serverless application; script, package and messages go through the lake's bucket."""

    engine = "spark"

    def __init__(self, application: str, settings: Settings, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._application = application
        self._settings = settings
        self._poll = poll_seconds

    def run(self, context: dg.AssetExecutionContext, job: str, parameters: Mapping[str, Any]) -> Result:
        from dagster_aws.pipes import PipesEMRServerlessClient

        lake = _bucket(self._settings)
        if not self._settings.spark_role:
            raise SettingsError(f"{variable('spark_role')} is unset: EMR Serverless runs a job as that role")
        reader = _bucket_messages(lake, context.run.run_id)
        emr = aws_client("emr-serverless", self._settings.aws_waits, attempts=POLLED)
        client = PipesEMRServerlessClient(
            client=emr,
            context_injector=PipesEnvContextInjector(),
            message_reader=reader,
            poll_interval=self._poll,
        )
        shipped = ship(lake)
        parameters_ = {
            "applicationId": self._application,
            "executionRoleArn": self._settings.spark_role,
            "clientToken": f"{context.run.run_id}-{time.time_ns()}",
            "name": job.rpartition(":")[2],
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": shipped.script,
                    "entryPointArguments": ["--s3"],
                    "sparkSubmitParameters": serverless_parameters(shipped, self._settings.spark_archive),
                }
            },
            "configurationOverrides": {
                "monitoringConfiguration": {
                    "s3MonitoringConfiguration": {"logUri": lake.uri_of(f"{PREFIX}logs/")},
                }
            },
        }
        extras = _extras(self._settings, job, parameters, master=None, work=True, run_id=context.run.run_id)

        def cancel(started: Mapping[str, Any]) -> None:
            # The client has cancelled it, unless it was interrupted before it knew the job's number or failed itself.
            job_run = {"applicationId": self._application, "jobRunId": started["jobRunId"]}
            if emr.get_job_run(**job_run)["jobRun"]["state"] not in {"SUCCESS", "FAILED", "CANCELLING", "CANCELLED"}:
                emr.cancel_job_run(**job_run)

        with (
            _raising_what_it_said(context, reader, job),
            _cancelled_with_the_run(emr.start_job_run, cancel) as emr.start_job_run,
        ):
            client.run(context=context, start_job_run_params=parameters_, extras=extras)
        return _result(reader, job)


class StepSpark:
    """A step of a running EMR cluster. Dagster's own client starts a cluster for each job; this one keeps to one."""

    engine = "spark"

    def __init__(self, cluster: str, settings: Settings, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._cluster = cluster
        self._settings = settings
        self._poll = poll_seconds

    def run(self, context: dg.AssetExecutionContext, job: str, parameters: Mapping[str, Any]) -> Result:
        from dagster_aws.pipes import PipesEMRClient

        lake = _bucket(self._settings)
        reader = _bucket_messages(lake, context.run.run_id)
        emr = aws_client("emr", self._settings.aws_waits, attempts=POLLED)
        client = PipesEMRClient(message_reader=reader, client=emr)
        shipped = ship(lake)
        extras = _extras(self._settings, job, parameters, master=None, work=True, run_id=context.run.run_id)

        def cancel(started: Mapping[str, Any]) -> None:
            (step_id,) = started["StepIds"]
            if self._status(emr, step_id)["State"] not in _ENDED:
                asked = {"ClusterId": self._cluster, "StepIds": [step_id]}
                emr.cancel_steps(**asked, StepCancellationOption="TERMINATE_PROCESS")

        with (
            _raising_what_it_said(context, reader, job),
            open_pipes_session(
                context=context, message_reader=reader, context_injector=client.context_injector, extras=extras
            ) as session,
            # Asked once: what was asked and not answered may run, and a second step would do the same.
            _cancelled_with_the_run(
                aws_client("emr", self._settings.aws_waits).add_job_flow_steps, cancel
            ) as add_steps,
        ):
            step = step_of(job, shipped, self._settings.spark_archive, session.get_bootstrap_env_vars())
            (step_id,) = add_steps(JobFlowId=self._cluster, Steps=[step])["StepIds"]
            context.log.info(f"step {step_id} of cluster {self._cluster} started")
            session.report_launched({"extras": {"StepId": step_id}})
            self._wait(emr, step_id)
        return _result(reader, job)

    def _wait(self, emr: Any, step_id: str) -> None:
        while True:
            status = self._status(emr, step_id)
            if status["State"] == "COMPLETED":
                return
            if status["State"] in _ENDED:
                details = status.get("FailureDetails") or status.get("StateChangeReason") or {}
                said = details.get("Reason") or details.get("Message") or "no reason given"
                raise JobFailed(f"step {step_id} of cluster {self._cluster} is {status['State']}: {said}")
            time.sleep(self._poll)

    def _status(self, emr: Any, step_id: str) -> dict[str, Any]:
        return dict(emr.describe_step(ClusterId=self._cluster, StepId=step_id)["Step"]["Status"])


def serverless_parameters(shipped: Shipped, archive: str | None) -> str:
    """spark-submit's parameters on EMR Serverless, ending in a blank for those that Pipes adds."""
    parameters = [f"--py-files {shipped.package}"]
    if archive:
        parameters.append(f"--conf spark.archives={archive}#environment")
        parameters += [
            f"--conf spark.{side}.PYSPARK_PYTHON=./environment/bin/python"
            for side in ("emr-serverless.driverEnv", "executorEnv")
        ]
        parameters.append("--conf spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON=./environment/bin/python")
    return " ".join(parameters)


def step_of(job: str, shipped: Shipped, archive: str | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """A step that submits the job to YARN, its driver on the cluster."""
    arguments = ["spark-submit", "--deploy-mode", "cluster", "--py-files", shipped.package]
    variables = dict(environment)
    if archive:
        arguments += ["--archives", f"{archive}#environment"]
        variables["PYSPARK_PYTHON"] = "./environment/bin/python"
        arguments += ["--conf", f"spark.executorEnv.PYSPARK_PYTHON={variables['PYSPARK_PYTHON']}"]
    for name, value in variables.items():
        arguments += ["--conf", f"spark.yarn.appMasterEnv.{name}={value}"]
    return {
        "Name": job.rpartition(":")[2],
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": [*arguments, shipped.script, "--s3"]},
    }


def _extras(
    settings: Settings, job: str, parameters: Mapping[str, Any], *, master: str | None, work: bool, run_id: str
) -> dict[str, Any]:
    return {
        "job": job,
        "parameters": dict(parameters),
        "master": master,
        "name": f"movie-platform {job.rpartition(':')[2]} {run_id[:8]}",
        "configuration": dict(settings.spark_conf),
        "waits": asdict(settings.s3_waits),
        "work": open_store(settings.lake_uri, settings.s3_waits).uri_of(f"{PREFIX}work/{run_id}") if work else None,
    }


def _bucket(settings: Settings) -> S3Store:
    lake = open_store(settings.lake_uri, settings.s3_waits)
    if not isinstance(lake, S3Store):
        raise SettingsError(
            f"{variable('engine')}={settings.engine!r} needs a lake on S3, where the cluster finds script and data, "
            f"and {variable('lake_uri')} is {settings.lake_uri!r}"
        )
    return lake


class _Kept:
    """Keeps what a job said, also where its client raises."""

    _handler: Any = None

    @contextmanager
    def read_messages(self, handler: Any) -> Iterator[Any]:
        self._handler = handler
        with super().read_messages(handler) as params:  # type: ignore[misc]
            yield params

    def custom(self, name: str) -> Any:
        messages = self._handler.get_custom_messages() if self._handler else ()
        return next((message[name] for message in messages if name in message), None)


class _KeptFileMessages(_Kept, PipesTempFileMessageReader):
    pass


def _bucket_messages(lake: S3Store, run_id: str) -> Any:
    """Messages below `scripts/messages/` of the lake, removed when they are read."""
    from dagster_aws.pipes import PipesS3MessageReader

    folder = f"{PREFIX}messages/{run_id}-{time.time_ns()}"

    class KeptBucketMessages(_Kept, PipesS3MessageReader):
        @contextmanager
        def get_params(self) -> Iterator[Any]:
            try:
                with super().get_params() as params:
                    key_prefix = f"{lake.prefix}/{folder}" if lake.prefix else folder
                    yield {**params, "key_prefix": key_prefix}
            finally:
                lake.delete([info.key for info in lake.objects(f"{folder}/")])

    s3 = aws_client("s3", lake.waits, attempts=POLLED)
    return KeptBucketMessages(bucket=lake.bucket, client=s3, interval=2, include_stdio_in_messages=True)


@contextmanager
def _cancelled_with_the_run(
    start: Callable[..., dict[str, Any]], cancel: Callable[[Mapping[str, Any]], None]
) -> Iterator[Callable[..., dict[str, Any]]]:
    """The request that starts work elsewhere; what it started is cancelled where nobody waits for it any more.

    It is sent by a thread of its own: a run that is cancelled meanwhile still learns what it started.
    """
    answers: list[Future[dict[str, Any]]] = []
    with ThreadPoolExecutor(1) as thread:

        def send(**request: Any) -> dict[str, Any]:
            answers.append(thread.submit(start, **request))
            return answers[-1].result()

        try:
            yield send
        except BaseException as ending:
            for answer in answers:
                try:
                    cancel(answer.result())
                except Exception as error:  # noqa: BLE001 - what ended the run is what the run says
                    ending.add_note(f"What was started may still be running: it could not be cancelled: {error}")
            raise


@contextmanager
def _raising_what_it_said(context: dg.AssetExecutionContext, reader: "_Kept", job: str) -> Iterator[None]:
    """Of a failed job, raise what it said rather than that it failed."""
    try:
        yield
    except dg.DagsterExecutionInterruptedError:
        context.log.warning(f"{job} was cancelled")
        raise
    except Exception as error:
        said = reader.custom(FAILURE)
        if said is None and (why := _unanswered(error)):
            raise WorldUnavailable(
                f"{job}: {why}. What was started is cancelled where the service answers again; otherwise look for it "
                "there. The step is tried again."
            ) from error
        if said is None:
            raise JobFailed(f"{job} ended without saying why: {error}") from error
        raise error_from_message(said) from error


def _unanswered(error: Exception) -> str:
    """What AWS's client says of a service that was not reached or did not answer; nothing of other errors."""
    try:
        from botocore.exceptions import ConnectionError as NotConnected
        from botocore.exceptions import HTTPClientError
    except ImportError:
        return ""
    return str(error).rstrip(".") if isinstance(error, HTTPClientError | NotConnected) else ""


def _result(reader: Any, job: str) -> Result:
    result = reader.custom(RESULT)
    if result is None:
        raise JobFailed(f"{job} ended well but sent no result")
    return dict(result)
