"""Progress bars in a terminal. Only commands with long work need them: they take a while to import."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from movie_platform.commands.options import mode
from movie_platform.commands.terminal import err

T = TypeVar("T")

_WIDTH = 20


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
            BarColumn(_WIDTH),
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
