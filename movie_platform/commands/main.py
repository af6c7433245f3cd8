"""The command `movie-platform`. Each room brings its own commands; here they are put together."""

import sys
import traceback

import click
from click.shell_completion import get_completion_class

from movie_platform.commands.groups import Commands
from movie_platform.commands.options import mode, with_common_options
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
        "demo": f"{HERE}.demonstration:demo",
        "dataset": f"{HERE}.dataset:dataset",
        "answers": f"{HERE}.dataset:answers",
        "report": f"{HERE}.report:report",
        "metrics": f"{HERE}.metrics:metrics",
        "quality": f"{HERE}.quality:quality",
        "contract": f"{HERE}.contract:contract",
        "reviews": f"{HERE}.reviews:reviews",
        "warehouse": f"{HERE}.storage:warehouse",
        "lake": f"{HERE}.storage:lake",
        "retention": f"{HERE}.retention:retention",
    },
    "Take in movie data, prove its quality, serve it from a lake and a warehouse.",
)
click.version_option(package_name="movie-platform")(cli)
cli.add_command(simulate)
cli.add_command(run)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of commands and options for SHELL.

    In bash and zsh: eval "$(movie-platform completion SHELL)"; in fish: movie-platform completion fish | source
    """
    scripts = get_completion_class(shell)
    if scripts is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(scripts(cli, {}, "movie-platform", "_MOVIE_PLATFORM_COMPLETE").source())


with_common_options(cli)

SUCCEEDED, FAILED, WRONGLY_ASKED, INTERRUPTED = 0, 1, 2, 130
"""What the command ends with."""


def main() -> None:
    """Ends with 1 where the platform could not do its work, with 2 where arguments or settings are wrong, and with 130
    where it was interrupted."""
    try:
        code = cli.main(prog_name="movie-platform", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _complain("Interrupted. What was done is kept; the same command goes on with the rest.")
        sys.exit(INTERRUPTED)
    except SettingsError as error:
        _complain(f"Wrong settings:\n{error}")
        sys.exit(WRONGLY_ASKED)
    except PlatformError as error:
        _complain(str(error))
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001 - whoever reads a terminal gets a sentence, and the traceback on request
        _complain(
            f"{type(error).__name__}: {error}\nThe platform did not expect this. Run the command again with --debug "
            "and report what it prints; `movie-platform doctor` says whether everything can be reached."
        )
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else SUCCEEDED)


def _complain(message: str) -> None:
    from movie_platform.commands.terminal import err, safe

    if mode.debug:
        err.print(safe(traceback.format_exc()))
    err.print(safe(message), style="red")
