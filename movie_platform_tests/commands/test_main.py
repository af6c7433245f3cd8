"""The command as a whole."""

import importlib.metadata

from click.testing import CliRunner

from movie_platform.commands.main import cli


def test_the_command_says_its_version() -> None:
    said = CliRunner().invoke(cli, ["--version"], prog_name="movie-platform")
    assert (said.exit_code, said.output) == (
        0,
        f"movie-platform, version {importlib.metadata.version('movie-platform')}\n",
    )
