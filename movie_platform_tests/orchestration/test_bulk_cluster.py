"""Bulk work on a standalone cluster: the same tables, whatever happens to a worker, and nothing left running."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.movies_dataset.publication import JOB as PUBLISH
from movie_platform.pipelines.user_behavior.classification import stage_key
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform_tests.engine.cluster import Cluster, cluster_of, wait_until
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


@pytest.fixture(scope="module")
def cluster(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster"), workers=2) as running:
        yield running


@pytest.mark.soak
def test_the_data_set_is_built_on_a_cluster(cluster: Cluster, lake: ObjectStore, tmp_path: Path) -> None:
    write_dataset(tmp_path / "raw" / "project-data" / str(DAY) / "the-movies-dataset.zip", scale=0.001)
    parameters = {
        "raw": (tmp_path / "raw").as_uri(),
        "lake": lake.uri,
        "day": DAY.isoformat(),
        "max_bytes": 2**30,
        "max_ratio": 200,
    }
    here, _ = run(settings_of(lake, "duckdb"), parameters, PUBLISH)
    there, logged = run(settings_of(lake, f"spark:{cluster.master}"), parameters, PUBLISH)
    for result in (here, there):
        result["report"] |= {"seconds": 0, "engine": ""}
    assert there["report"] == here["report"]
    rows = {name: sum(part["rows"] for part in parts) for name, parts in there["tables"].items()}
    assert rows == here["report"]["rows"]
    assert any("5 of 5" in line for line in logged)
    assert list(lake.objects("scripts/")) == []


def test_a_cluster_gives_the_same_and_survives_the_loss_of_a_worker_at_work(
    cluster: Cluster, lake: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("a.csv", "b.csv")):
        deliver(lake, 1_000, name=name, seed=seed, defects=0.02)
    parameters, marker = classify(lake, f"{BULK_JOBS}:WaitsForLoss"), tmp_path / "lost"
    monkeypatch.setenv("LOST", str(marker))
    marker.touch()
    here, _ = run(settings_of(lake, "duckdb"), parameters)
    stage = lake.read(stage_key(DAY))
    marker.unlink()
    lost: list[subprocess.Popen[bytes]] = []

    def is_found() -> bool:
        lost.extend(filter(cluster.is_at_work, cluster.workers))
        return bool(lost)

    def lose() -> None:
        try:
            wait_until(is_found, "a worker is at work")
            cluster.kill(lost[0])
            wait_until(lambda: cluster.state()["aliveworkers"] == 1, "the master has noticed")
        finally:
            marker.touch()

    killer = threading.Thread(target=lose)
    killer.start()
    environment = {"spark.executorEnv.LOST": str(marker)}
    there, logged = run(settings_of(lake, f"spark:{cluster.master}", **environment), parameters)
    killer.join()
    assert cluster.state()["aliveworkers"] == 1
    assert there == here
    assert lake.read(stage_key(DAY)) == stage
    assert any(cluster.master in line for line in logged)
    assert list(lake.objects("scripts/")) == []


def test_a_cancelled_run_stops_its_job_on_the_cluster(cluster: Cluster, lake: ObjectStore) -> None:
    def is_idle() -> bool:
        return not any(map(cluster.is_at_work, cluster.workers))

    command = [sys.executable, "-c", CANCELLABLE, f"{BULK_JOBS}:endless", f"spark:{cluster.master}", lake.uri]
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
