"""The job that classifies a day's reviews: raw files in the lake -> one stage object, rejects, and an account."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.engine import CsvFile, Engine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.lake.arrow import ArrowSink
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, REJECT
from movie_platform.progress import Progress
from movie_platform.table import Table

JOB = f"{__name__}:classify_day"
ROWS_A_GROUP = 65_536


def stage_key(day: date) -> str:
    return f"{reviews.stage_prefix(day)}movie_review.parquet"


def classify_day(engine: Engine, progress: Progress, *, lake: str, day: str, classifier: str) -> dict[str, Any]:
    """Classify what lies in `raw/movie_review/<day>/` of the lake into `stage/movie_review/<day>/`.

    The stage has one object, the same bytes whatever the engine; a day without a file has one without rows. The result
    holds the account's fields and the stage's rows, bytes and sha256.
    """
    store = open_store(lake)
    on = date.fromisoformat(day)
    with tempfile.TemporaryDirectory(prefix="movie-platform-reviews-") as folder:
        work = _Work(engine, store, on, classifier, Path(folder))
        for step in progress.track(work.steps(), len(work.steps()), f"reviews of {day}"):
            step()
        return work.result


class _Work:
    def __init__(self, engine: Engine, lake: ObjectStore, day: date, classifier: str, folder: Path) -> None:
        self._engine, self._lake, self._day, self._classifier, self._folder = engine, lake, day, classifier, folder
        self.result: dict[str, Any] = {}

    def steps(self) -> Sequence[Any]:
        return (self._read, self._classify, self._write)

    def _read(self) -> None:
        prefix = reviews.raw_prefix(self._day)
        keys = [info.key for info in self._lake.objects(prefix) if info.key.lower().endswith(".csv")]
        files = [CsvFile(key.removeprefix(prefix), partial(_open, self._lake, key)) for key in keys]
        self._records = reviews.read(self._engine, files) if files else None

    def _classify(self) -> None:
        if self._records is None:
            self._account = reviews.ReviewAccount(0, 0, 0, 0, 0)
            return
        self._rows = self._engine.stage(
            "movie_review", reviews.classified(self._engine, self._records, self._classifier)
        )
        self._rejects = self._engine.stage("movie_review_rejects", reviews.rejects(self._records))
        self._account = reviews.account(self._engine, self._records, self._rows, self._rejects)

    def _write(self) -> None:
        rows = rejects = None
        if self._records is not None:
            rows = self._written("rows", reviews.in_order(self._rows), MOVIE_REVIEW)
            rejects = self._written("rejects", self._rejects, REJECT)
        _put(self._lake, reviews.rejects_key(self._day), REJECT, rejects)
        count, digest = _put(self._lake, stage_key(self._day), MOVIE_REVIEW, rows)
        info = self._lake.info(stage_key(self._day))
        self.result = {
            "account": asdict(self._account),
            "rows": count,
            "bytes": info.size if info else 0,
            "sha256": digest,
        }

    def _written(self, name: str, table: Any, described: Table) -> Path:
        path = self._folder / f"{name}.parquet"
        self._engine.write(table, path, "parquet", described.arrow_schema)
        return path


def _open(lake: ObjectStore, key: str) -> BinaryIO:
    return lake.open(key)


def _put(lake: ObjectStore, key: str, table: Table, path: Path | None) -> tuple[int, str]:
    """One object of what an engine wrote, in groups of one size: engines differ in theirs."""
    digest = hashlib.sha256()
    with lake.writer(key) as out:

        def write(data: bytes) -> None:
            digest.update(data)
            out.write(data)

        rows = 0
        with pq.ParquetWriter(ArrowSink(write), table.arrow_schema, compression="zstd") as parquet:
            for group in _groups(path, table):
                parquet.write_table(group, row_group_size=ROWS_A_GROUP)
                rows += group.num_rows
    return rows, digest.hexdigest()


def _groups(path: Path | None, table: Table) -> Iterator[pa.Table]:
    if path is None:
        return
    waiting: list[pa.RecordBatch] = []
    count = 0
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        for batch in pq.ParquetFile(file).iter_batches(ROWS_A_GROUP):
            while batch.num_rows:
                part = batch.slice(0, ROWS_A_GROUP - count)
                waiting.append(part)
                count += part.num_rows
                batch = batch.slice(part.num_rows)
                if count == ROWS_A_GROUP:
                    yield _one(waiting, table)
                    waiting, count = [], 0
    if waiting:
        yield _one(waiting, table)


def _one(batches: list[pa.RecordBatch], table: Table) -> pa.Table:
    return pa.Table.from_batches(batches).cast(table.arrow_schema).combine_chunks()
