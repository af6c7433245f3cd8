"""Options that every command has. Imports nothing that `--help` need not wait for."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import click


@dataclass
class Mode:
    """What was asked of the command, whichever it is."""

    quiet: bool = False
    debug: bool = False
    json: bool = False

    def __post_init__(self) -> None:
        self._followers: list[Callable[[Mode], None]] = []

    def set(self, *, quiet: bool = False, debug: bool = False, json: bool = False) -> None:
        self.quiet, self.debug, self.json = quiet, debug, json
        for follower in self._followers:
            follower(self)

    def follow(self, follower: "Callable[[Mode], None]") -> None:
        """Call it now and whenever something else is asked."""
        self._followers.append(follower)
        follower(self)


mode = Mode()


def _asked(_: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        mode.set(**{**asdict(mode), str(parameter.name): True})


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_asked, help="JSON for programs, an object a line."
)


def with_common_options(command: click.Command) -> click.Command:
    """The command, and those below it, with the options that every command has."""
    if not any(parameter.name == "quiet" for parameter in command.params):
        command.params += [
            click.Option(
                ["--quiet"], is_flag=True, expose_value=False, callback=_asked, help="Print errors and JSON only."
            ),
            click.Option(
                ["--debug"], is_flag=True, expose_value=False, callback=_asked, help="Show the traceback of an error."
            ),
        ]
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        with_common_options(below)
    return command
