"""Bulk work goes where the setting says, and comes back into the run with its logs, its result or its reason."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from movie_platform.engine.jobs import JobFailed
from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.bulk import Bulk, InProcess, ServerlessSpark, StepSpark, SubprocessSpark, bulk_of
from movie_platform.pipelines.movies_dataset.publication import JOB as PUBLISH
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.classification import JOB, stage_key
from movie_platform.samples import user_behavior as samples
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform.settings import Settings, load_settings
from movie_platform_tests.engine.cluster import Cluster, cluster_of, wait_until

DAY = date(2026, 1, 5)
SMALL = {"spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"}


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


def settings_of(lake: ObjectStore, engine: str) -> Settings:
    return load_settings(lake_uri=lake.uri, engine=engine, spark_conf=SMALL)


def deliver(lake: ObjectStore, count: int, **options: Any) -> None:
    lake.write(f"{reviews.raw_prefix(DAY)}movie_review.csv", samples.reviews(DAY, count, **options).content)


def run(
    settings: Settings, job: str = JOB, parameters: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The job's result and what the run's log says, from a run of its own."""
    lake = settings.lake_uri
    asked = parameters or {"lake": lake, "day": DAY.isoformat(), "classifier": "lexicon"}
    return run_on(bulk_of(settings), job, asked)


def run_on(bulk: Bulk, job: str, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A job's result, or what it raised, and the run's log."""
    results: list[dict[str, Any]] = []
    failures: list[BaseException] = []

    @dg.asset
    def bulk_work(context: dg.AssetExecutionContext) -> None:
        try:
            results.append(bulk.run(context, job, asked))
        except BaseException as error:
            failures.append(error)
            raise

    with dg.DagsterInstance.ephemeral() as instance:
        outcome = dg.materialize([bulk_work], instance=instance, raise_on_error=False)
        logged = [entry.user_message for entry in instance.all_logs(outcome.run_id)]
    if failures:
        raise failures[0]
    return results[0], logged


@pytest.fixture(scope="module")
def cluster(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster"), workers=2) as running:
        yield running


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("duckdb", InProcess),
        ("spark", SubprocessSpark),
        ("spark:local[2]", SubprocessSpark),
        ("spark:spark://host:7077", SubprocessSpark),
        ("spark:emr-serverless:00f1", ServerlessSpark),
        ("spark:emr:j-1", StepSpark),
    ],
)
def test_the_setting_names_where_bulk_work_is_done(lake: ObjectStore, engine: str, kind: type) -> None:
    assert isinstance(bulk_of(settings_of(lake, engine)), kind)


def test_a_local_spark_says_the_same_as_this_process_and_tells_how_it_goes(java: None, lake: ObjectStore) -> None:
    deliver(lake, 2_000)
    here, _ = run(settings_of(lake, "duckdb"))
    stage = lake.read(stage_key(DAY))
    there, logged = run(settings_of(lake, "spark:local[1]"))
    assert there == here
    assert lake.read(stage_key(DAY)) == stage
    assert any("Spark 4.0" in line for line in logged)
    assert any(f"reviews of {DAY}: 3 of 3" in line for line in logged)


def test_a_job_that_breaks_says_what_broke(java: None, lake: ObjectStore) -> None:
    deliver(lake, 20)
    parameters = {"lake": lake.uri, "day": DAY.isoformat(), "classifier": f"{__name__}:Broken"}
    with pytest.raises(JobFailed, match="the model is out of order"):
        run(settings_of(lake, "spark:local[1]"), parameters=parameters)
    assert lake.info(stage_key(DAY)) is None


class Broken:
    """A classifier that fails on the workers."""

    name = "broken"

    def is_positive(self, text: str) -> bool:
        raise RuntimeError("the model is out of order")


def test_the_data_set_is_built_on_a_cluster(cluster: Cluster, lake: ObjectStore, tmp_path: Path) -> None:
    write_dataset(tmp_path / "raw" / "project-data" / str(DAY) / "the-movies-dataset.zip", scale=0.001)
    parameters = {
        "raw": (tmp_path / "raw").as_uri(),
        "lake": lake.uri,
        "day": DAY.isoformat(),
        "max_bytes": 2**30,
        "max_ratio": 200,
    }
    here, _ = run(settings_of(lake, "duckdb"), PUBLISH, parameters)
    there, logged = run(settings_of(lake, f"spark:{cluster.master}"), PUBLISH, parameters)
    for told in (here, there):
        told["report"] |= {"seconds": 0, "engine": ""}
    assert there["report"] == here["report"]
    assert {name: sum(part["rows"] for part in parts) for name, parts in there["tables"].items()} == here["report"][
        "rows"
    ]
    assert any("5 of 5" in line for line in logged)
    assert list(lake.objects("scripts/")) == []


def test_a_cluster_says_the_same_and_survives_the_loss_of_a_worker(cluster: Cluster, lake: ObjectStore) -> None:
    deliver(lake, 20_000, defects=0.02)
    here, _ = run(settings_of(lake, "duckdb"))
    stage = lake.read(stage_key(DAY))
    lost: list[subprocess.Popen[bytes]] = []

    def is_found() -> bool:
        lost.extend(filter(cluster.is_at_work, cluster.workers))
        return bool(lost)

    def lose() -> None:
        wait_until(is_found, "a worker is at work")
        cluster.kill(lost[0])

    killer = threading.Thread(target=lose)
    killer.start()
    there, logged = run(settings_of(lake, f"spark:{cluster.master}"))
    killer.join()
    assert lost[0].poll() is not None
    assert there == here
    assert lake.read(stage_key(DAY)) == stage
    assert any(cluster.master in line for line in logged)
    assert [info.key for info in lake.objects("scripts/")] == []
    wait_until(lambda: cluster.state()["aliveworkers"] == 1, "the master has noticed")


ENDLESS = """
import sys
import dagster as dg
from movie_platform.orchestration.bulk import bulk_of
from movie_platform.settings import load_settings

settings = load_settings(engine=sys.argv[1], lake_uri=sys.argv[2], spark_conf={"spark.executor.memory": "512m"})

@dg.asset
def bulk_work(context: dg.AssetExecutionContext) -> None:
    bulk_of(settings).run(context, "movie_platform_tests.orchestration.test_bulk:endless", {})

dg.materialize([bulk_work])
"""


def endless(engine: Any, progress: Any) -> dict[str, Any]:
    """A job that never ends by itself."""
    engine._session.sparkContext.parallelize([1, 2], 2).foreach(sleep_long)
    return {}


def sleep_long(_: int) -> None:
    import time

    time.sleep(3_600)


def deaf(engine: Any, progress: Any) -> dict[str, Any]:
    """A job that does not hear that it shall stop."""
    sys.modules["__main__"].PATIENCE_SECONDS = 1  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, lambda number, frame: None)
    Path(os.environ["DEAF"]).write_text(str(os.getpid()))
    while True:
        sleep_long(0)


def test_a_driver_that_does_not_hear_is_gone_all_the_same(java: None, lake: ObjectStore, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    command = [sys.executable, "-c", ENDLESS.replace(":endless", ":deaf"), "spark:local[1]", lake.uri]
    environment = {**os.environ, "DEAF": str(deaf)}
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        wait_until(lambda: deaf.exists() and bool(deaf.read_text()), "the driver is deaf")
        running.send_signal(signal.SIGINT)
        assert running.wait(60) != 0
    finally:
        running.kill()
    wait_until(lambda: not psutil.pid_exists(int(deaf.read_text())), "the driver is gone")


def test_a_cancelled_run_stops_its_job_on_the_cluster(cluster: Cluster, lake: ObjectStore) -> None:
    def is_idle() -> bool:
        return not any(map(cluster.is_at_work, cluster.workers))

    command = [sys.executable, "-c", ENDLESS, f"spark:{cluster.master}", lake.uri]
    wait_until(is_idle, "nothing of an earlier test is at work")
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not is_idle(), "the job is at work")
        running.send_signal(signal.SIGINT)
        assert running.wait(60) != 0
    finally:
        running.kill()
    wait_until(lambda: cluster.state()["activeapps"] == [], "the cluster is idle again")
    wait_until(is_idle, "the workers are idle again")


def test_emr_needs_a_lake_on_s3(lake: ObjectStore) -> None:
    for engine in ("spark:emr-serverless:00f1", "spark:emr:j-1"):
        with pytest.raises(SettingsError, match="needs a lake on S3"):
            run(settings_of(lake, engine))
