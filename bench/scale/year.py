"""A year of ten-minute windows back-filled from the UI's own mutation: time, memory, event log, and the asset pages.

Takes an hour, so `make bench` leaves it out: `make bench BENCH=bench/scale/year.py`. It starts the webserver and the
daemon as `make dev` does, in a folder of its own, delivers the windows, asks for all of them at once as the UI's dialog
does, and then asks what the asset pages ask. Half-way the daemon and every process of it, runs and code server, get
SIGKILL (`--killed 0`: never); it is started again, and at the end every window must be loaded, and once.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
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
DONE = """{ assetNodes(assetKeys: [{path: ["imdb_movies"]}]) { partitionStats { numMaterialized } } }"""
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
    parser.add_argument("--killed", type=int, default=1, help="how often the daemon and its runs are killed")
    parser.add_argument("--keep", type=Path, help="a folder to work in and to leave there")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="year-"))
    try:
        _measure(folder, arguments.windows, arguments.movies, arguments.killed)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _measure(folder: Path, windows: int, movies: int, killed: int) -> None:
    last = key_of(datetime.now(UTC) - timedelta(days=1))
    first = shift(last, -LENGTH * (windows - 1))
    environment = _environment(folder, first)
    began = time.monotonic()
    command = f"simulate feed --windows {windows} --start {first} --movies {movies}"
    _run(["movie-platform", *command.split()], environment)
    print(f"{windows:,} windows delivered in {time.monotonic() - began:.0f} s", flush=True)
    with _server(folder, environment) as ask:
        _stop_everything(ask)
        began = time.monotonic()
        backfill = _launch(ask, list(span(first, last)))
        usage = Usage()
        for number in range(killed + 1):
            with _daemon(folder, environment) as daemon:
                enough = windows * (number + 1) // (killed + 1) if number < killed else None
                status = _watched(ask, backfill, enough, usage)
                if enough is not None:
                    _kill(daemon)
                    print(f"killed after {_done(ask)} windows and {time.monotonic() - began:.0f} s", flush=True)
        took = time.monotonic() - began
        print(f"{status}: {took:.0f} s, {took / windows * 1000:.1f} ms a window; partitions: {_done(ask)}")
        print(f"largest memory of a process: {usage.largest / 2**30:.2f} GB, of all {usage.together / 2**30:.2f} GB")
        print(f"processor time of all: {sum(usage.seconds.values()):.0f} s", flush=True)
        for name, query in PAGES.items():
            times = []
            for _ in range(3):
                began = time.monotonic()
                ask(query)
                times.append(f"{time.monotonic() - began:.2f}")
            print(f"{name}: {', '.join(times)} s")
    for name in ("dagster", "lake", "raw", "warehouse.duckdb"):
        size = _size(folder / name)
        print(f"{name}: {size / 2**30:.2f} GB, {size / windows / 1024:.1f} KB a window")
    print(_account(folder, environment))


def _account(folder: Path, environment: dict[str, str]) -> str:
    """What is there of each window: none may be missing, and none there twice."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("""SELECT count(DISTINCT "partition"), count(*), sum("rows" - rows_before)
            FROM loads WHERE table_name LIKE '%imdb_movie_windows'""").fetchone()
        rows = warehouse.execute("SELECT count(*) FROM imdb_movie_windows").fetchone()
    command = ["movie-platform", "status", "--json"]
    status = json.loads(subprocess.run(command, env=environment, check=False, stdout=subprocess.PIPE).stdout)
    standing = {name: len(status[name]) for name in ("processed", "waiting", "refused", "gone")}
    return f"windows, loads and rows by the ledger: {found}; rows in the table: {rows}; status: {standing}"


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
def _process(
    command: list[str], folder: Path, environment: dict[str, str], name: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("a") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process
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


def _launch(ask: Any, windows: list[str]) -> str:
    params = {
        "assetSelection": [{"path": [name]} for name in ASSETS],
        "partitionNames": windows,
        "title": "a year",
    }
    launched = ask(BACKFILL, params=params)["launchPartitionBackfill"]
    backfill = launched.get("backfillId")
    if not backfill:
        raise RuntimeError(f"the backfill was not launched: {launched}")
    return str(backfill)


@dataclass
class Usage:
    """What the processes took, looked at every ten seconds."""

    largest: int = 0
    together: int = 0
    seconds: dict[tuple[int, float], float] = field(default_factory=dict)
    """Processor time by process: its number and when it began."""

    def look(self) -> None:
        sizes = [0]
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                sizes.append(process.memory_info().rss)
                spent = process.cpu_times()
                self.seconds[process.pid, process.create_time()] = spent.user + spent.system
        self.together, self.largest = max(self.together, sum(sizes)), max(self.largest, *sizes)


def _watched(ask: Any, backfill: str, enough: int | None, usage: Usage) -> str:
    """The backfill's status, once it ended or enough windows are there."""
    while True:
        usage.look()
        status = str(ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])
        if status not in ("REQUESTED", "CANCELING") or (enough is not None and _done(ask) >= enough):
            return status
        time.sleep(EVERY)


def _done(ask: Any) -> int:
    return int(ask(DONE)["assetNodes"][0]["partitionStats"]["numMaterialized"])


@contextmanager
def _daemon(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = ["dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml")]
    with _process(command, folder, environment, "daemon") as process:
        yield process


def _kill(daemon: subprocess.Popen[bytes]) -> None:
    """As when the machine loses its power: the daemon, its code server, and all runs at once."""
    for process in [*psutil.Process(daemon.pid).children(recursive=True), psutil.Process(daemon.pid)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
