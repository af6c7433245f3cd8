"""The three commands of compose.yaml start, become healthy by their own health checks, and write nothing at home."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
START_SECONDS = 300

pytestmark = pytest.mark.timeout(1200)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine:
    """Services of compose.yaml as processes here: their own commands and checks, on ports that are free."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
        self._ports = {"4000": str(free_port()), "3000": str(free_port())}
        self.home = folder / "home"
        self.home.mkdir()
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(ROOT / "deploy" / name, self.home)
        workspace = self.home / "workspace.yaml"
        workspace.write_text(workspace.read_text().replace("port: 4000", f"port: {self._ports['4000']}"))
        self._folder = folder
        self._environment = {
            **environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.home),
            "MOVIE_PLATFORM_CODE_SERVER": "127.0.0.1",
        }

    def _words(self, words: list[str]) -> list[str]:
        return [
            self._ports.get(word, word.replace("127.0.0.1:3000", f"127.0.0.1:{self._ports['3000']}")).replace(
                "0.0.0.0", "127.0.0.1"
            )
            for word in words
        ]

    @contextmanager
    def running(self, service: str) -> Iterator[None]:
        log = self._folder / f"{service}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                self._words(self._services[service]["command"]),
                env=self._environment,
                cwd=self._folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._until_healthy(service, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _until_healthy(self, service: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        check = self._words(self._services[service]["healthcheck"]["test"][1:])
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            asked = subprocess.run(check, env=self._environment, cwd=self._folder, check=False, capture_output=True)
            if asked.returncode == 0:
                return
            time.sleep(1)
        pytest.fail(f"{service} did not become healthy:\n{log.read_text()[-3000:]}")


def test_code_server_webserver_and_daemon_start_and_pass_their_health_checks(
    tmp_path: Path, postgres: str, bucket: str
) -> None:
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    machine = Machine(
        tmp_path,
        {
            **aws,
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DAGSTER_POSTGRES_URL": postgres.replace("postgresql://", "postgresql+psycopg2://", 1),
            "DAGSTER_COMPUTE_LOGS_BUCKET": bucket.removeprefix("s3://"),
            "MOVIE_PLATFORM_RAW_URI": bucket,
            "MOVIE_PLATFORM_LAKE_URI": bucket,
            "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{tmp_path}/warehouse.duckdb",
        },
    )
    with machine.running("code-server"), machine.running("webserver"), machine.running("daemon"):
        pass
    assert sorted(path.name for path in machine.home.iterdir()) == ["dagster.yaml", "workspace.yaml"]
