"""What people read in a terminal: progress bars and tables, with nothing in them that a terminal would obey."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_WIDTH_OF_A_FILE = 160
_WIDTH_OF_A_BAR = 20


def _standard_error() -> Console:
    """A terminal is opened by a descriptor of its own: Dagster replaces the usual one while a step runs."""
    if not sys.stderr.isatty():
        return Console(stderr=True, width=_WIDTH_OF_A_FILE)
    return Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace"))


out = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
err = _standard_error()


@dataclass
class Mode:
    """What was asked of the command, whichever it is."""

    quiet: bool = False
    debug: bool = False
    json: bool = False

    def set(self, *, quiet: bool = False, debug: bool = False, json: bool = False) -> None:
        """Nothing but JSON goes to standard output where JSON was asked for."""
        self.quiet, self.debug, self.json = quiet, debug, json
        out.quiet = quiet or json


mode = Mode()


def _asked(_: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        mode.set(**{**vars(mode), str(parameter.name): True})


force_option = click.option(
    "--force", is_flag=True, help="Load also what is loaded already, and what takes most rows out of a table."
)
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


def print_json(found: Mapping[str, Any]) -> None:
    """One object on one line."""
    click.echo(json.dumps(found, ensure_ascii=False, default=str))


def safe(value: object) -> Text:
    """The value as plain text: control characters and terminal escapes are shown, not obeyed."""
    return Text(_CONTROL.sub(lambda match: repr(match[0])[1:-1], str(value)))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    shown = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*map(safe, row))
    return shown


class _Rate(ProgressColumn):
    """Items a second, or a minute where they are slower than one a second."""

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:,.1f}/s" if task.speed >= 1 else f"{60 * task.speed:,.1f}/min")


class TerminalProgress:
    """A bar with rate and time left for each piece of work under way, a part below its whole.

    Nothing where standard error is no terminal, and with --quiet.
    """

    def __init__(self) -> None:
        self._shown: Progress | None = None

    def track(self, items: Iterable[T], total: int, description: str) -> Iterator[T]:
        is_part = self._shown is not None
        with self._bars() as bars:
            task = bars.add_task(description, total=total)
            for item in items:
                yield item
                bars.advance(task)
            if is_part:
                bars.refresh()
                bars.remove_task(task)

    @contextmanager
    def _bars(self) -> Iterator[Progress]:
        if self._shown is not None:
            yield self._shown
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(_WIDTH_OF_A_BAR),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=err,
            disable=mode.quiet or not err.is_terminal,
            redirect_stdout=sys.stdout.isatty(),  # what goes into a file stays out of the terminal
        ) as self._shown:
            try:
                yield self._shown
            finally:
                self._shown = None
