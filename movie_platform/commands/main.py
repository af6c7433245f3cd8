"""The command `movie-platform`. Each room brings its own commands; here they are put together."""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from movie_platform.commands.terminal import err, safe
from movie_platform.errors import PlatformError, SettingsError

HERE = "movie_platform.commands"


class Commands(click.Group):
    """A group whose commands are imported when they are asked for: one room's libraries are no other's delay."""

    def __init__(self, name: str, sources: Mapping[str, str], help: str) -> None:  # noqa: A002 - click's own name
        super().__init__(name, help=help)
        self._sources = sources

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self._sources, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._sources:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._sources[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


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
        "demo": f"{HERE}.demonstration:demo",
        "dataset": f"{HERE}.dataset:dataset",
        "answers": f"{HERE}.dataset:answers",
        "report": f"{HERE}.report:report",
        "quality": f"{HERE}.quality_movies:quality",
        "reviews": f"{HERE}.reviews:reviews",
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
        err.print(safe(f"Wrong settings:\n{error}"), style="red")
        sys.exit(2)
    except PlatformError as error:
        err.print(safe(error), style="red")
        sys.exit(1)
