"""The data set in the terminal: build it from a zip, play its publisher, run deliveries, ask the nine questions."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from movie_platform.column_changes import changes_of, summary_of
from movie_platform.commands.bars import TerminalProgress
from movie_platform.commands.options import json_option, mode
from movie_platform.commands.ranges import (
    DAY,
    check_range,
    run_range,
    show_rejected,
    store_to_deliver_to,
    yes_option,
)
from movie_platform.commands.terminal import err, force_option, out, print_json, safe, table
from movie_platform.engine import Engine, Format
from movie_platform.errors import PlatformError
from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS, answer, movies_without_year
from movie_platform.pipelines.movies_dataset.archive import Limits
from movie_platform.pipelines.movies_dataset.publication import ZIP_NAME
from movie_platform.pipelines.movies_dataset.report import BuildReport
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.pipelines.movies_dataset.tables import EXPECTED, MOVIES_AGGREGATED, TABLES
from movie_platform.settings import Settings, load_settings


@click.group("dataset")
def dataset() -> None:
    """The Movies Dataset without Dagster and without a warehouse."""


@dataset.command("build")
@click.argument("archive", metavar="ZIP", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the tables go."
)
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "json"]), default="parquet", show_default=True)
@click.option("--engine", "engine_name", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@json_option
def build(archive: Path, folder: Path, kind: Format, engine_name: str) -> None:
    """Turn the-movies-dataset.zip into eight tables, what was rejected, and an error log.

    Ends with 0 when every row is accounted for, rejected or not.
    """
    from movie_platform.pipelines.movies_dataset.build import build_dataset

    with _engine(engine_name) as engine:
        report = build_dataset(
            archive,
            folder,
            engine,
            name=archive.name,
            kind=kind,
            limits=limits_of(load_settings()),
            progress=TerminalProgress(),
        )
    if mode.json:
        print_json(report.as_json())
    _show(report)
    if not report.is_conserved:
        err.print("Rows are missing from the account: this is a fault of the platform, not of the data.", style="red")
        raise SystemExit(1)


def limits_of(settings: Settings) -> Limits:
    """How far a member of the zip may expand."""
    return Limits(settings.dataset_max_bytes, settings.dataset_max_ratio)


def _engine(name: str) -> Engine:
    if name == "spark":
        from movie_platform.engine.spark import SparkEngine, start_session

        return SparkEngine(start_session("movie-platform dataset build", master="local[*]"))
    from movie_platform.engine.in_process import DuckDBEngine

    return DuckDBEngine()


def _show(report: BuildReport) -> None:
    out.print(table(f"Tables ({report.engine})", ("table", "rows"), report.rows.items()))
    accounts = [(a.file, a.records, a.out, a.merged, a.rejected, sum(a.bad_cells.values())) for a in report.files]
    columns = ("file", "records", "out", "merged", "rejected", "cells set to null")
    out.print(table("Where every record went", columns, accounts))
    reasons = [(a.file, reason, count) for a in report.files for reason, count in a.reasons.items()]
    if reasons:
        out.print(table("Rejected, and why", ("file", "reason", "records"), reasons))
    for file, tables in report.missing.items():
        out.print(safe(f"{file} is not in the zip: skipped {', '.join(tables)}"))
    for file, found in report.columns.items():
        if changes := changes_of(EXPECTED[file], found):
            out.print(safe(f"{file} {summary_of(changes)}"))
    out.print(safe(f"{report.seconds:.1f} s"))


@click.command("dataset")
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=0.01, show_default=True, help="1: real size.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another data set.")
@click.option("--date", "day", type=DAY, metavar="DATE", help="The day delivered; today by default.")
@click.option("--spreadsheet", is_flag=True, help="A copy that a spreadsheet has damaged.")
@click.option("--without", multiple=True, metavar="FILE", help="Leave a file out of the zip.")
@yes_option
def simulate_dataset(
    scale: float, seed: int, day: date | None, spreadsheet: bool, without: tuple[str, ...], yes: bool
) -> None:
    """Play the publisher: deliver the-movies-dataset.zip to the data set's raw side."""
    settings = load_settings()
    raw = store_to_deliver_to(settings, SOURCE, yes=yes)
    on = day or datetime.now(UTC).date()
    key = deliver_dataset(settings, on, scale=scale, seed=seed, spreadsheet=spreadsheet, without=without)
    out.print(safe(f"Delivered {raw.uri_of(key)}"))


def deliver_dataset(
    settings: Settings,
    day: date,
    *,
    scale: float,
    seed: int = 0,
    spreadsheet: bool = False,
    without: tuple[str, ...] = (),
) -> str:
    """Put a sample zip where the publisher would; its key."""
    from movie_platform.samples.movies_dataset import write_dataset

    key = f"{SOURCE.prefix}{day.isoformat()}/{ZIP_NAME}"
    with tempfile.TemporaryDirectory(prefix="movie-platform-sample-") as folder:
        path = Path(folder) / ZIP_NAME
        write_dataset(path, scale=scale, seed=seed, spreadsheet=spreadsheet, without=without)
        open_store(settings.source_uri("dataset"), settings.s3_waits).upload(key, path)
    return key


@click.command("dataset")
@click.option("--from", "first", required=True, type=DAY, metavar="DATE", help="First day.")
@click.option("--to", "last", required=True, type=DAY, metavar="DATE", help="Last day, included.")
@force_option
@json_option
def run_dataset(first: date, last: date, force: bool) -> None:
    """Build every delivery of the range into the lake; the warehouse ends with the newest one.

    Ends with 0 when every delivery was built or refused for its own data's reasons, with 1 when something of the
    platform failed.
    """
    settings = load_settings()
    begin, end = check_range(SOURCE, settings, first.isoformat(), last.isoformat())
    if not run_deliveries(settings, begin, end, force=force):
        raise SystemExit(1)


def run_deliveries(settings: Settings, first: str, last: str, *, force: bool = False) -> bool:
    """Run what was delivered from the first to the last day; whether nothing of the platform failed."""
    from movie_platform.warehouse import FORCE

    raw = open_store(settings.source_uri("dataset"), settings.s3_waits)
    listing = SOURCE.shape.listing(raw, SOURCE.start(settings), datetime.now(UTC))
    show_rejected(SOURCE, settings, listing.rejected_keys, listing.rejected)
    found = [delivery for day, delivery in listing.deliveries.items() if first <= day <= last]
    if not found:
        out.print(safe(f"Nothing was delivered from {first} to {last} in {raw.uri}/{SOURCE.prefix}"))
        return True
    newest = found[-1].partition
    tables = [table.name for table in TABLES]

    def selection(days: Sequence[str]) -> Sequence[str]:
        return SOURCE.assets if newest in days else tables

    runs = [[delivery.partition] for delivery in found]
    ok = run_range(settings, SOURCE, runs, found, selection=selection, tags={FORCE: force})
    out.print(safe(f"Deliveries gone through: {len(found)}, {found[0].partition} to {newest}"))
    return ok


def _size(measure: str, row: dict[str, Any]) -> tuple[bool, Any]:
    """An amount that is unknown sorts below all others."""
    return row[measure] is not None, row[measure] or 0


@click.command("answers")
@click.option("--json", "as_json", is_flag=True, help="All rows, for programs.")
@click.option("--rows", type=click.IntRange(1), default=10, show_default=True, help="Rows of each answer to show.")
def answers(as_json: bool, rows: int) -> None:
    """Answer the nine questions about companies and genres from the warehouse."""
    from movie_platform.warehouse import open_warehouse

    warehouse = open_warehouse(load_settings())
    if not warehouse.ledger(MOVIES_AGGREGATED):
        raise PlatformError(
            "The warehouse holds no movies yet: deliver a data set (`movie-platform simulate dataset` makes a sample) "
            "and run it (`movie-platform run dataset --from DATE --to DATE`)"
        )
    found = [(question, answer(warehouse, question)) for question in QUESTIONS]
    undated = movies_without_year(warehouse)
    if as_json:
        found_rows = {question.view: rows_found.to_pylist() for question, rows_found in found}
        print_json({**found_rows, "movies_without_year": undated})
        return
    for question, rows_found in found:
        largest = sorted(rows_found.to_pylist(), key=partial(_size, question.measure), reverse=True)[:rows]
        shown = [list(row.values()) for row in largest]
        out.print(table(f"{question.asks} ({rows_found.num_rows} rows, largest first)", rows_found.column_names, shown))
    out.print(safe(f"{undated} movies without a year are left out."))
