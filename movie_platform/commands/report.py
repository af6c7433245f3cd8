"""The platform's report as a file."""

from pathlib import Path

import click

from movie_platform.commands.terminal import out, safe
from movie_platform.errors import PlatformError
from movie_platform.settings import load_settings


@click.command()
@click.option(
    "--out",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("platform-report.html"),
    show_default=True,
    help="Where to write it.",
)
@click.option("--open", "opens", is_flag=True, help="Show it in a browser.")
def report(file: Path, opens: bool) -> None:
    """Write how everything stands to one HTML page that needs no network: for people who never open Dagster.

    It is made from the lake's records while loads run, and never waits for the warehouse.
    """
    from movie_platform.report.page import make_report

    page = make_report(load_settings()).encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(page)
    except OSError as error:
        raise PlatformError(f"{file} cannot be written: {error.strerror}. Name another file with --out.") from error
    out.print(safe(f"{len(page):,} bytes written to {file}"))
    if opens:
        click.launch(file.resolve().as_uri())
