"""Packages whose names are imported when they are asked for: a reader of one waits for no library of the others."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def offer(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A `__getattr__` for a package that offers names of modules."""
    module_of = {name: module for module, offered in names.items() for name in offered}

    def found(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    return found
