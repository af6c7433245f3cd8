"""The roles of deploy/terraform may do what the platform does, and nothing more: recorded calls are compared."""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pyarrow as pa
import pyspark
import pytest

from movie_platform.commands.main import main
from movie_platform.deliveries.announcements import announcements_of
from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import open_store
from movie_platform.settings import load_settings
from movie_platform.table import Column, Table
from movie_platform.warehouse.catalog import Catalog
from movie_platform.warehouse.redshift.connection import Login, connected
from movie_platform_tests.deploy.aws_calls import Call, Recorder, recorded_server
from movie_platform_tests.deploy.policies import granted, lines_of_actions, prefixes_of_the_client, statements

pytestmark = pytest.mark.timeout(1200)  # the fixture goes through all pipelines, and starts Spark

ROLES = ("client", "platform", "spark")
DAY = "2026-01-05"
NEXT_DAY = "2026-01-06"
WINDOW = "202601050000"

BY_AWS_ITSELF = {
    "client": {
        "kms:GenerateDataKey": "S3 calls it for whoever puts an object into an encrypted bucket",
        "kms:Decrypt": "S3 calls it for the parts of an upload",
    },
    "platform": {
        "kms:GenerateDataKey": "S3, SNS and EventBridge call it for whoever hands them something to encrypt",
        "kms:Decrypt": "S3, SQS and Secrets Manager call it for whoever reads what is encrypted",
        "iam:PassRole": "EMR Serverless asks for it at StartJobRun; it is no call",
    },
    "spark": {
        "kms:GenerateDataKey": "S3 calls it for whoever puts an object into an encrypted bucket",
        "kms:Decrypt": "S3 calls it for whoever reads an object of an encrypted bucket",
    },
}
"""What is granted and no call: IAM asks for it when another call is made."""


class Platform:
    """The platform under each of its roles: a role is the access key that signs its calls."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch

    @contextmanager
    def signing(self, who: str) -> Iterator[None]:
        with self._patch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", who)
            patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the key that it found first
            yield

    def command(self, line: str, *, ends_with: tuple[int, ...] = (0,)) -> None:
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["movie-platform", *shlex.split(line)])
            with pytest.raises(SystemExit) as ended:
                main()
        assert int(ended.value.code or 0) in ends_with, line


@dataclass(frozen=True)
class Life:
    """What the platform did from a first delivery to a Spark job: its calls, and where deliveries were put."""

    calls: set[Call]
    delivered_under: set[str]


@pytest.fixture(scope="module")
def life(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with recorded_server() as (address, recorder), pytest.MonkeyPatch.context() as patch:
        platform = Platform(tmp_path_factory.mktemp("platform"), patch)
        _point_at(address, platform.folder, patch)
        application = _what_terraform_makes(patch)
        with platform.signing("client"):
            _deliver(platform)
        with platform.signing("platform"):
            _run_pipelines(platform)
            _receive_what_s3_announces()
            _describe_in_the_catalog()
            _sign_in_to_the_warehouse()
            _keep_output_of_runs(platform)
            _fail_in_a_large_write(recorder)
            _run_spark(platform, application, patch)
        delivered = {info.key.partition("/")[0] for info in open_store("s3://raw-bucket").objects()}
        yield Life({_of_bucket(call) for call in recorder.calls}, delivered)


@pytest.fixture
def calls(life: Life) -> set[Call]:
    return life.calls


def _of_bucket(call: Call) -> Call:
    return Call(call.who, call.action, {"raw-bucket": "raw", "lake-bucket": "lake"}.get(call.bucket, call.bucket))


def _point_at(address: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    variables = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "terraform",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "DAGSTER_HOME": str(folder / "dagster"),
        "MOVIE_PLATFORM_RAW_URI": "s3://raw-bucket",
        "MOVIE_PLATFORM_LAKE_URI": "s3://lake-bucket",
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
        "MOVIE_PLATFORM_CATALOG_DATABASE": "movies",
    }
    for name, value in variables.items():
        patch.setenv(name, value)


def _what_terraform_makes(patch: pytest.MonkeyPatch) -> str:
    for bucket in ("raw-bucket", "lake-bucket"):
        boto3.client("s3").create_bucket(Bucket=bucket)
    topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="arrivals")["QueueUrl"]
    patch.setenv("MOVIE_PLATFORM_ARRIVALS", f"sqs:{queue}")
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody='{"Event": "s3:TestEvent"}')
    boto3.client("events").create_event_bus(Name="movies")
    boto3.client("secretsmanager").create_secret(Name="warehouse", SecretString='{"username": "a", "password": "b"}')
    patch.setenv("MOVIE_PLATFORM_NOTIFY", f"sns:{topic},events:movies")
    emr = boto3.client("emr-serverless")
    return str(emr.create_application(name="spark", releaseLabel="emr-7.9.0", type="SPARK")["applicationId"])


def _deliver(platform: Platform) -> None:
    platform.command(f"simulate feed --windows 2 --start {WINDOW} --yes")
    platform.command(f"simulate quality --days 1 --start {DAY} --rows 50 --yes")
    platform.command(f"simulate behavior --days 1 --start {DAY} --purchases 50 --reviews 50 --yes")
    platform.command(f"simulate dataset --date {DAY} --scale 0.001 --yes")


def _run_pipelines(platform: Platform) -> None:
    platform.command("doctor")
    platform.command(f"run feed --from {WINDOW} --to 202601050010")
    with platform.signing("client"):
        platform.command(f"simulate feed --windows 2 --start {WINDOW} --seed 1 --yes")
    platform.command(f"run feed --from {WINDOW} --to 202601050010")
    platform.command(f"run quality --from {DAY} --to {DAY}")
    platform.command(f"run behavior --from {DAY} --to {DAY}")
    platform.command(f"run dataset --from {DAY} --to {DAY}")
    platform.command("status")
    platform.command("metrics --cloudwatch movie-platform")


def _receive_what_s3_announces() -> None:
    with announcements_of(load_settings().arrivals.removeprefix("sqs:")).watch("s3://raw-bucket/") as watch:
        assert not watch.wait(until=0)


def _describe_in_the_catalog() -> None:
    """A table that gets a column more, and a partition whose folder moved."""
    catalog = Catalog("movies", open_store("s3://lake-bucket"))
    narrow = Table("described", (Column("movie_id", pa.int64()),))
    wide = Table("described", (*narrow.columns, Column("title", pa.string())))
    catalog.register(narrow, {WINDOW: "old/"}, partition_key="filetime")
    catalog.register(wide, {WINDOW: "new/"}, partition_key="filetime")


def _sign_in_to_the_warehouse() -> None:
    assert Login("redshift://host/movies", secret="warehouse").arguments()["user"] == "a"
    serverless = Login("redshift://127.0.0.1:9/movies?workgroup=movies&region=us-east-1")
    with pytest.raises(WorldUnavailable), connected(serverless, "a test"):
        pass


def _keep_output_of_runs(platform: Platform) -> None:
    from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

    manager = S3ComputeLogManager("lake-bucket", local_dir=str(platform.folder / "logs"), prefix="compute-logs")
    key = ["storage", "a-run", "compute_logs", "a-step"]
    with manager.capture_logs(key):
        print("said by a run")
    elsewhere = S3ComputeLogManager("lake-bucket", local_dir=str(platform.folder / "ui"), prefix="compute-logs")
    assert b"said by a run" in (elsewhere.get_log_data(key).stdout or b"")
    elsewhere.delete_logs(log_key=key)


def _fail_in_a_large_write(recorder: Recorder) -> None:
    recorder.refuse = lambda path, query: path.endswith("/large") and "partNumber=2" in query
    with pytest.raises(PlatformError):
        open_store("s3://lake-bucket").write("large", b"x" * 60_000_000)
    recorder.refuse = lambda path, query: False


def _run_spark(platform: Platform, application: str, patch: pytest.MonkeyPatch) -> None:
    """Jobs of two pipelines that succeed, and one whose run stops watching it and cancels it."""
    from moto.emrserverless import models
    from moto.emrserverless.models import emrserverless_backends

    def job_runs() -> list[Any]:
        return list(emrserverless_backends["123456789012"]["us-east-1"].job_runs.get(application, []))

    def on_emr(number: int) -> None:
        _until(lambda: len(job_runs()) > number)
        job = job_runs()[number]
        job.state = "SUCCESS" if _spark_submit(job.job_driver["sparkSubmit"], platform.folder) == 0 else "FAILED"

    with patch.context() as spark:
        spark.setenv("MOVIE_PLATFORM_ENGINE", f"spark:emr-serverless:{application}")
        spark.setenv("MOVIE_PLATFORM_SPARK_ROLE", "arn:aws:iam::123456789012:role/spark")
        spark.setenv("MOVIE_PLATFORM_SPARK_CONF", "spark.sql.shuffle.partitions=2;spark.ui.enabled=false")
        spark.setattr(dg._core.pipes.utils, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
        spark.setattr(models, "JOB_STATUS", "SCHEDULED")
        with platform.signing("client"):
            platform.command(f"simulate quality --days 1 --start {NEXT_DAY} --rows 50 --yes")
        for number, (source, day) in enumerate((("behavior", DAY), ("quality", NEXT_DAY))):
            emr = threading.Thread(target=on_emr, args=(number,))
            emr.start()
            platform.command(f"run {source} --from {day} --to {day} --force")
            emr.join()
        # moto has no dashboard to ask for: the run fails there, and takes its job along.
        spark.setattr(models, "JOB_STATUS", "RUNNING")
        platform.command(f"run behavior --from {DAY} --to {DAY} --force", ends_with=(1,))
        assert job_runs()[-1].state == "CANCELLED"


def _spark_submit(job: dict[str, Any], folder: Path) -> int:
    """Run a submitted job as EMR would: with the job's own role, script and package from S3."""
    words = shlex.split(job["sparkSubmitParameters"])
    options = list(zip(words[::2], words[1::2], strict=True))
    given = dict(options)
    variables = dict(
        value.removeprefix("spark.emr-serverless.driverEnv.").split("=", 1)
        for flag, value in options
        if flag == "--conf"
    )
    signed = boto3.client("s3", aws_access_key_id="spark", aws_secret_access_key="testing")
    for name, address in {"script.py": job["entryPoint"], "package.zip": given["--py-files"]}.items():
        bucket, _, key = address.removeprefix("s3://").partition("/")
        signed.download_file(bucket, key, str(folder / name))
    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-submit"), "--master", "local[1]", "--driver-memory", "512m"]
    command += ["--conf", "spark.driver.host=127.0.0.1", "--py-files", str(folder / "package.zip")]
    command += [str(folder / "script.py"), *job["entryPointArguments"]]
    role = {"AWS_ACCESS_KEY_ID": "spark", "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(home)}
    return subprocess.run(
        command, env={**os.environ, **variables, **role}, cwd=folder, check=False, capture_output=True
    ).returncode


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.05)


@pytest.mark.parametrize("role", ROLES)
def test_every_call_is_allowed_by_the_roles_policy(calls: set[Call], role: str) -> None:
    made = {(call.action, call.bucket) for call in calls if call.who == role}
    assert made, f"{role} made no call at all"
    assert made - granted(role) == set()


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_granted_that_was_not_used(calls: set[Call], role: str) -> None:
    made = {(call.action, call.bucket) for call in calls if call.who == role}
    by_aws = {(action, "") for action in BY_AWS_ITSELF[role]}
    assert granted(role) - made - by_aws == set()


def test_the_client_may_deliver_where_every_source_delivers_and_nowhere_else(life: Life) -> None:
    assert prefixes_of_the_client() == life.delivered_under


def test_every_call_was_made_under_a_role(calls: set[Call]) -> None:
    assert {call.who for call in calls} == {*ROLES, "terraform"}


@pytest.mark.parametrize("policy", [*ROLES, "redshift"])
def test_every_action_says_why_it_is_needed_and_none_is_a_wildcard(policy: str) -> None:
    lines = lines_of_actions(policy)
    assert len(lines) == sum(len(statement["actions"]) for statement in statements(policy))
    assert [line for line in lines if "*" in line.partition("#")[0] or len(line.partition("#")[2]) < 10] == []


@pytest.mark.parametrize("policy", [*ROLES, "redshift"])
def test_every_statement_names_what_it_is_about(policy: str) -> None:
    open_to_all = [s for s in statements(policy) if '"*"' in str(s["resources"]) or not s["resources"]]
    assert [s["sid"] for s in open_to_all if "condition" not in s] == []


def test_redshift_reads_the_lake_and_nothing_else() -> None:
    verbs = {action.partition(":")[2] for action, _ in granted("redshift")}
    assert {verb for verb in verbs if not verb.startswith(("Get", "List", "Decrypt"))} == set()
    assert {bucket for _, bucket in granted("redshift") if bucket} == {"lake"}
