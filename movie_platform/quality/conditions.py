"""Conditions of rules: an operator and its operands, and how both are written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Number:
    """A number as written: the text is kept so that a rule reads the way its owner wrote it."""

    text: str

    @property
    def value(self) -> float:
        return float(self.text)

    def render(self) -> str:
        return self.text


@dataclass(frozen=True)
class Text:
    """A quoted operand: text, a date, or a number given in quotes."""

    value: str

    def render(self) -> str:
        return quote(self.value)


@dataclass(frozen=True)
class Keyword:
    """NULL, EMPTY or WHITESPACES_ONLY."""

    name: str

    def render(self) -> str:
        return self.name


@dataclass(frozen=True)
class Quantity:
    """A number with a unit: a duration (minutes to weeks) or a size (B to TB)."""

    amount: Number
    unit: str

    def render(self) -> str:
        return f"{self.amount.render()} {self.unit}"


@dataclass(frozen=True)
class Call:
    """A function of the history, `avg(last(3))`, or `now()`."""

    name: str
    arguments: tuple["Operand", ...] = ()

    def render(self) -> str:
        return f"{self.name}({', '.join(argument.render() for argument in self.arguments)})"


@dataclass(frozen=True)
class Arithmetic:
    """Two operands joined by + - * or /."""

    operator: Literal["+", "-", "*", "/"]
    left: "Operand"
    right: "Operand"

    def render(self) -> str:
        return f"({self.left.render()} {self.operator} {self.right.render()})"


@dataclass(frozen=True)
class Negative:
    """An operand with its sign turned."""

    operand: "Operand"

    def render(self) -> str:
        return f"-{self.operand.render()}"


Operand = Number | Text | Keyword | Quantity | Call | Arithmetic | Negative

Operator = Literal["=", "!=", ">", ">=", "<", "<=", "between", "not between", "in", "not in", "matches", "not matches"]


def operands_within(operand: Operand) -> Iterator[Operand]:
    """The operand and everything inside it."""
    yield operand
    match operand:
        case Call(arguments=arguments):
            for argument in arguments:
                yield from operands_within(argument)
        case Arithmetic(left=left, right=right):
            yield from operands_within(left)
            yield from operands_within(right)
        case Negative(operand=inner):
            yield from operands_within(inner)


@dataclass(frozen=True)
class Condition:
    """An operator and its operands; `between` excludes both ends, `not between` includes them."""

    operator: Operator
    operands: tuple[Operand, ...]

    def render(self) -> str:
        match self.operator:
            case "between" | "not between":
                low, high = self.operands
                return f"{self.operator} {low.render()} and {high.render()}"
            case "in" | "not in":
                return f"{self.operator} [{', '.join(operand.render() for operand in self.operands)}]"
            case _:
                return f"{self.operator} {self.operands[0].render()}"

    @property
    def is_dynamic(self) -> bool:
        """Whether the condition asks the history."""
        return any(
            isinstance(part, Call) and part.name != "now"
            for operand in self.operands
            for part in operands_within(operand)
        )


def quote(text: str) -> str:
    """Text as a DQDL string; a backslash is doubled only where it would be read as an escape."""
    escaped = re.sub(r'\\(?=[\\"]|$)|"', lambda found: "\\" + found.group(), text)
    return f'"{escaped}"'


def unquote(literal: str) -> str:
    """The text of a DQDL string: `\\"` and `\\\\` are escapes, every other backslash stands for itself."""
    return re.sub(r'\\(["\\])', r"\1", literal[1:-1])
