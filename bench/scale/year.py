"""A year of ten-minute windows back-filled from the UI's own mutation: time, memory, event log, and the asset pages.

Takes an hour, so `make bench` leaves it out: `make bench BENCH=bench/scale/year.py`. It starts the webserver and the
daemon as `make dev` does, in a folder of its own, delivers the windows, asks for all of them at once as the UI's dialog
does, and then asks what the asset pages ask.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from movie_platform.orchestration.runs import LOCAL_INSTANCE
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span

ROOT = Path(__file__).parents[2]
YEAR = 52_560
ASSETS = ("imdb_archive", "imdb_clean", "imdb_movies")
EVERY = 10.0

SENSORS = """{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { id name sensorState { id } }
schedules { id name scheduleState { id } } } } } }"""
STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
STOP_SCHEDULE = "mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
__typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
PAGES = {
    "partitions of imdb_clean": """{ assetNodes(assetKeys: [{path: ["imdb_clean"]}]) { partitionStats { numMaterialized
        numFailed } partitionKeysByDimension { partitionKeys } assetPartitionStatuses { __typename ... on
        TimePartitionStatuses { ranges { startKey endKey status } } } } }""",
    "latest events of imdb_clean": """{ assetOrError(assetKey: {path: ["imdb_clean"]}) { ... on Asset {
        assetMaterializations(limit: 100) { runId partition timestamp metadataEntries { label } } } } }""",
    "checks of imdb_clean": """{ assetNodes(assetKeys: [{path: ["imdb_clean"]}]) { assetChecksOrError { ... on
        AssetChecks { checks { name executionForLatestMaterialization { status evaluation { severity } } } } } } }""",
    "runs": "{ runsOrError(limit: 25) { ... on Runs { results { id status startTime endTime } } } }",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=YEAR)
    parser.add_argument("--movies", type=int, default=20, help="in each window")
    parser.add_argument("--keep", type=Path, help="a folder to work in and to leave there")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="year-"))
    try:
        _measure(folder, arguments.windows, arguments.movies)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _measure(folder: Path, windows: int, movies: int) -> None:
    last = key_of(datetime.now(UTC) - timedelta(days=1))
    first = shift(last, -LENGTH * (windows - 1))
    environment = _environment(folder, first)
    began = time.monotonic()
    command = f"simulate feed --windows {windows} --start {first} --movies {movies}"
    _run(["movie-platform", *command.split()], environment)
    print(f"{windows:,} windows delivered in {time.monotonic() - began:.0f} s")
    with _server(folder, environment) as ask:
        _stop_everything(ask)
        with _process(["dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml")], folder, environment, "daemon"):
            began = time.monotonic()
            backfill, peak = _backfill(ask, list(span(first, last)))
            took = time.monotonic() - began
            done = ask(PAGES["partitions of imdb_clean"])["assetNodes"][0]["partitionStats"]
            print(f"{backfill}: {took:.0f} s, {took / windows * 1000:.1f} ms a window; partitions: {done}")
            print(f"largest memory of a process: {peak[1] / 2**30:.2f} GB, of all together {peak[0] / 2**30:.2f} GB")
        for name, query in PAGES.items():
            began = time.monotonic()
            ask(query)
            print(f"{name}: {time.monotonic() - began:.2f} s")
    for name in ("dagster", "lake", "raw", "warehouse.duckdb"):
        size = _size(folder / name)
        print(f"{name}: {size / 2**30:.2f} GB, {size / windows / 1024:.1f} KB a window")


def _environment(folder: Path, first: str) -> dict[str, str]:
    home = folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(LOCAL_INSTANCE, home / "dagster.yaml")
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DAGSTER_HOME": str(home),
        "MOVIE_PLATFORM_FEED_START": first,
        "MOVIE_PLATFORM_RAW_URI": (folder / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (folder / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
    }


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _process(command: list[str], folder: Path, environment: dict[str, str], name: str) -> Iterator[None]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def _server(folder: Path, environment: dict[str, str]) -> Iterator[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def ask(query: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            found: dict[str, Any] = json.load(answer)
        if errors := found.get("errors"):
            raise RuntimeError(str(errors)[:2000])
        return found["data"]

    command = ["dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(ROOT / "workspace.yaml")]
    with _process(command, folder, environment, "webserver"):
        for _ in range(120):
            try:
                ask("{ version }")
                break
            except OSError:
                time.sleep(1)
        yield ask


def _stop_everything(ask: Any) -> None:
    """What is measured is the backfill alone."""
    (repository,) = ask(SENSORS)["repositoriesOrError"]["nodes"]
    for sensor in repository["sensors"]:
        ask(STOP_SENSOR, id=sensor["sensorState"]["id"])
    for schedule in repository["schedules"]:
        ask(STOP_SCHEDULE, id=schedule["scheduleState"]["id"])


def _backfill(ask: Any, windows: list[str]) -> tuple[str, tuple[int, int]]:
    params = {
        "assetSelection": [{"path": [name]} for name in ASSETS],
        "partitionNames": windows,
        "title": "a year",
    }
    launched = ask(BACKFILL, params=params)["launchPartitionBackfill"]
    backfill = launched.get("backfillId")
    if not backfill:
        raise RuntimeError(f"the backfill was not launched: {launched}")
    together = largest = 0
    while True:
        sizes = [_memory(process) for process in psutil.Process().children(recursive=True)]
        together, largest = max(together, sum(sizes)), max(largest, *sizes)
        status = ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"]
        if status not in ("REQUESTED", "CANCELING"):
            return status, (together, largest)
        time.sleep(EVERY)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
