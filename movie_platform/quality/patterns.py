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
    (r"&&\[", "intersections of character classes"),
    (r"\\[GXRhH]", "this escape"),
)


class Pattern:
    """A regular expression that has to fit the whole value."""

    def __init__(self, expression: str) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(expression, options)
        except re2.error as failure:
            raise RuleNotComputable(_reason(expression, failure)) from failure
        self.expression = expression
        self._whole = rf"\A(?:{expression})\z"

    def fits(self, texts: pa.Array) -> pa.Array:
        """Which texts the pattern fits from end to end; an empty text never does, a null is null."""
        return pc.and_(pc.match_substring_regex(texts, self._whole), pc.greater(pc.binary_length(texts), 0))

    def fits_one(self, text: str) -> bool:
        """Whether the pattern fits this text from end to end."""
        return bool(text) and re2.fullmatch(self.expression, text) is not None


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
