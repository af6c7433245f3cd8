"""Names of rules: letters, digits and underscores, made of what the rule says."""

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from movie_platform.quality.conditions import Condition, Operand, Text

LONGEST = 80
"""Characters of a name."""


def condition_words(condition: Condition) -> str:
    match condition.operator:
        case "between" | "not between":
            low, high = condition.operands
            return f"{condition.operator} {_operand_words(low)} and {_operand_words(high)}"
        case "in" | "not in":
            if len(condition.operands) <= 3:
                return f"{condition.operator} {' '.join(_operand_words(operand) for operand in condition.operands)}"
            return f"{condition.operator} {len(condition.operands)} values"
        case "matches" | "not matches":
            return f"{condition.operator} {_operand_words(condition.operands[0])}"
        case _:
            return f"{_OPERATOR_WORDS[condition.operator]} {_operand_words(condition.operands[0])}"


def slug_of(text: str, shorter: str = "") -> str:
    """The text as a name; where that is too long the shorter text, or as many whole words as fit and a digest."""
    for candidate in (text, shorter or text):
        words = re.sub(r"[^a-z0-9]+", "_", candidate.lower()).strip("_") or "rule"
        if len(words) <= LONGEST:
            return words
    fitting = words[: LONGEST - 6].rpartition("_")[0] or words[: LONGEST - 7]
    return f"{fitting}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def snake_case(camel: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).lower()


def _operand_words(operand: Operand) -> str:
    return operand.render().replace("-", " minus ") if not isinstance(operand, Text) else operand.value or "blank"


_OPERATOR_WORDS = {"=": "equals", "!=": "not", ">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}
