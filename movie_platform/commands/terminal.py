"""What people read in a terminal: progress bars and tables, with nothing in them that a terminal would obey."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from movie_platform.printable import printable

T = TypeVar("T")

_WIDTH_OF_A_FILE = 160

out = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH_OF_A_FILE)


force_option = click.option(
    "--force", is_flag=True, help="Load also what is loaded already, and what takes most rows out of a table."
)


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


class TerminalProgress:
    """A progress bar; nothing where the output is no terminal."""

    def track(self, items: Iterable[T], total: int, description: str) -> Iterator[T]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
            task = bar.add_task(description, total=total)
            for item in items:
                yield item
                bar.advance(task)
