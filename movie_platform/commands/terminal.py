"""What people read in a terminal: progress bars and tables, with nothing in them that a terminal would obey."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from movie_platform.commands.options import Mode, mode
from movie_platform.printable import json_printable, printable

T = TypeVar("T")

_WIDTH_OF_A_FILE = 160
_WIDTH_OF_A_BAR = 20


def _standard_error() -> Console:
    """A terminal is opened by a descriptor of its own: Dagster replaces the usual one while a step runs."""
    if not sys.stderr.isatty():
        return Console(stderr=True, width=_WIDTH_OF_A_FILE)
    return Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace"))


out = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
err = _standard_error()


def _follow(asked: Mode) -> None:
    """Nothing but JSON goes to standard output where JSON was asked for."""
    out.quiet = asked.quiet or asked.json


mode.follow(_follow)


force_option = click.option(
    "--force", is_flag=True, help="Load also what is loaded already, and what takes most rows out of a table."
)


def print_json(found: Mapping[str, Any], *, indent: int | None = None) -> None:
    """One object, on one line where nothing else is said; what a terminal would obey in it is spelled out."""
    click.echo(json_printable(json.dumps(found, ensure_ascii=False, default=str, indent=indent)))


def safe(value: object) -> Text:
    """The value as plain text: control characters and terminal escapes are shown, not obeyed."""
    return Text(printable(str(value), keep="\n\t"))


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
