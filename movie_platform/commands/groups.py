"""Groups of commands that import a command's module when the command is run."""

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from movie_platform.commands.options import mode, with_common_options


class Commands(click.Group):
    """A group whose commands are imported when they are run; their list is read from their docstrings and imports none.

    A command is a function of the module that its source names, and has no help but its docstring.
    """

    def __init__(self, name: str, sources: Mapping[str, str], help: str, **options: Any) -> None:  # noqa: A002
        super().__init__(name, help=help, **options)
        self._sources = sources

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if parent is None:
            mode.set()
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self._sources, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._sources:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._sources[cmd_name].partition(":")
        return with_common_options(getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summary(ctx, name).get_short_help_str(room)) for name in names])

    def _summary(self, ctx: click.Context, name: str) -> click.Command:
        """The command, or one that has nothing but its docstring."""
        if name not in self._sources:
            command = super().get_command(ctx, name)
            assert command is not None
            return command
        module, _, attribute = self._sources[name].partition(":")
        return click.Command(name, help=docstring(module, attribute))


def docstring(module: str, function: str) -> str | None:
    """The docstring of a module's function, from its source: the module is not imported."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    functions = (node for node in ast.parse(Path(spec.origin).read_bytes()).body if isinstance(node, ast.FunctionDef))
    return next((ast.get_docstring(node) for node in functions if node.name == function), None)
