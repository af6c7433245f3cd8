"""A year of ten-minute windows back-filled from the UI's own mutation: time, memory, event log, and the asset pages.

It takes most of an hour and is left out by `make bench`: `make bench BENCH=bench/scale/year.py`. It starts webserver
and daemon as `make dev` does, in a folder of its own, delivers the windows, asks for all of them at once as the UI's
dialog does, and then asks what the asset pages ask. With `--kill` the daemon, its code server and the workers of its
runs are killed when half of the windows are clean, and the daemon is started again. It ends with the account of all
windows.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from movie_platform.lake import open_store
from movie_platform.orchestration.runs import LOCAL_INSTANCE
from movie_platform.pipelines.imdb_feed.processing import Provenance, processed_windows, provenances
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse

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
AGAIN = """mutation ($id: String!) { reexecutePartitionBackfill(reexecutionParams: {parentRunId: $id, strategy:
FROM_FAILURE}) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
MATERIALIZED = (
    "query ($key: [String!]!) { assetNodes(assetKeys: [{path: $key}]) { partitionStats { numMaterialized } } }"
)
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
    parser.add_argument("--kill", action="store_true", help="kill daemon and workers half-way, and start again")
    parser.add_argument("--keep", type=Path, help="a folder to work in and to leave there")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="year-"))
    try:
        account = backfilled(folder, arguments.windows, arguments.movies, kill=arguments.kill)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if account.is_whole else 1


@dataclass(frozen=True)
class Account:
    """What became of the windows that were delivered."""

    windows: int
    materialized: dict[str, int]
    """Windows that the UI shows as materialized, by asset."""
    clean: int
    """Windows that have a clean file which can be read."""
    ledger_rows: int
    lost: int
    """Windows of which the warehouse holds fewer rows than the clean file, or no row of the ledger."""
    doubled: int
    """Windows of which the warehouse holds more rows than the clean file, or more than one row of the ledger."""

    @property
    def is_whole(self) -> bool:
        counts = {self.windows, self.clean, *self.materialized.values()}
        return counts == {self.windows} and not self.lost and not self.doubled


def backfilled(folder: Path, windows: int, movies: int, *, kill: bool = False) -> Account:
    """Deliver so many windows, back-fill them as the UI does, and print what it took."""
    last = key_of(datetime.now(UTC) - timedelta(days=1))
    first = shift(last, -LENGTH * (windows - 1))
    environment = _environment(folder, first)
    began = time.monotonic()
    command = f"simulate feed --windows {windows} --start {first} --movies {movies}"
    _run(["movie-platform", *command.split()], environment)
    print(f"{windows:,} windows delivered in {time.monotonic() - began:.0f} s")
    with _server(folder, environment) as ask:
        _stop_everything(ask)
        began, peak = time.monotonic(), Peak()
        backfill = _launched(ask, list(span(first, last)))
        if kill:
            with _daemon(folder, environment) as daemon:
                _until(lambda: _clean(folder) * 2 >= windows, peak, min(EVERY, windows / 20_000))
                killed = _killed(daemon)
            print(f"{killed} processes killed after {_clean(folder):,} windows, {time.monotonic() - began:.0f} s")
        with _daemon(folder, environment):
            status = _ended(ask, backfill, peak)
            if status != "COMPLETED_SUCCESS":
                print(f"{status}: executed again from failure")
                status = _ended(ask, _asked_again(ask, backfill), peak)
        took = time.monotonic() - began
        print(f"{status}: {took:.0f} s, {took / windows * 1000:.1f} ms a window")
        print(f"largest memory of a process: {peak.largest / 2**30:.2f} GB, of all: {peak.together / 2**30:.2f} GB")
        for name, query in PAGES.items():
            began = time.monotonic()
            ask(query)
            print(f"{name}: {time.monotonic() - began:.2f} s")
        materialized = {
            name: ask(MATERIALIZED, key=[name])["assetNodes"][0]["partitionStats"]["numMaterialized"] for name in ASSETS
        }
    account = _account(folder, windows, materialized)
    print(account, "none lost, none doubled" if account.is_whole else "NOT WHOLE", sep="\n")
    for name in ("dagster", "lake", "raw", "warehouse.duckdb"):
        size = _size(folder / name)
        print(f"{name}: {size / 2**30:.2f} GB, {size / windows / 1024:.1f} KB a window")
    return account


def _account(folder: Path, windows: int, materialized: dict[str, int]) -> Account:
    lake, warehouse = open_store((folder / "lake").as_uri()), DuckDBWarehouse(folder / "warehouse.duckdb")
    clean = processed_windows(lake)
    found = zip(clean, provenances(lake, clean), strict=True)
    made = {window: of.clean_rows for window, of in found if isinstance(of, Provenance)}
    counted = warehouse.query(f'SELECT "window", count(*) AS n FROM {IMDB_MOVIE_WINDOWS.name} GROUP BY 1').to_pylist()
    rows = {of["window"]: of["n"] for of in counted}
    ledger = Counter(row.partition for row in warehouse.ledger(IMDB_MOVIE_WINDOWS))
    return Account(
        windows,
        materialized,
        len(made),
        sum(ledger.values()),
        lost=sum(rows.get(window, 0) < expected or not ledger[window] for window, expected in made.items()),
        doubled=sum(rows.get(window, 0) > expected or ledger[window] > 1 for window, expected in made.items()),
    )


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
) -> "Iterator[subprocess.Popen[bytes]]":
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
        data: dict[str, Any] = found["data"]
        return data

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


def _daemon(folder: Path, environment: dict[str, str]) -> Any:
    return _process(["dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml")], folder, environment, "daemon")


def _killed(daemon: "subprocess.Popen[bytes]") -> int:
    """Kill the daemon and all that it started, as a machine does that loses power; how many processes these were."""
    processes = [psutil.Process(daemon.pid), *psutil.Process(daemon.pid).children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    return len(processes)


def _launched(ask: Any, windows: list[str]) -> str:
    params = {
        "assetSelection": [{"path": [name]} for name in ASSETS],
        "partitionNames": windows,
        "title": "a year",
    }
    return _backfill_of(ask(BACKFILL, params=params)["launchPartitionBackfill"])


def _asked_again(ask: Any, backfill: str) -> str:
    return _backfill_of(ask(AGAIN, id=backfill)["reexecutePartitionBackfill"])


def _backfill_of(launched: dict[str, Any]) -> str:
    if "backfillId" not in launched:
        raise RuntimeError(f"the backfill was not launched: {launched}")
    return str(launched["backfillId"])


@dataclass
class Peak:
    """The most memory that our processes had, together and the largest one."""

    together: int = 0
    largest: int = 0

    def look(self) -> None:
        sizes = [_memory(process) for process in psutil.Process().children(recursive=True)]
        self.together, self.largest = max(self.together, sum(sizes)), max(self.largest, *sizes)


def _until(is_so: Callable[[], bool], peak: Peak, every: float) -> None:
    while not is_so():
        peak.look()
        time.sleep(every)


def _ended(ask: Any, backfill: str, peak: Peak) -> str:
    """How the backfill ended."""

    def status() -> str:
        return str(ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    _until(lambda: status() not in ("REQUESTED", "CANCELING", "FAILING"), peak, EVERY)
    return status()


def _clean(folder: Path) -> int:
    with suppress(FileNotFoundError):
        return len(os.listdir(folder / "lake" / "clean_files"))  # noqa: PTH208 - of a year of windows
    return 0


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
