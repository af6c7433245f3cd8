"""Bulk work goes where the setting says, and comes back into the run with its logs, its result or its reason."""

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from movie_platform.engine.jobs import JobFailed
from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.bulk import InProcess, ServerlessSpark, StepSpark, SubprocessSpark, bulk_of
from movie_platform.pipelines.user_behavior.classification import stage_key
from movie_platform_tests.engine.cluster import wait_until
from movie_platform_tests.faults.proxy import address_of, proxied
from movie_platform_tests.orchestration.bulk_runs import (
    BULK_JOBS,
    CANCELLABLE,
    DAY,
    classify,
    deliver,
    run,
    settings_of,
)


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


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


def test_a_local_spark_gives_the_same_as_this_process_and_reports_its_progress(java: None, lake: ObjectStore) -> None:
    deliver(lake, 2_000)
    here, _ = run(settings_of(lake, "duckdb"), classify(lake, "lexicon"))
    stage = lake.read(stage_key(DAY))
    there, logged = run(settings_of(lake, "spark:local[1]"), classify(lake, "lexicon"))
    assert there == here
    assert lake.read(stage_key(DAY)) == stage
    assert any("Spark 4.0" in line for line in logged)
    assert any(f"reviews of {DAY}: 3 of 3" in line for line in logged)


def test_a_job_that_breaks_says_what_broke(java: None, lake: ObjectStore) -> None:
    deliver(lake, 20)
    with pytest.raises(JobFailed, match="the model is out of order"):
        run(settings_of(lake, "spark:local[1]"), classify(lake, f"{BULK_JOBS}:Broken"))
    assert lake.info(stage_key(DAY)) is None


def test_a_driver_that_ignores_the_signal_to_stop_is_gone_all_the_same(
    java: None, lake: ObjectStore, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    command = [sys.executable, "-c", CANCELLABLE, f"{BULK_JOBS}:deaf", "spark:local[1]", lake.uri]
    environment = {**os.environ, "DEAF": str(deaf)}
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        wait_until(lambda: deaf.exists() and bool(deaf.read_text()), "the driver is deaf")
        running.send_signal(signal.SIGINT)
        assert running.wait(60) != 0
    finally:
        running.kill()
    wait_until(lambda: not psutil.pid_exists(int(deaf.read_text())), "the driver is gone")


def test_emr_needs_a_lake_on_s3(lake: ObjectStore) -> None:
    for engine in ("spark:emr-serverless:00f1", "spark:emr:j-1"):
        with pytest.raises(SettingsError, match="needs a lake on S3"):
            run(settings_of(lake, engine), classify(lake, "token"))


def test_a_job_waits_for_s3_as_long_as_the_settings_say(lake: ObjectStore) -> None:
    settings = settings_of(lake, "duckdb").model_copy(update={"s3_answer": timedelta(seconds=7)})
    assert run(settings, {}, f"{BULK_JOBS}:waits")[0] == asdict(settings.s3_waits)


def test_a_spark_job_that_s3_keeps_waiting_ends_as_the_settings_say(
    java: None, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_store(bucket)
    deliver(lake, 20)
    short = {name: timedelta(seconds=0.5) for name in ("s3_connect", "s3_answer", "s3_body", "s3_retry")}
    settings = settings_of(lake, "spark:local[1]").model_copy(update=short)
    with proxied(address_of(aws)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        proxy.strike("hang before the first byte")
        with pytest.raises(WorldUnavailable, match="could not be reached"):
            run(settings, classify(lake, "lexicon"))
        assert proxy.struck
