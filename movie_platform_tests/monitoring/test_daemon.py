"""What the real daemon keeps of ticks and heartbeats is what the watch goes by."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from movie_platform.orchestration.liveness import failing, heartbeats
from movie_platform.orchestration.runs import instance

SECONDS = 120
SENSOR = "imdb_feed_arrivals"


@pytest.mark.soak
def test_a_sensor_that_reaches_no_bucket_fails_and_the_daemons_write_heartbeats(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "DAGSTER_HOME": str(home),
        "MOVIE_PLATFORM_FEED_URI": "s3://unreachable",
        "MOVIE_PLATFORM_RAW_URI": (tmp_path / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (tmp_path / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{tmp_path}/warehouse.duckdb",
        "MOVIE_PLATFORM_S3_RETRY": "1s",
        "MOVIE_PLATFORM_SENSOR_INTERVAL": "1s",
    }
    with instance(home) as on, (tmp_path / "daemon.log").open("w") as log:
        command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "movie_platform.definitions"]
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            end = time.monotonic() + SECONDS
            found = []
            while not found and time.monotonic() < end and daemon.poll() is None:
                time.sleep(1)
                found = failing(on, {SENSOR, "platform_watch"}, datetime.now(UTC) + timedelta(minutes=10))
            alive = heartbeats(on)
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait(60)
    assert [(one.kind, one.name) for one in found] == [("sensor", SENSOR)], (tmp_path / "daemon.log").read_text()[
        -3000:
    ]
    assert "s3://unreachable" in found[0].reason
    assert alive.keys() >= {"SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR"}
    assert all(at and datetime.now(UTC) - at < timedelta(minutes=5) for at in alive.values())
