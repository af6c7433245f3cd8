"""Names of rules: letters, digits and underscores, made of what the rule says."""

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from movie_platform.quality.conditions import Condition, Operand, Text


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


def slug_of(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "rule"
    return words if len(words) <= 80 else f"{words[:73].rstrip('_')}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def snake_case(camel: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).lower()


def _operand_words(operand: Operand) -> str:
    return operand.render().replace("-", " minus ") if not isinstance(operand, Text) else operand.value or "blank"


_OPERATOR_WORDS = {"=": "equals", "!=": "not", ">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}
