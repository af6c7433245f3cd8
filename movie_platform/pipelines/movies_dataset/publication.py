"""A delivery -> its eight tables in the lake. Runs in the run's own process, or in a Spark driver far away."""

import json
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from movie_platform.engine import Engine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.movies_dataset.archive import Limits
from movie_platform.pipelines.movies_dataset.build import ERRORS, REJECTS_FOLDER, build_dataset
from movie_platform.pipelines.movies_dataset.deliveries import Delivery, find_delivery
from movie_platform.pipelines.movies_dataset.report import BuildReport, FileAccount, Unknown
from movie_platform.progress import Progress

JOB = f"{__name__}:publish_delivery"
CODE_VERSION = "1"
OUTPUT = "movie_data_output/"
REJECTS = "rejects/movies_dataset/"
REPORT = "report.json"
"""Written last: where it lies, everything else of the delivery does."""


@dataclass(frozen=True)
class Part:
    """One Parquet object of a table."""

    key: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Publication:
    """What a delivery left in the lake."""

    day: str
    version: str
    etag: str
    source: str
    report: BuildReport
    tables: dict[str, tuple[Part, ...]]

    @classmethod
    def parse(cls, told: dict[str, Any]) -> "Publication":
        """What `publish_delivery` told, as JSON carries it."""
        report = dict(told["report"])
        report.pop("conserved", None)
        report["files"] = [FileAccount(**account) for account in report["files"]]
        report["unknown"] = [Unknown(**unknown) for unknown in report["unknown"]]
        report["missing"] = {file: tuple(tables) for file, tables in report["missing"].items()}
        tables = {name: tuple(Part(**part) for part in parts) for name, parts in told["tables"].items()}
        return cls(**{**told, "report": BuildReport(**report), "tables": tables})

    def as_json(self) -> dict[str, Any]:
        tables = {name: [vars(part) for part in parts] for name, parts in self.tables.items()}
        return {**vars(self), "report": self.report.as_json(), "tables": tables}


def publish_delivery(
    engine: Engine, progress: Progress, *, raw: str, lake: str, day: str, max_bytes: int, max_ratio: float
) -> dict[str, Any]:
    """Build a day's delivery and put it in the lake: tables and error log below `movie_data_output/<day>/`, rejects
    below `rejects/movies_dataset/<day>/`. A zip that is refused leaves the lake as it was."""
    source, target = open_store(raw), open_store(lake)
    delivery = find_delivery(source, date.fromisoformat(day))
    with tempfile.TemporaryDirectory(prefix="movie-platform-dataset-") as name:
        folder = Path(name)
        report = _built(source, delivery, folder, engine, progress, Limits(max_bytes, max_ratio))
        tables = _upload(target, folder, day, report)
    published = Publication(day, delivery.version, delivery.info.etag, source.uri_of(delivery.info.key), report, tables)
    target.write(f"{OUTPUT}{day}/{REPORT}", json.dumps(published.as_json(), ensure_ascii=False, indent=1).encode())
    return published.as_json()


def read_publication(lake: ObjectStore, day: str) -> Publication | None:
    """What the last build of a day's delivery left, where there was one."""
    key = f"{OUTPUT}{day}/{REPORT}"
    return Publication.parse(json.loads(lake.read(key))) if lake.info(key) else None


def _built(
    raw: ObjectStore, delivery: Delivery, folder: Path, engine: Engine, progress: Progress, limits: Limits
) -> BuildReport:
    key = delivery.info.key
    if path := raw.local_path(key):
        return build_dataset(path, folder, engine, name=key, limits=limits, progress=progress)
    with raw.open(key) as stream:
        return build_dataset(stream, folder, engine, name=key, limits=limits, progress=progress)


def _upload(lake: ObjectStore, folder: Path, day: str, report: BuildReport) -> dict[str, tuple[Part, ...]]:
    output, rejects = f"{OUTPUT}{day}/", f"{REJECTS}{day}/"
    lake.delete([f"{output}{REPORT}"])
    tables = {name: _parts(lake, folder / f"{name}.parquet", f"{output}{name}.parquet") for name in report.rows}
    lake.upload(f"{output}{ERRORS}", folder / ERRORS)
    kept = {f"{output}{ERRORS}", *(part.key for parts in tables.values() for part in parts)}
    for path in sorted((folder / REJECTS_FOLDER).iterdir()):
        kept |= {part.key for part in _parts(lake, path, f"{rejects}{path.name}")}
    stale = [info.key for prefix in (output, rejects) for info in lake.objects(prefix) if info.key not in kept]
    lake.delete(stale)
    return tables


def _parts(lake: ObjectStore, path: Path, key: str) -> tuple[Part, ...]:
    """Upload a file, or the parts that an engine left in a folder."""
    files = {key: path} if path.is_file() else {f"{key}/{file.name}": file for file in sorted(path.glob("*.parquet"))}
    # Another engine may have left a folder where a file goes, or the reverse; a disk has no room for both.
    folder = key.rpartition("/")[0] + "/"
    lake.delete([i.key for i in lake.objects(folder) if i.key not in files and f"{i.key}/".startswith(f"{key}/")])
    parts = []
    for its_key, file in files.items():
        lake.upload(its_key, file)
        parts.append(Part(its_key, pq.read_metadata(file).num_rows, file.stat().st_size))
    return tuple(parts)
