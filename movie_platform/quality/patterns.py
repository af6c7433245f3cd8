"""Patterns of rules, matched in time linear in the text, whatever the pattern."""

import re

import pyarrow as pa
import pyarrow.compute as pc
import re2

from movie_platform.quality.errors import RuleNotComputable

_UNSUPPORTED = (
    (r"\(\?<?[=!]", "look-ahead and look-behind"),
    (r"\(\?>", "atomic groups"),
    (r"(?<!\\)(?:\\\\)*\\[1-9]", "references to an earlier group"),
    (r"\\k<|\(\?P=", "references to an earlier group"),
    (r"\(\?\(", "conditional groups"),
    (r"(?<!\\)[*+?}]\+", "possessive repetition"),
    (r"\\[GXRhH]", "this escape"),
)


class Pattern:
    """A regular expression that has to fit the whole value."""

    def __init__(self, expression: str, *, ignore_case: bool = False) -> None:
        _refuse_java(expression)
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(expression, options)
        except re2.error as failure:
            raise RuleNotComputable(_reason(expression, failure)) from failure
        self.expression = expression
        self._whole = rf"{'(?i)' if ignore_case else ''}\A(?:{expression})\z"

    def fits(self, texts: pa.Array) -> pa.Array:
        """Which texts the pattern fits from end to end; an empty text never does, a null is null."""
        return pc.and_(pc.match_substring_regex(texts, self._whole), pc.greater(pc.binary_length(texts), 0))

    def fits_one(self, text: str) -> bool:
        """Whether the pattern fits this text from end to end."""
        return bool(text) and re2.fullmatch(self.expression, text) is not None


_POSIX = {
    "Lower": "lower",
    "Upper": "upper",
    "Alpha": "alpha",
    "Digit": "digit",
    "Alnum": "alnum",
    "Punct": "punct",
    "Graph": "graph",
    "Print": "print",
    "Blank": "blank",
    "Cntrl": "cntrl",
    "XDigit": "xdigit",
    "Space": "space",
    "ASCII": "ascii",
}


def _refuse_java(expression: str) -> None:
    """Raises for what Java reads in another way than a linear-time engine, which would take it and mean other texts."""
    named = re.search(r"(?<!\\)(?:\\\\)*\\([pP])\{(?:Is)?(\w+)\}", expression)
    if named is not None and named[2] in _POSIX:
        inside = f"[{'^' if named[1] == 'P' else ''}[:{_POSIX[named[2]]}:]]"
        raise RuleNotComputable(
            f"the pattern {expression!r} uses Java's class \\{named[1]}{{{named[2]}}}; write {inside} instead"
        )
    inside_class = False
    place = 0
    while place < len(expression):
        if expression.startswith("\\", place):
            place += 2
        elif not inside_class and expression.startswith("[", place):
            inside_class = True
            # A bracket right behind the start stands for itself.
            place += next(len(start) for start in ("[^]", "[]", "[") if expression.startswith(start, place))
        elif inside_class and expression.startswith("[:", place):
            place = max(expression.find(":]", place), place) + 2
        elif inside_class and expression.startswith(("&&", "["), place):
            what = "intersections of character classes" if expression[place] == "&" else "a character class in another"
            raise RuleNotComputable(
                f"the pattern {expression!r} uses {what} (at character {place + 1}), which a linear-time engine does "
                "not know; list the characters, or say it in CustomSql"
            )
        else:
            inside_class = inside_class and expression[place] != "]"
            place += 1


def _reason(expression: str, failure: Exception) -> str:
    for trace, name in _UNSUPPORTED:
        found = re.search(trace, expression)
        if found:
            return (
                f"the pattern {expression!r} uses {name} ({found.group()!r} at character {found.start() + 1}), which a "
                "linear-time engine does not support; say it without, or in CustomSql"
            )
    problem = failure.args[0] if failure.args else failure
    text = problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)
    return f"the pattern {expression!r} cannot be used: {text}"
