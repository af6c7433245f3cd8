"""The command `movie-platform`. Each room brings its own commands; here they are put together."""

import sys

import click

from movie_platform.errors import PlatformError, SettingsError
from movie_platform.operations.commands import demo, doctor, status
from movie_platform.pipelines.imdb_feed.cli import run_feed, simulate_feed
from movie_platform.pipelines.movies_dataset.cli import answers, dataset, run_dataset, simulate_dataset
from movie_platform.pipelines.quality_movies.cli import replay_quality, run_quality, simulate_quality
from movie_platform.pipelines.user_behavior.cli import run_behavior, simulate_behavior
from movie_platform.quality.cli import quality
from movie_platform.terminal import err, safe


@click.group()
def cli() -> None:
    """Take in movie data, prove its quality, serve it from a lake and a warehouse."""


@cli.group()
def simulate() -> None:
    """Make realistic deliveries of a source, defects included."""


@cli.group()
def run() -> None:
    """Run a pipeline's assets in this process, without the UI."""


for command in (simulate_feed, simulate_dataset, simulate_quality, simulate_behavior):
    simulate.add_command(command)
for command in (run_feed, run_dataset, run_quality, run_behavior):
    run.add_command(command)
quality.add_command(replay_quality)
for command in (status, doctor, demo, dataset, answers, quality):
    cli.add_command(command)


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
