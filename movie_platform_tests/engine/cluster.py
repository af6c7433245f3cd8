"""A real standalone Spark cluster on loopback, from the pyspark package: a master and workers as processes."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pyspark

import movie_platform

SPARK_HOME = Path(pyspark.__file__).parent
START_SECONDS = 240
"""Less than a test may take: a machine that does much else starts a JVM in a minute."""
DAEMONS = ("pyspark.daemon", "movie_platform.engine.spark_daemon")
"""What forks the Python workers of a Spark worker."""


class Cluster:
    def __init__(self, folder: Path, workers: int, memory: str) -> None:
        self._folder = folder
        self._memory = memory
        self._port, self._ui_port = _free_port(), _free_port()
        self.master = f"spark://127.0.0.1:{self._port}"
        self._processes = [
            self._start(
                "master",
                "org.apache.spark.deploy.master.Master",
                *("--host", "127.0.0.1", "--port", str(self._port), "--webui-port", str(self._ui_port)),
            )
        ]
        wait_until(lambda: self.state() is not None, "the master answers")
        self.workers = [self._worker(number) for number in range(workers)]
        wait_until(lambda: self.state()["aliveworkers"] == workers, "all workers have registered")

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        work = self._folder / f"worker-{number}"
        process = self._start(
            f"worker-{number}",
            "org.apache.spark.deploy.worker.Worker",
            *(
                "--host",
                "127.0.0.1",
                "--webui-port",
                "0",
                "--cores",
                "1",
                "--memory",
                self._memory,
                "--work-dir",
                str(work),
            ),
            self.master,
        )
        self._processes.append(process)
        return process

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(movie_platform.__file__).parents[1]),
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self._folder / "local"),
            "SPARK_DAEMON_MEMORY": "256m",
        }
        with (self._folder / f"{name}.log").open("wb") as log:
            launcher = [str(SPARK_HOME / "bin" / "spark-class"), *command]
            return subprocess.Popen(launcher, env=environment, stdout=log, stderr=log)

    def state(self) -> Any:
        """What the master says of itself, or None where it does not answer yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ui_port}/json/", timeout=5) as answer:
                return json.load(answer)
        except (OSError, json.JSONDecodeError):
            return None

    def is_at_work(self, worker: subprocess.Popen[bytes]) -> bool:
        """Whether Python functions run on the worker right now."""
        return any(name in _command(process) for process in _alive(worker.pid) for name in DAEMONS)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """The machine is gone, executor and all, without a word."""
        _kill_all(worker.pid)

    def close(self) -> None:
        for process in self._processes:
            _kill_all(process.pid)
            process.wait()


def _alive(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):  # it may end while it is looked at
        return " ".join(process.cmdline())
    return ""


def _kill_all(pid: int) -> None:
    for process in _alive(pid):
        with suppress(psutil.Error):
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:g} s it was not so that {what}")
        time.sleep(0.1)


@contextmanager
def cluster_of(folder: Path, workers: int, memory: str = "1g") -> Iterator[Cluster]:
    """Workers of one core each, with so much memory for their executor."""
    made = Cluster(folder, workers, memory)
    try:
        yield made
    finally:
        made.close()
