"""The data set in the terminal: build it from a zip, play its publisher, run deliveries, ask the nine questions."""

from pathlib import Path

import click

from movie_platform.engine import Engine, Format
from movie_platform.pipelines.movies_dataset.archive import Limits
from movie_platform.pipelines.movies_dataset.report import BuildReport
from movie_platform.settings import Settings, load_settings
from movie_platform.terminal import TerminalProgress, err, out, safe, table


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
    out.print(safe(f"{report.seconds:.1f} s"))
