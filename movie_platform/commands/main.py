"""The command `movie-platform`. Each room brings its own commands; here they are put together."""

import sys

import click

from movie_platform.commands.groups import Commands
from movie_platform.errors import PlatformError, SettingsError

HERE = "movie_platform.commands"


simulate = Commands(
    "simulate",
    {
        "feed": f"{HERE}.feed:simulate_feed",
        "dataset": f"{HERE}.dataset:simulate_dataset",
        "quality": f"{HERE}.quality_movies:simulate_quality",
        "behavior": f"{HERE}.behavior:simulate_behavior",
    },
    "Make realistic deliveries of a source, defects included.",
)
run = Commands(
    "run",
    {
        "feed": f"{HERE}.feed:run_feed",
        "dataset": f"{HERE}.dataset:run_dataset",
        "quality": f"{HERE}.quality_movies:run_quality",
        "behavior": f"{HERE}.behavior:run_behavior",
    },
    "Run a pipeline's assets in this process, without the UI.",
)
cli = Commands(
    "movie-platform",
    {
        "status": "movie_platform.commands.overview:status",
        "doctor": "movie_platform.commands.overview:doctor",
        "demo": "movie_platform.commands.overview:demo",
        "dataset": f"{HERE}.dataset:dataset",
        "answers": f"{HERE}.dataset:answers",
        "report": f"{HERE}.report:report",
        "quality": f"{HERE}.quality:quality",
        "reviews": f"{HERE}.reviews:reviews",
        "warehouse": f"{HERE}.storage:warehouse",
        "lake": f"{HERE}.storage:lake",
    },
    "Take in movie data, prove its quality, serve it from a lake and a warehouse.",
)
click.version_option(package_name="movie-platform")(cli)
cli.add_command(simulate)
cli.add_command(run)


def main() -> None:
    """Ends with 1 where the platform could not do its work, with 2 where arguments or settings are wrong."""
    try:
        cli(prog_name="movie-platform")
    except SettingsError as error:
        _complain(f"Wrong settings:\n{error}")
        sys.exit(2)
    except PlatformError as error:
        _complain(error)
        sys.exit(1)


def _complain(what: object) -> None:
    from movie_platform.commands.terminal import err, safe

    err.print(safe(what), style="red")
