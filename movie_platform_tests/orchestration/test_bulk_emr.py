"""EMR as far as its API goes: what is submitted is what spark-submit can run, and messages come back through S3."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pyarrow.parquet as pq
import pytest
from moto.core.responses import ActionResult
from moto.emr.models import ElasticMapReduceBackend, emr_backends
from moto.emr.responses import ElasticMapReduceResponse
from moto.emrserverless import models as serverless_models
from moto.emrserverless.models import EMRServerlessBackend, emrserverless_backends

from movie_platform.engine.jobs import JobFailed
from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.bulk import Bulk, ServerlessSpark, StepSpark
from movie_platform.pipelines.user_behavior.classification import JOB, stage_key
from movie_platform.settings import Settings, load_settings
from movie_platform_tests.engine.cluster import SPARK_HOME, wait_until
from movie_platform_tests.orchestration.bulk_runs import DAY, SMALL, classify, deliver, run_on

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/spark"


@pytest.fixture
def lake(bucket: str) -> ObjectStore:
    return open_store(f"{bucket}/lake")


@pytest.fixture(autouse=True)
def no_wait_for_late_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes waits ten seconds for what a job that is gone may still have said."""
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


@pytest.fixture
def application(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An application whose jobs wait for somebody to run them; moto's own are done as soon as they are submitted."""
    monkeypatch.setattr(serverless_models, "JOB_STATUS", "SCHEDULED")
    emr = boto3.client("emr-serverless")
    return str(emr.create_application(name="spark", releaseLabel="emr-7.9.0", type="SPARK")["applicationId"])


def settings_of(lake: ObjectStore, engine: str, **more: Any) -> Settings:
    return load_settings(lake_uri=lake.uri, engine=engine, spark_role=ROLE, spark_conf=SMALL, **more)


def run(bulk: Bulk, lake: ObjectStore) -> tuple[dict[str, Any], list[str]]:
    return run_on(bulk, JOB, classify(lake, "token"))


def job_runs(application: str) -> list[Any]:
    return list(emrserverless_backends[ACCOUNT][REGION].job_runs.get(application, []))


def when_submitted(application: str, then: Callable[[Any], None]) -> threading.Thread:
    def wait() -> None:
        wait_until(lambda: bool(job_runs(application)), "the job is submitted")
        then(job_runs(application)[0])

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def spark_submit(job: dict[str, Any], environment_prefix: str, folder: Path) -> int:
    """Run a submitted job as EMR would: script and package from S3, and the environment that came with it."""
    parameters = shlex.split(job["sparkSubmitParameters"])
    given = dict(zip(parameters[::2], parameters[1::2], strict=True))
    settings = [value for flag, value in zip(parameters[::2], parameters[1::2], strict=True) if flag == "--conf"]
    variables = dict(setting.removeprefix(environment_prefix).split("=", 1) for setting in settings)
    files = {"script.py": job["entryPoint"], "package.zip": given["--py-files"]}
    for name, address in files.items():
        store_uri, _, key = address.rpartition("/scripts/")
        (folder / name).write_bytes(open_store(store_uri).read(f"scripts/{key}"))
    command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[1]", "--driver-memory", "512m"]
    command += ["--conf", "spark.driver.host=127.0.0.1", "--py-files", str(folder / "package.zip")]
    command += [str(folder / "script.py"), *job["entryPointArguments"]]
    environment = {**os.environ, **variables, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(SPARK_HOME)}
    return subprocess.run(command, env=environment, cwd=folder, check=False, capture_output=True).returncode


def test_serverless_runs_what_was_shipped_and_sends_its_result_through_s3(
    java: None, application: str, lake: ObjectStore, tmp_path: Path
) -> None:
    deliver(lake, 300)

    def on_emr(submitted: Any) -> None:
        code = spark_submit(submitted.job_driver["sparkSubmit"], "spark.emr-serverless.driverEnv.", tmp_path)
        submitted.state = "SUCCESS" if code == 0 else "FAILED"

    emr = when_submitted(application, on_emr)
    bulk = ServerlessSpark(application, settings_of(lake, f"spark:emr-serverless:{application}"), poll_seconds=0.2)
    result, logged = run(bulk, lake)
    emr.join()
    assert result["account"]["records"] == 300
    with lake.open(stage_key(DAY)) as file:
        assert pq.read_metadata(file).num_rows == result["rows"]
    assert any("Spark 4.0" in line for line in logged)
    kinds = {info.key.split("/")[1].partition("-")[0] for info in lake.objects("scripts/")}
    assert kinds == {"movie_platform", "spark_job"}
    (submitted,) = job_runs(application)
    assert submitted.execution_role_arn == ROLE


def interrupt_at(monkeypatch: pytest.MonkeyPatch, backend: type, request: str) -> None:
    """Cancel the run as soon as the service has carried out a request, and before its answer is on the way."""
    carry_out = getattr(backend, request)

    def carry_out_and_interrupt(*args: Any, **kwargs: Any) -> Any:
        answer = carry_out(*args, **kwargs)
        monkeypatch.setattr(backend, request, carry_out)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return answer

    monkeypatch.setattr(backend, request, carry_out_and_interrupt)


@pytest.mark.parametrize("request_", ["start_job_run", "get_job_run"])
def test_a_cancelled_run_cancels_its_serverless_job(
    application: str, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    deliver(lake, 10)
    interrupt_at(monkeypatch, EMRServerlessBackend, request_)
    bulk = ServerlessSpark(application, settings_of(lake, f"spark:emr-serverless:{application}"), poll_seconds=0.2)
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        run(bulk, lake)
    assert [submitted.state for submitted in job_runs(application)] == ["CANCELLED"]


def test_a_run_that_can_no_longer_watch_its_job_cancels_it(
    application: str, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(lake, 10)
    monkeypatch.setattr(serverless_models, "JOB_STATUS", "RUNNING")  # and moto knows no dashboard to ask for
    bulk = ServerlessSpark(application, settings_of(lake, f"spark:emr-serverless:{application}"), poll_seconds=0.2)
    with pytest.raises(JobFailed):
        run(bulk, lake)
    assert [submitted.state for submitted in job_runs(application)] == ["CANCELLED"]


def test_serverless_needs_a_role(application: str, lake: ObjectStore) -> None:
    bulk = ServerlessSpark(application, load_settings(lake_uri=lake.uri))
    with pytest.raises(SettingsError, match="MOVIE_PLATFORM_SPARK_ROLE is unset"):
        run(bulk, lake)


def test_a_packed_environment_is_what_driver_and_workers_use(application: str, lake: ObjectStore) -> None:
    archive = "s3://code/environment.tar.gz"
    settings = settings_of(lake, f"spark:emr-serverless:{application}", spark_archive=archive)

    def fail(submitted: Any) -> None:
        submitted.state = "FAILED"

    emr = when_submitted(application, fail)
    with pytest.raises(JobFailed, match="ended without saying why"):
        run(ServerlessSpark(application, settings, poll_seconds=0.2), lake)
    emr.join()
    parameters = job_runs(application)[0].job_driver["sparkSubmit"]["sparkSubmitParameters"]
    assert f"--conf spark.archives={archive}#environment" in parameters
    assert "--conf spark.executorEnv.PYSPARK_PYTHON=./environment/bin/python" in parameters


@pytest.fixture
def cluster(aws: str) -> str:
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    flow = boto3.client("emr").run_job_flow(
        Name="spark", ReleaseLabel="emr-7.9.0", Instances=instances, JobFlowRole="x", ServiceRole="y"
    )
    return str(flow["JobFlowId"])


def steps(cluster: str) -> list[Any]:
    return list(emr_backends[ACCOUNT][REGION].clusters[cluster].steps)


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_step_is_submitted_to_the_cluster_and_its_end_is_told(cluster: str, lake: ObjectStore, state: str) -> None:
    def end() -> None:
        wait_until(lambda: bool(steps(cluster)), "the step is submitted")
        steps(cluster)[0].state = state

    ender = threading.Thread(target=end)
    ender.start()
    bulk = StepSpark(cluster, settings_of(lake, f"spark:emr:{cluster}"), poll_seconds=0.2)
    with pytest.raises(JobFailed, match=f"step s-.* of cluster {cluster} is {state}"):
        run(bulk, lake)
    ender.join()
    (step,) = boto3.client("emr").list_steps(ClusterId=cluster)["Steps"]
    arguments = step["Config"]["Args"]
    assert arguments[:3] == ["spark-submit", "--deploy-mode", "cluster"]
    assert any(argument.startswith("spark.yarn.appMasterEnv.DAGSTER_PIPES_CONTEXT=") for argument in arguments)
    assert arguments[-1] == "--s3"
    assert {
        open_store(lake.uri).info(a.removeprefix(f"{lake.uri}/")) is not None for a in arguments if "/scripts/" in a
    } == {True}


@pytest.mark.parametrize("request_", ["add_job_flow_steps", "describe_step"])
def test_a_cancelled_run_cancels_its_step(
    cluster: str, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    def cancel_steps(response: ElasticMapReduceResponse) -> ActionResult:
        """What moto lacks."""
        asked = [response._get_param(name) for name in ("ClusterId", "StepIds", "StepCancellationOption")]
        assert asked == [cluster, [step.id for step in steps(cluster)], "TERMINATE_PROCESS"]
        for step in steps(cluster):
            step.state = "CANCELLED"
        return ActionResult({"CancelStepsInfoList": [{"StepId": step.id} for step in steps(cluster)]})

    monkeypatch.setattr(ElasticMapReduceResponse, "cancel_steps", cancel_steps, raising=False)
    interrupt_at(monkeypatch, ElasticMapReduceBackend, request_)
    bulk = StepSpark(cluster, settings_of(lake, f"spark:emr:{cluster}"), poll_seconds=0.2)
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        run(bulk, lake)
    assert [step.state for step in steps(cluster)] == ["CANCELLED"]
