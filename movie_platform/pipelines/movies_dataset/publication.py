"""A delivery -> its eight tables in the lake. Runs in the run's own process, or in a Spark driver far away."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from movie_platform.deliveries import (
    Delivery,
    Manifest,
    ManifestFile,
    Overtaken,
    Receipt,
    manifests,
    receipts,
    until_undisturbed,
)
from movie_platform.deliveries.copies import must_be_unchanged
from movie_platform.deliveries.days import DailyFiles, is_day
from movie_platform.engine import Engine, Format
from movie_platform.errors import InputRefused, ObjectMissing
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.movies_dataset.answers import write_answers
from movie_platform.pipelines.movies_dataset.archive import Limits
from movie_platform.pipelines.movies_dataset.report import (
    ERRORS,
    REJECTS_FOLDER,
    Amount,
    BuildReport,
    FileAccount,
    Unknown,
)
from movie_platform.pipelines.movies_dataset.tables import MOVIES_AGGREGATED
from movie_platform.progress import Progress

JOB = f"{__name__}:publish_delivery"
CODE_VERSION = "1"
OUTPUT = "movie_data_output/"
REJECTS = "rejects/movies_dataset/"
ANSWERS = "answers"
FURTHER: dict[Format, str] = {"csv": "movie_data_csv/", "json": "movie_data_json/"}
"""Where the tables also are, each format under a prefix of its own."""
ZIP_NAME = "the-movies-dataset.zip"
MADE = (OUTPUT, REJECTS, *FURTHER.values())
"""Everything that the lake makes of a day, in its folder below each of these."""
NAME = "movies_dataset"
FILES = DailyFiles("project-data/", suffix=".zip", one_file=ZIP_NAME)


def report_key(day: str) -> str:
    """Written last: where it is, everything else of the delivery is too."""
    return f"{OUTPUT}{day}/report.json"


@dataclass(frozen=True)
class Part:
    """One Parquet object of a table."""

    key: str
    rows: int
    bytes: int
    etag: str = ""


@dataclass(frozen=True)
class Publication:
    """What a delivery left in the lake."""

    day: str
    version: str
    etag: str
    source: str
    report: BuildReport
    tables: dict[str, tuple[Part, ...]]
    sha256: str = ""
    """Of the zip."""
    answers: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    """The nine answers by the name of their view; earlier versions published none."""

    @property
    def content(self) -> str:
        """What changes with the zip's content; earlier versions had only its etag."""
        return self.sha256 or self.etag

    @classmethod
    def parse(cls, found: dict[str, Any]) -> "Publication":
        """What `publish_delivery` gives, as JSON carries it."""
        report = dict(found["report"])
        report.pop("conserved", None)
        report["files"] = [FileAccount(**account) for account in report["files"]]
        report["unknown"] = [Unknown(**unknown) for unknown in report["unknown"]]
        report["implausible_amounts"] = [Amount(**amount) for amount in report.get("implausible_amounts", [])]
        report["missing"] = {file: tuple(tables) for file, tables in report["missing"].items()}
        parts = {
            what: {name: tuple(Part(**part) for part in parts) for name, parts in found.get(what, {}).items()}
            for what in ("tables", "answers")
        }
        return cls(**{**found, "report": BuildReport(**report), **parts})

    def as_json(self) -> dict[str, Any]:
        parts = {
            what: {name: [vars(part) for part in parts] for name, parts in of.items()}
            for what, of in (("tables", self.tables), ("answers", self.answers))
        }
        return {**vars(self), "report": self.report.as_json(), **parts}


def publish_delivery(
    engine: Engine,
    progress: Progress,
    *,
    raw: str,
    lake: str,
    day: str,
    max_bytes: int,
    max_ratio: float,
    formats: Sequence[Format] = ("parquet",),
) -> dict[str, Any]:
    """Build a day's delivery and put it in the lake: tables and error log below `movie_data_output/<day>/`, the nine
    answers in its folder `answers/`, rejects below `rejects/movies_dataset/<day>/`. A zip that is refused leaves the
    lake as it was, and is noted as refused. Further formats of the tables are below `movie_data_<format>/<day>/`.

    A zip that is replaced meanwhile is built again from what is there then.
    """
    source, target = open_store(raw, engine.waits), open_store(lake, engine.waits)
    limits = Limits(max_bytes, max_ratio)
    published = until_undisturbed(
        lambda: _published(engine, progress, source, target, day, limits, formats), f"The Movies Dataset of {day}"
    )
    return published.as_json()


def _published(
    engine: Engine,
    progress: Progress,
    raw: ObjectStore,
    lake: ObjectStore,
    day: str,
    limits: Limits,
    formats: Sequence[Format],
) -> Publication:
    from movie_platform.pipelines.movies_dataset.build import export

    delivery = FILES.find(raw, day, datetime.now(UTC))
    if delivery is None:
        if published := read_publication(lake, day):
            return published  # the zip went away, which changes nothing
        raise InputRefused(
            f"{raw.uri} has no delivery for {day}: neither {FILES.prefix}{day}/{ZIP_NAME}, nor "
            f"{FILES.prefix}{ZIP_NAME} of that day",
            rule="delivered",
        )
    ((key, info),) = delivery.files.items()
    before = manifests.latest(lake, NAME, day)
    with tempfile.TemporaryDirectory(prefix="movie-platform-dataset-") as name:
        folder = Path(name)
        try:
            report = _built(raw, key, folder, engine, progress, limits)
            for kind in FURTHER.keys() & set(formats):
                export(engine, folder, report.rows, kind)
        except InputRefused as refused:
            must_be_unchanged(lambda: FILES.find(raw, day, datetime.now(UTC)), delivery)
            receipts.refuse(lake, NAME, day, delivery.fingerprint, refused)
            raise
        digest = manifests.sha256_of(raw, key)
        must_be_unchanged(lambda: FILES.find(raw, day, datetime.now(UTC)), delivery)
        if manifests.latest_sequence(lake, NAME, day) != (before.sequence if before else 0):
            raise Overtaken(f"another run built another delivery of {day}")
        tables, answers, written = _upload(lake, folder, day, report)
    file = ManifestFile(info.etag, digest, info.size)
    manifest = _manifest(lake, before, delivery, {key: file}, report.columns)
    must_be_unchanged(lambda: FILES.find(raw, day, datetime.now(UTC)), delivery)
    version = f"{day} {manifest.version}"
    published = Publication(day, version, info.etag, raw.uri_of(key), report, tables, digest, answers)
    put_publication(lake, published, written, delivery.fingerprint)
    manifests.must_be_newest(lake, manifest)
    return published


def put_publication(lake: ObjectStore, published: Publication, written: Mapping[str, str], fingerprint: str) -> None:
    """Write the report, which says that everything of the delivery is there, and the receipt."""
    key = report_key(published.day)
    text = json.dumps(published.as_json(), ensure_ascii=False, indent=1)
    made = {**written, key: lake.write(key, text.encode())}
    sequence = manifests.sequence_of(published.version)
    receipts.put(lake, NAME, Receipt(published.day, sequence, fingerprint, receipts.made_of(made)))


def read_publication(lake: ObjectStore, day: str) -> Publication | None:
    """What the last build of a day's delivery left, where there was one."""
    try:
        return Publication.parse(json.loads(lake.read(report_key(day))))
    except ObjectMissing:
        return None


def newest_publication(lake: ObjectStore) -> Publication | None:
    """The newest day whose data set is published with its aggregated movies."""
    for day in sorted(filter(is_day, lake.folders(OUTPUT)), reverse=True):
        published = read_publication(lake, day)
        if published and published.tables.get(MOVIES_AGGREGATED.name):
            return published
    return None


def renumbered(lake: ObjectStore, published: Publication, *, above: int) -> Publication:
    """The same publication under a sequence above the ledger's, since it is what is delivered now."""
    before = manifests.latest(lake, NAME, published.day)
    file = {published.source: ManifestFile(published.etag, published.sha256, 0)}
    manifest = manifests.publish(lake, NAME, published.day, before.files if before else file, after=before, above=above)
    newer = replace(published, version=f"{published.day} {manifest.version}")
    standing = receipts.standing(lake, NAME, published.day)
    fingerprint = standing.receipts[0].fingerprint if standing.receipts else receipts.NOTHING_DELIVERED
    written = {info.key: info.etag for prefix in MADE for info in lake.objects(f"{prefix}{published.day}/")}
    put_publication(lake, newer, written, fingerprint)
    return newer


def _manifest(
    lake: ObjectStore,
    before: Manifest | None,
    delivery: Delivery,
    files: dict[str, ManifestFile],
    columns: dict[str, dict[str, str]],
) -> Manifest:
    made = Manifest(NAME, delivery.partition, before.sequence if before else 0, files, delivery.delivered_at, columns)
    if before and {file.sha256 for file in before.files.values()} == {file.sha256 for file in files.values()}:
        manifests.rewrite(lake, made)  # the same content, written again
        return made
    return manifests.publish(
        lake, NAME, delivery.partition, files, after=before, delivered_at=delivery.delivered_at, columns=columns
    )


def _built(raw: ObjectStore, key: str, folder: Path, engine: Engine, progress: Progress, limits: Limits) -> BuildReport:
    from movie_platform.pipelines.movies_dataset.build import build_dataset

    if path := raw.local_path(key):
        return build_dataset(path, folder, engine, name=key, limits=limits, progress=progress)
    with raw.open(key) as stream:
        return build_dataset(stream, folder, engine, name=key, limits=limits, progress=progress)


def _upload(
    lake: ObjectStore, folder: Path, day: str, report: BuildReport
) -> tuple[dict[str, tuple[Part, ...]], dict[str, tuple[Part, ...]], dict[str, str]]:
    """The parts of each table and of each answer, and the etag of everything that was written."""
    output, rejects = f"{OUTPUT}{day}/", f"{REJECTS}{day}/"
    lake.delete([report_key(day)])
    written: dict[str, str] = {}
    tables = {
        name: _parts(lake, folder / f"{name}.parquet", f"{output}{name}.parquet", written) for name in report.rows
    }
    aggregated = folder / f"{MOVIES_AGGREGATED.name}.parquet"
    write_answers(sorted(aggregated.glob("*.parquet")) or [aggregated], folder / ANSWERS)
    answers = {
        path.stem: _parts(lake, path, f"{output}{ANSWERS}/{path.name}", written)
        for path in sorted((folder / ANSWERS).iterdir())
    }
    written[f"{output}{ERRORS}"] = lake.upload(f"{output}{ERRORS}", folder / ERRORS)
    for path in sorted((folder / REJECTS_FOLDER).iterdir()):
        _parts(lake, path, f"{rejects}{path.name}", written)
    for kind, prefix in FURTHER.items():
        for path in sorted(folder.glob(f"*.{kind}")):
            _put(lake, path, f"{prefix}{day}/{path.name}", kind, written)
    of_day = (info.key for prefix in MADE for info in lake.objects(f"{prefix}{day}/"))
    stale = [key for key in of_day if key not in written]
    lake.delete(stale)
    return tables, answers, written


def _parts(lake: ObjectStore, path: Path, key: str, written: dict[str, str]) -> tuple[Part, ...]:
    """Upload a table's Parquet."""
    import pyarrow.parquet

    return tuple(
        Part(its_key, pyarrow.parquet.read_metadata(file).num_rows, file.stat().st_size, written[its_key])
        for its_key, file in _put(lake, path, key, "parquet", written).items()
    )


def _put(lake: ObjectStore, path: Path, key: str, kind: Format, written: dict[str, str]) -> dict[str, Path]:
    """Upload a file, or the parts that an engine left in a folder; the files by their keys."""
    files = {key: path} if path.is_file() else {f"{key}/{file.name}": file for file in sorted(path.glob(f"*.{kind}"))}
    # Another engine may have left a folder where a file goes, or the reverse; a disk has no room for both.
    folder = key.rpartition("/")[0] + "/"
    lake.delete([i.key for i in lake.objects(folder) if i.key not in files and f"{i.key}/".startswith(f"{key}/")])
    for its_key, file in files.items():
        written[its_key] = lake.upload(its_key, file)
    return files
