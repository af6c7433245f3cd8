"""The DQDL grammar, compiled once, and the two kinds of words that it cannot distinguish by itself."""

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from lark import Lark, Token
from lark.lark import PostLex

from movie_platform.quality.rule_types import ANALYZERS_ONLY, RULE_TYPES

_TYPES = frozenset((*RULE_TYPES, *ANALYZERS_ONLY))
_SQL_WORDS = ("like", "ilike", "rlike", "contains")
SQL_WORD = "SQL_WORD"
"""A comparison of SQL that the language does not have; no rule takes it, so that the error stands where it does."""
_BEFORE_A_RULE = frozenset(("COMMA", "LSQB", "LPAR", "_AND", "_OR", "$START"))
_IN_PARAMETERS = frozenset(("NAME", "STRING", "VARIABLE", "_OF", "_CONNECTOR"))


@cache
def parser() -> Lark:
    """The parser of `dqdl.lark`."""
    grammar = resources.files("movie_platform.quality").joinpath("dqdl.lark").read_text("utf-8")
    return Lark(
        grammar, parser="lalr", lexer="basic", postlex=_Words(), propagate_positions=True, maybe_placeholders=False
    )


class _Words(PostLex):
    """Names of rule types are words of their own, and an `and` before a parameter joins parameters, not rules."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        before = "$START"
        in_parameters = False
        for token, following in _with_next(stream):
            kind = token.type
            if in_parameters and kind == "_AND" and _is_parameter(following):
                kind = "_CONNECTOR"
            elif in_parameters and token.lower() in _SQL_WORDS:
                kind = SQL_WORD
            elif in_parameters and kind in ("UNIT", "KEYWORD"):
                kind = "NAME"
            elif kind == "NAME" and token in _TYPES and before not in ("_OF", "_CONNECTOR"):
                kind = "RULE_TYPE"
            starts = kind in ("NAME", "RULE_TYPE") and before in _BEFORE_A_RULE
            in_parameters = starts or (in_parameters and kind in _IN_PARAMETERS)
            before = kind
            yield token if kind == token.type else Token.new_borrow_pos(kind, str(token), token)


def _is_parameter(token: Token | None) -> bool:
    if token is None or token.type not in ("STRING", "VARIABLE", "NAME", "UNIT", "KEYWORD"):
        return False
    return token.type != "NAME" or not _is_nearly_a_type(str(token))


@cache
def _beginnings() -> frozenset[str]:
    return frozenset(name[:2] for name in _TYPES)


def _is_nearly_a_type(name: str) -> bool:
    """Whether a name looks like a rule type misspelled; the quick look first, for texts of many names."""
    return name[:2] in _beginnings() and bool(difflib.get_close_matches(name[:40], _TYPES, n=1, cutoff=0.8))


def _with_next(stream: Iterable[Token]) -> Iterator[tuple[Token, Token | None]]:
    held: Token | None = None
    for token in stream:
        if held is not None:
            yield held, token
        held = token
    if held is not None:
        yield held, None
