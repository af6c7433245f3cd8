"""The job that classifies a day's reviews: raw files in the lake -> one stage object, rejects, and an account."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from movie_platform.deliveries import Overtaken, Receipt, fingerprint_of, manifests, receipts, until_undisturbed
from movie_platform.deliveries.copies import by_name
from movie_platform.engine import CsvFile, Engine
from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectStore, open_store
from movie_platform.lake.parquet import put_parquet
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.archive import ARCHIVE, NAME, REVIEWS
from movie_platform.pipelines.user_behavior.classifiers import label
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, REJECT
from movie_platform.progress import Progress
from movie_platform.table import Table

JOB = f"{__name__}:classify_day"


def stage_key(day: date) -> str:
    return f"{reviews.stage_prefix(day)}movie_review.parquet"


def classify_day(engine: Engine, progress: Progress, *, lake: str, day: str, classifier: str) -> dict[str, Any]:
    """Classify what is in `raw/movie_review/<day>/` of the lake into `stage/movie_review/<day>/`.

    The stage has one object, the same bytes whatever the engine; a day without a file has one without rows. The result
    holds the account's fields, the classifier with its version, and the stage's rows, bytes and sha256.
    """
    store = open_store(lake, engine.waits)
    return until_undisturbed(lambda: _classified(engine, progress, store, day, classifier), f"the reviews of {day}")


def _classified(engine: Engine, progress: Progress, store: ObjectStore, day: str, classifier: str) -> dict[str, Any]:
    on = date.fromisoformat(day)
    manifest = manifests.latest(store, REVIEWS, day)
    if manifest:
        manifests.refuse_torn(store, ARCHIVE.folder(day), by_name(ARCHIVE, manifest))
    with tempfile.TemporaryDirectory(prefix="movie-platform-reviews-") as folder:
        work = _Work(engine, store, on, classifier, Path(folder))
        try:
            for step in progress.track(work.steps(), len(work.steps()), f"reviews of {day}"):
                step()
        except InputRefused as refused:
            delivered = {key: file.etag for key, file in manifest.files.items()} if manifest else {}
            receipts.refuse(store, NAME, day, fingerprint_of(delivered), refused)
            raise
        if manifests.latest_sequence(store, REVIEWS, day) != (manifest.sequence if manifest else 0):
            raise Overtaken(f"other reviews of {day} were archived meanwhile")
    made = receipts.made_of(work.etags)
    by_classifier = fingerprint_of({"classifier": classifier})
    receipts.put(store, REVIEWS, Receipt(day, manifest.sequence if manifest else 0, by_classifier, made))
    return work.result


class _Work:
    def __init__(self, engine: Engine, lake: ObjectStore, day: date, classifier: str, folder: Path) -> None:
        self._engine, self._lake, self._day, self._classifier, self._folder = engine, lake, day, classifier, folder
        self.result: dict[str, Any] = {}
        self.etags: dict[str, str] = {}

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
        self._rows = reviews.classified(self._engine, self._records, self._classifier)
        self._rejects = self._engine.stage("movie_review_rejects", reviews.rejects(self._records)).table
        self._account = reviews.account(self._engine, self._records, self._rows, self._rejects)

    def _write(self) -> None:
        rows = rejects = None
        if self._records is not None:
            rows = self._written("rows", reviews.in_order(self._rows), MOVIE_REVIEW)
            rejects = self._written("rejects", self._rejects, REJECT)
        rejected = put_parquet(self._lake, reviews.rejects_key(self._day), REJECT, rejects)
        written = put_parquet(self._lake, stage_key(self._day), MOVIE_REVIEW, rows)
        self.etags = {reviews.rejects_key(self._day): rejected.etag, stage_key(self._day): written.etag}
        staged = {"rows": written.rows, "bytes": written.bytes, "sha256": written.sha256}
        self.result = {"account": asdict(self._account), "classifier": label(self._classifier), **staged}

    def _written(self, name: str, table: Any, described: Table) -> Path:
        path = self._folder / f"{name}.parquet"
        self._engine.write(table, path, "parquet", described.arrow_schema)
        return path


def classified_by(lake: ObjectStore, day: date) -> str | None:
    """The label of the classifier that judged the day's staged reviews: blank where the stage names none because it is
    of an earlier release, None where there is no stage or no review in it."""
    key = stage_key(day)
    if lake.info(key) is None:
        return None
    with lake.open(key) as file:
        stage = pq.ParquetFile(file)
        if not stage.metadata.num_rows:
            return None
        if "classifier" not in stage.schema_arrow.names:
            return ""
        return str(next(stage.iter_batches(1, columns=["classifier"]))["classifier"][0].as_py())


def outdated(lake: ObjectStore, days: Iterable[date], classifier: str) -> list[date]:
    """Those of the days whose staged reviews were judged by another classifier or another version of this one."""
    wanted = label(classifier)
    return [day for day in days if classified_by(lake, day) not in (None, wanted)]


def _open(lake: ObjectStore, key: str) -> BinaryIO:
    return lake.open(key)
