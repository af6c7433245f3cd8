"""Jobs and classifiers as Spark meets them when things go wrong. Its workers import nothing else of the tests."""

import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any


class Broken:
    """A classifier that fails on the workers."""

    name = "broken"

    def is_positive(self, text: str) -> bool:
        raise RuntimeError("the model is out of order")


class WaitsForLoss:
    """A classifier that gives no answer before a worker is lost; then the file that LOST names is there."""

    name = "waits"

    def is_positive(self, text: str) -> bool:
        while not Path(os.environ["LOST"]).exists():
            time.sleep(0.1)
        return "good" in text


def waits(engine: Any, progress: Any) -> dict[str, Any]:
    """How long a job lets S3 take."""
    return asdict(engine.waits)


def endless(engine: Any, progress: Any) -> dict[str, Any]:
    """A job that never ends by itself."""
    engine._session.sparkContext.parallelize([1, 2], 2).foreach(sleep_long)
    return {}


def sleep_long(_: int) -> None:
    time.sleep(3_600)


def deaf(engine: Any, progress: Any) -> dict[str, Any]:
    """A job that ignores the signal to stop, and says so in the file that DEAF names."""
    sys.modules["__main__"].PATIENCE_SECONDS = 1  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, lambda number, frame: None)
    Path(os.environ["DEAF"]).write_text(str(os.getpid()))
    while True:
        sleep_long(0)
