"""The DQDL grammar, compiled once."""

from functools import cache
from importlib import resources

from lark import Lark


@cache
def parser() -> Lark:
    """The parser of `dqdl.lark`."""
    grammar = resources.files("movie_platform.quality").joinpath("dqdl.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)
