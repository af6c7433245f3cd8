"""Dagster's UI over a platform of its own, and a Chromium to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STARTS_WITHIN = 300


def chromium() -> str | None:
    """Where a Chromium is installed; Playwright's own download is not needed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(environment: Mapping[str, str], log: Path, *, daemon: bool) -> Iterator[str]:
    """The UI's address, while it is served; with the daemon, sensors tick and queued runs start."""
    port = free_port()
    command = ["dagster", "dev"] if daemon else ["dagster-webserver"]
    command[0] = str(Path(sys.executable).parent / command[0])
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes", "PYTHONPATH": str(ROOT), **environment},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, log)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    raise RuntimeError(f"the UI did not start:\n{log.read_text()[-3000:]}")
