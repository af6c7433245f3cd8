"""The zip -> eight tables in a folder, with the account of every record. No Dagster, no warehouse.

Everything is written into a folder beside the target first, and put in place when all of it is there: a build that
fails leaves the target as it was.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, get_args

import ibis.expr.types as ir
import pyarrow.parquet as pq

from movie_platform.column_changes import changes_of, summary_of
from movie_platform.csv_files.kinds import columns_of
from movie_platform.engine import RECORD_NUMBER, Engine, Format
from movie_platform.errors import InputRefused
from movie_platform.pipelines.movies_dataset import transforms
from movie_platform.pipelines.movies_dataset.archive import Archive, Limits, open_archive
from movie_platform.pipelines.movies_dataset.report import (
    ERRORS,
    PLAUSIBLE_ABOVE,
    REJECTS_FOLDER,
    Amount,
    BuildReport,
    FileAccount,
    Unknown,
    error_lines,
)
from movie_platform.pipelines.movies_dataset.tables import (
    CAST_MASTER,
    CREDITS_FILE,
    CREDITS_MASTER,
    CREW_MASTER,
    EXPECTED,
    FILES,
    KEYWORDS_FILE,
    KEYWORDS_MASTER,
    LINKS_FILE,
    LINKS_MASTER,
    MOVIES_AGGREGATED,
    MOVIES_FILE,
    MOVIES_MASTER,
    RATINGS_FILE,
    RATINGS_MASTER,
    REJECTS,
    TABLES,
    SourceFile,
)
from movie_platform.pipelines.movies_dataset.transforms import Parsed
from movie_platform.progress import Progress
from movie_platform.table import Table

NAMED = 100
"""Implausible amounts that a report names; it counts all of them."""


def build_dataset(
    source: Path | BinaryIO,
    out: Path,
    engine: Engine,
    *,
    name: str = "the-movies-dataset.zip",
    kind: Format = "parquet",
    limits: Limits | None = None,
    progress: Progress,
) -> BuildReport:
    """Write `out/<table>.<format>`, `out/rejects/<file>.parquet` and `out/errors.jsonl`, replacing what is there.

    A zip that must not be opened, or that lacks movies_metadata.csv, is an `InputRefused` before anything is written.
    """
    started = time.monotonic()
    required = tuple(file.name for file in FILES if file.required)
    with open_archive(source, name, limits or Limits(), required=required) as archive, _in_place(out) as folder:
        build = _Build(archive, folder, engine)
        build.report.columns = _columns(archive)
        for step in progress.track(build.steps(), len(FILES), name):
            step()
        (folder / ERRORS).write_text(error_lines(build.report, build.reject_summary), "utf-8")
        if kind != "parquet":
            export(engine, folder, build.report.rows, kind)
            for table in build.report.rows:
                _remove(folder / f"{table}.parquet")
    build.report.seconds = time.monotonic() - started
    return build.report


def _columns(archive: Archive) -> dict[str, dict[str, str]]:
    """Those of each file; `InputRefused` names all that are missing in any of them."""
    found = {file.name: columns_of(archive.file(file.name).open) for file in FILES if file.name in archive}
    faults = []
    for file, columns in found.items():
        gone = [change for change in changes_of(EXPECTED[file], columns) if change.change == "gone"]
        if gone:
            faults.append(f"{file} {summary_of(gone)}; its header reads {', '.join(columns) or '(nothing)'}")
    if faults:
        raise InputRefused("; ".join(faults), rule="header", columns=found)
    return found


class _Build:
    """One build under way: each step takes one file of the zip."""

    def __init__(self, archive: Archive, folder: Path, engine: Engine) -> None:
        self._archive, self._folder, self._engine = archive, folder, engine
        self.report = BuildReport(engine.name)
        self.reject_summary: list[dict[str, object]] = []
        self._movies: ir.Table | None = None
        self._links: ir.Table | None = None
        (folder / REJECTS_FOLDER).mkdir()

    def steps(self) -> Iterator[Callable[[], None]]:
        taking: dict[str, Callable[[SourceFile, ir.Table], None]] = {
            MOVIES_FILE.name: self._take_movies,
            KEYWORDS_FILE.name: self._take_keywords,
            CREDITS_FILE.name: self._take_credits,
            LINKS_FILE.name: self._take_links,
            RATINGS_FILE.name: self._take_ratings,
        }
        for file in FILES:
            yield partial(self._take, file, taking[file.name])

    def _take(self, file: SourceFile, take: Callable[[SourceFile, ir.Table], None]) -> None:
        if file.name in self._archive:
            take(file, self._engine.records(self._archive.file(file.name), file.columns))
        else:
            self.report.missing[file.name] = tuple(table.name for table in file.tables)

    def _take_movies(self, file: SourceFile, records: ir.Table) -> None:
        parsed = self._staged("parsed_movies", transforms.parse_movies(records, self._engine.literal))
        movies = self._engine.stage("movies", transforms.movies_master(parsed))
        out = self._write(MOVIES_MASTER, movies.order_by(RECORD_NUMBER))
        self._write(MOVIES_AGGREGATED, transforms.movies_aggregated(movies))
        self._count_trimmed(file, movies, ("genres", "production_companies"))
        self._name_implausible(transforms.implausible_amounts(movies, PLAUSIBLE_ABOVE))
        self._movies = movies.select("id")
        merged = self._number(movies.aggregate(n=(movies.records - 1).sum().fill_null(0)))
        self._account(
            file, self._engine.record_count(records), out, transforms.rejects(parsed, file.name), merged=merged
        )

    def _take_keywords(self, file: SourceFile, records: ir.Table) -> None:
        parsed = self._staged("parsed_keywords", transforms.parse_keywords(records, self._engine.literal))
        kept = self._take_lists(file, records, parsed, ("keywords",))
        self._write(KEYWORDS_MASTER, transforms.keywords_master(kept))
        self._count_trimmed(file, kept, ("keywords",))
        self._report_unknown(KEYWORDS_MASTER, transforms.unknown_members(kept, self._known_movies, "keywords"))

    def _take_credits(self, file: SourceFile, records: ir.Table) -> None:
        parsed = self._staged("parsed_credits", transforms.parse_credits(records, self._engine.literal))
        kept = self._take_lists(file, records, parsed, ("cast", "crew"))
        self._write(CREDITS_MASTER, transforms.credits_master(kept))
        self._write(CAST_MASTER, transforms.cast_master(kept))
        self._write(CREW_MASTER, transforms.crew_master(kept))
        self._count_trimmed(file, kept, ("cast", "crew"))
        self._report_unknown(CAST_MASTER, transforms.unknown_members(kept, self._known_movies, "cast"))
        self._report_unknown(CREW_MASTER, transforms.unknown_members(kept, self._known_movies, "crew"))

    def _take_links(self, file: SourceFile, records: ir.Table) -> None:
        out = self._write(LINKS_MASTER, transforms.links_master(records))
        self._links = self._engine.parquet([self._path(LINKS_MASTER)])
        self._account(file, self._engine.record_count(records), out, transforms.rejects(Parsed(records), file.name))

    def _take_ratings(self, file: SourceFile, records: ir.Table) -> None:
        out = self._write(RATINGS_MASTER, transforms.ratings_master(records))
        count = self._engine.record_count(records)
        if self._links is not None:
            ratings = self._engine.parquet([self._path(RATINGS_MASTER)])
            unknown = transforms.unknown_ratings(ratings, self._links, self._known_movies)
            self._report_unknown(RATINGS_MASTER, unknown)
        # Nothing stages a file of this size: it is scanned again, but only where a record of it is not out.
        rejects = transforms.rejects(Parsed(records), file.name) if count != out else None
        self._account(file, count, out, rejects)

    def _take_lists(self, file: SourceFile, records: ir.Table, parsed: Parsed, lists: tuple[str, ...]) -> ir.Table:
        """Account for a file of lists per movie; the records kept."""
        name = file.tables[0].name
        merged = self._engine.stage(f"merged_{name}", transforms.merged_records(parsed, lists))
        kept = transforms.kept_records(parsed, merged)
        ids = kept.group_by("id").aggregate(n=kept.count())
        counts = self._engine.to_arrow(ids.aggregate(n=ids.n.sum().fill_null(0), ids=ids.count())).to_pylist()[0]
        self._account(
            file,
            self._engine.record_count(records),
            counts["n"],
            transforms.rejects(parsed, file.name),
            merged=self._number(merged.aggregate(n=merged.count())),
            conflicting=counts["n"] - counts["ids"],
        )
        return kept

    @property
    def _known_movies(self) -> ir.Table:
        assert self._movies is not None, "movies_metadata.csv is required and comes first"
        return self._movies

    def _path(self, table: Table) -> Path:
        return self._folder / f"{table.name}.parquet"

    def _staged(self, name: str, parsed: Parsed) -> Parsed:
        return Parsed(self._engine.stage(name, parsed.table), parsed.bad_cells)

    def _write(self, table: Table, rows: ir.Table) -> int:
        count = self._engine.write(rows, self._path(table), "parquet", table.arrow_schema)
        self.report.rows[table.name] = count
        return count

    def _account(
        self,
        file: SourceFile,
        records: int,
        out: int,
        rejects: ir.Table | None,
        *,
        merged: int = 0,
        conflicting: int = 0,
    ) -> None:
        path = self._folder / REJECTS_FOLDER / f"{Path(file.name).stem}.parquet"
        found: list[dict[str, Any]] = []
        if rejects is None:
            pq.write_table(REJECTS.arrow_schema.empty_table(), path)
        elif self._engine.write(rejects, path, "parquet", REJECTS.arrow_schema):
            found = self._engine.to_arrow(transforms.summed_up(self._engine.parquet([path]))).to_pylist()
        self.reject_summary += found
        rows = {
            f"{r['reason']}" + (f" ({r['column']})" if r["column"] else ""): r["count"]
            for r in found
            if r["scope"] == "row"
        }
        self.report.files.append(
            FileAccount(
                file=file.name,
                records=records,
                out=out,
                merged=merged,
                rejected=sum(rows.values()),
                reasons=rows,
                bad_cells={r["column"]: r["count"] for r in found if r["scope"] == "cell"},
                conflicting=conflicting,
            )
        )

    def _count_trimmed(self, file: SourceFile, kept: ir.Table, columns: tuple[str, ...]) -> None:
        counted = self._engine.to_arrow(transforms.trimmed_names(kept, columns)).to_pylist()
        self.report.trimmed[file.name] = {row["column"]: int(row["n"]) for row in counted if row["n"]}

    def _name_implausible(self, found: ir.Table) -> None:
        self.report.implausible = self._number(found.aggregate(n=found.count()))
        named = found.order_by("amount", "movie_id", "column").limit(NAMED)
        self.report.implausible_amounts = [Amount(**row) for row in self._engine.to_arrow(named).to_pylist()]

    def _report_unknown(self, table: Table, counts: ir.Table) -> None:
        rows = {row["kind"]: int(row["rows"]) for row in self._engine.to_arrow(counts).to_pylist()}
        self.report.unknown.append(Unknown(table.name, rows["all"], rows["unknown"]))

    def _number(self, table: ir.Table) -> int:
        return int(self._engine.to_arrow(table)["n"][0].as_py())


def export(engine: Engine, folder: Path, names: Collection[str], kind: Format) -> None:
    """Write the named tables of a build in another format, beside their Parquet."""
    for table in TABLES:
        if table.name in names:
            rows = engine.parquet([folder / f"{table.name}.parquet"])
            engine.write(rows, folder / f"{table.name}.{kind}", kind, table.arrow_schema)


@contextmanager
def _in_place(out: Path) -> Iterator[Path]:
    """A folder to write into; what is in it takes the place of the last build when all of it is there."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".under-way-", dir=out) as name:
        folder = Path(name)
        yield folder
        for table in TABLES:
            for kind in get_args(Format):
                _remove(out / f"{table.name}.{kind}")
        _remove(out / REJECTS_FOLDER)
        for path in sorted(folder.iterdir()):
            path.replace(out / path.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
