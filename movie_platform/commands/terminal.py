"""What people read in a terminal, with nothing in it that a terminal would obey."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from movie_platform.commands.options import Mode, mode
from movie_platform.printable import json_printable, printable

_WIDTH_OF_A_FILE = 160


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
