"""What can be wrong with a ruleset, with the data it judges, or with one rule on that data."""

from collections.abc import Sequence

import pyarrow as pa

from movie_platform.errors import InputRefused, PlatformError
from movie_platform.quality.presentation import harmless


class RulesetError(PlatformError):
    """A ruleset's text cannot be read; `line` and `column` (from 1) point at the place."""

    def __init__(
        self, message: str, *, line: int, column: int, expected: Sequence[str] = (), context: str = ""
    ) -> None:
        self.problem = message
        self.line = line
        self.column = column
        self.expected = tuple(expected)
        self.context = context
        text = f"line {line}, column {column}: {message}"
        if self.expected:
            text += f"; expected {_any_of(self.expected)}"
        if context:
            text += f"\n{context}"
        super().__init__(text)


class DataUnreadable(InputRefused):
    """A file cannot be read as a table: empty, not UTF-8, a broken record, two columns of one name."""

    def __init__(self, message: str) -> None:
        super().__init__(message, rule="readable")


class RulesNotDivisible(PlatformError):
    """Rules of the ruleset need all rows in one place, and these rows are judged in several."""


class RuleNotComputable(PlatformError):
    """One rule cannot be computed on this data; its outcome is Error and the other rules go on."""


NOT_COMPUTABLE = (RuleNotComputable, ArithmeticError, ValueError, RecursionError, pa.ArrowException)
"""What a rule's numbers, texts or nesting can raise when they are beyond what can be computed."""


def not_computable(failure: Exception) -> RuleNotComputable:
    """One of NOT_COMPUTABLE as the reason that an outcome gives."""
    if isinstance(failure, RuleNotComputable):
        return failure
    text = harmless(str(failure).partition("\n")[0])
    return RuleNotComputable(f"the rule is beyond what can be computed: {text or type(failure).__name__}")


def _any_of(names: Sequence[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} or {last}" if head else last
