"""The zip -> eight tables in a folder, with the account of every record. No Dagster, no warehouse.

Everything is written into a folder beside the target first, and put in place when all of it is there: a build that
fails leaves the target as it was.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.column_changes import changes_of, summary_of
from movie_platform.csv_files.kinds import columns_of
from movie_platform.engine import Engine, Format
from movie_platform.engine.protocol import LiteralReader
from movie_platform.engine.relation import Relation
from movie_platform.errors import InputRefused
from movie_platform.pipelines.movies_dataset.archive import Archive, Limits, open_archive
from movie_platform.pipelines.movies_dataset.queries import query
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
    CAST,
    CAST_MASTER,
    CHECKED_CELLS,
    CREDITS_FILE,
    CREDITS_MASTER,
    CREW,
    CREW_MASTER,
    EXPECTED,
    FILES,
    KEYWORDS,
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
        # A stream may be far away, and reading two places of it in turn would fetch most of it more than once.
        do = engine.side_by_side if isinstance(source, Path) else _one_by_one
        for _ in progress.track(do(build.steps()), len(FILES), name):
            continue
        for _ in do(build.last_steps()):
            continue
        build.put_in_order()
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
    """One build under way: each step takes one file of the zip, in any order and in threads of their own."""

    def __init__(self, archive: Archive, folder: Path, engine: Engine) -> None:
        self._archive, self._folder, self._engine = archive, folder, engine
        self.report = BuildReport(engine.name)
        self.reject_summary: list[dict[str, Any]] = []
        self._made: dict[SourceFile, Relation] = {}
        """What a file's tables are made of, or its table, for those who look movies up in it."""
        (folder / REJECTS_FOLDER).mkdir()

    def steps(self) -> list[Callable[[], None]]:
        """The required file first, then the longest."""
        taking: list[tuple[SourceFile, Callable[[SourceFile, Relation], None]]] = [
            (MOVIES_FILE, self._take_movies),
            (RATINGS_FILE, self._take_ratings),
            (CREDITS_FILE, self._take_credits),
            (KEYWORDS_FILE, self._take_keywords),
            (LINKS_FILE, self._take_links),
        ]
        return [partial(self._take, file, take) for file, take in taking]

    def last_steps(self) -> list[Callable[[], None]]:
        """What needs the tables of two files: how many rows are of movies that are not known."""
        made, movies = self._made, self._made[MOVIES_FILE]
        counts = [
            (table, query("unknown_members", made[file], movies, column))
            for table, file, column in (
                (KEYWORDS_MASTER, KEYWORDS_FILE, "keywords"),
                (CAST_MASTER, CREDITS_FILE, "cast"),
                (CREW_MASTER, CREDITS_FILE, "crew"),
            )
            if file in made
        ]
        if {RATINGS_FILE, LINKS_FILE} <= made.keys():
            counts.append((RATINGS_MASTER, query("unknown_ratings", made[RATINGS_FILE], made[LINKS_FILE], movies)))
        return [partial(self._report_unknown, table, of_table) for table, of_table in counts]

    def put_in_order(self) -> None:
        """Whichever file was done first: the report has them in the order of `FILES`."""
        order = [name for file in FILES for name in (file.name, *(table.name for table in file.tables))]
        report = self.report
        report.rows = {name: report.rows[name] for name in order if name in report.rows}
        report.missing = {name: report.missing[name] for name in order if name in report.missing}
        report.trimmed = {name: report.trimmed[name] for name in order if name in report.trimmed}
        report.files.sort(key=lambda account: order.index(account.file))
        report.unknown.sort(key=lambda unknown: order.index(unknown.table))
        self.reject_summary.sort(key=lambda reject: order.index(reject["source"]))

    def _take(self, file: SourceFile, take: Callable[[SourceFile, Relation], None]) -> None:
        if file.name in self._archive:
            name = f"records_of_{Path(file.name).stem}"
            take(file, self._engine.records(name, self._archive.file(file.name), file.columns))
        else:
            self.report.missing[file.name] = tuple(table.name for table in file.tables)

    def _take_movies(self, file: SourceFile, records: Relation) -> None:
        nested = {column.name: column.type for column in MOVIES_MASTER.columns if pa.types.is_nested(column.type)}
        parsed = self._engine.stage("parsed_movies", query("parse_movies", records, self._literals(nested)))
        movies = self._engine.stage("movies", query("movies_master", parsed))
        out = self._write(MOVIES_MASTER, query("in_order", movies))
        self._write(MOVIES_AGGREGATED, query("movies_aggregated", movies))
        self._count_trimmed(file, movies, ("genres", "production_companies"))
        self._name_implausible(query("implausible_amounts", movies, PLAUSIBLE_ABOVE))
        self._made[file] = movies
        merged = self._number(query("merged_movies", movies))
        rejects = query("rejects", parsed, file.name, CHECKED_CELLS)
        self._account(file, self._engine.record_count(records), out, rejects, merged=merged)

    def _take_keywords(self, file: SourceFile, records: Relation) -> None:
        kept = self._take_lists(file, records, {"keywords": KEYWORDS})
        self._write(KEYWORDS_MASTER, query("keywords_master", kept))
        self._count_trimmed(file, kept, ("keywords",))

    def _take_credits(self, file: SourceFile, records: Relation) -> None:
        kept = self._take_lists(file, records, {"cast": CAST, "crew": CREW})
        self._write(CREDITS_MASTER, query("credits_master", kept))
        self._write(CAST_MASTER, query("cast_master", kept))
        self._write(CREW_MASTER, query("crew_master", kept))
        self._count_trimmed(file, kept, ("cast", "crew"))

    def _take_links(self, file: SourceFile, records: Relation) -> None:
        out = self._write(LINKS_MASTER, query("links_master", records))
        self._made[file] = self._engine.parquet("links", [self._path(LINKS_MASTER)])
        self._account(file, self._engine.record_count(records), out, query("rejects", records, file.name))

    def _take_ratings(self, file: SourceFile, records: Relation) -> None:
        out = self._write(RATINGS_MASTER, query("ratings_master", records))
        count = self._engine.record_count(records)
        self._made[file] = self._engine.parquet("ratings", [self._path(RATINGS_MASTER)])
        # Nothing stages a file of this size: it is scanned again, but only where a record of it is not out.
        self._account(file, count, out, query("rejects", records, file.name) if count != out else None)

    def _take_lists(self, file: SourceFile, records: Relation, lists: dict[str, pa.DataType]) -> Relation:
        """Account for a file of lists per movie; the records kept."""
        name = Path(file.name).stem
        parsed = self._engine.stage(f"parsed_{name}", query("parse_lists", records, self._literals(lists)))
        merged = self._engine.stage(f"merged_{name}", query("merged_records", parsed, tuple(lists)))
        kept = query("kept_records", parsed, merged)
        counts = self._engine.to_arrow(query("kept_ids", kept)).to_pylist()[0]
        self._account(
            file,
            self._engine.record_count(records),
            counts["n"],
            query("rejects", parsed, file.name),
            merged=self._number(query("counted", merged)),
            conflicting=counts["n"] - counts["ids"],
        )
        self._made[file] = kept
        return kept

    def _literals(self, kinds: dict[str, pa.DataType]) -> dict[str, LiteralReader]:
        return {name: self._engine.literal(kind) for name, kind in kinds.items()}

    def _path(self, table: Table) -> Path:
        return self._folder / f"{table.name}.parquet"

    def _write(self, table: Table, rows: Relation) -> int:
        count = self._engine.write(rows, self._path(table), "parquet", table.arrow_schema)
        self.report.rows[table.name] = count
        return count

    def _account(
        self,
        file: SourceFile,
        records: int,
        out: int,
        rejects: Relation | None,
        *,
        merged: int = 0,
        conflicting: int = 0,
    ) -> None:
        name = Path(file.name).stem
        path = self._folder / REJECTS_FOLDER / f"{name}.parquet"
        found: list[dict[str, Any]] = []
        if rejects is None:
            pq.write_table(pa.Table.from_batches([], REJECTS.arrow_schema), path)
        elif self._engine.write(rejects, path, "parquet", REJECTS.arrow_schema):
            written = self._engine.parquet(f"rejects_of_{name}", [path])
            found = self._engine.to_arrow(query("summed_up", written)).to_pylist()
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

    def _count_trimmed(self, file: SourceFile, kept: Relation, columns: tuple[str, ...]) -> None:
        counted = self._engine.to_arrow(query("trimmed_names", kept, columns)).to_pylist()
        self.report.trimmed[file.name] = {row["column"]: int(row["n"]) for row in counted if row["n"]}

    def _name_implausible(self, found: Relation) -> None:
        self.report.implausible = self._number(query("counted", found))
        named = self._engine.to_arrow(query("smallest_amounts", found, NAMED)).to_pylist()
        self.report.implausible_amounts = [Amount(**row) for row in named]

    def _report_unknown(self, table: Table, counts: Relation) -> None:
        rows = {row["kind"]: int(row["rows"]) for row in self._engine.to_arrow(counts).to_pylist()}
        self.report.unknown.append(Unknown(table.name, rows["all"], rows["unknown"]))

    def _number(self, counted: Relation) -> int:
        return int(self._engine.to_arrow(counted)["n"][0].as_py())


def _one_by_one(steps: Sequence[Callable[[], None]]) -> Iterator[None]:
    for step in steps:
        yield step()


def export(engine: Engine, folder: Path, names: Collection[str], kind: Format) -> None:
    """Write the named tables of a build in another format, beside their Parquet."""
    for table in TABLES:
        if table.name in names:
            rows = engine.parquet(table.name, [folder / f"{table.name}.parquet"])
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
