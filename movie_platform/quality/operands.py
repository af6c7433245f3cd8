"""Operands of conditions as values: numbers, texts, moments, durations, and what the history says."""

import math
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

from movie_platform.quality.batches import CLOCK, clock
from movie_platform.quality.conditions import (
    Arithmetic,
    Call,
    Condition,
    Keyword,
    Negative,
    Number,
    Operand,
    Operator,
    Quantity,
    Text,
    operands_within,
)
from movie_platform.quality.errors import RuleNotComputable

Value = float | str | Keyword | datetime | timedelta

_DURATIONS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


class Past(Protocol):
    """What a dynamic rule asks: the values that a metric had before, oldest first."""

    def __call__(self, metric: str, last: int | None) -> Sequence[float]:
        """The last values of the metric, fewer when there are fewer."""


class Operands:
    """Turns operands into values at one moment, with one past."""

    def __init__(self, now: datetime, past: Past) -> None:
        self.now = now
        self.past = past

    def value(self, operand: Operand, metric: str = "") -> Value:
        """The operand's value; `metric` is what `last(k)` refers to."""
        match operand:
            case Number(text=text):
                return float(text) if not _is_whole(text) else int(text)
            case Text(value=text):
                return text
            case Keyword():
                return operand
            case Quantity():
                return self._quantity(operand)
            case Negative(operand=inner):
                return -self.number(inner, metric)
            case Arithmetic():
                return self._arithmetic(operand, metric)
            case Call(name="now"):
                return self.now
            case Call(name="last", arguments=arguments):
                values = self._series(operand, metric)
                if arguments and len(values) > 1:
                    raise RuleNotComputable(
                        f"{operand.render()} is a list; say avg({operand.render()}) or another function"
                    )
                return values[-1] if values else 0.0
            case Call():
                return self._function(operand, metric)
        raise AssertionError(operand)

    def number(self, operand: Operand, metric: str = "") -> float:
        """The operand as a number; a quoted number counts."""
        value = self.value(operand, metric)
        number = as_number(value)
        if number is None:
            raise RuleNotComputable(f"{operand.render()} is not a number")
        return number

    def unit_of(self, operand: Operand) -> timedelta:
        """The unit that a duration is given in; the smallest of them where it is computed."""
        units = [part.unit for part in operands_within(operand) if isinstance(part, Quantity)]
        return min((_DURATIONS[unit.removesuffix("s")] for unit in units), default=timedelta(microseconds=1))

    def resolved(self, condition: Condition, metric: str) -> Condition:
        """The condition with the history's answers in place of its dynamic parts."""
        if not condition.is_dynamic:
            return condition
        return Condition(
            condition.operator, tuple(Number(_spelled(self.number(part, metric))) for part in condition.operands)
        )

    def _quantity(self, quantity: Quantity) -> timedelta:
        unit = _DURATIONS.get(quantity.unit.removesuffix("s"))
        if unit is None:
            raise RuleNotComputable(f"{quantity.render()} is a size, not a duration")
        return unit * quantity.amount.value

    def _arithmetic(self, operation: Arithmetic, metric: str) -> Value:
        left, right = self.value(operation.left, metric), self.value(operation.right, metric)
        if isinstance(left, datetime) and isinstance(right, timedelta) and operation.operator in "+-":
            return left + right if operation.operator == "+" else left - right
        if isinstance(left, timedelta) and isinstance(right, timedelta) and operation.operator in "+-":
            return left + right if operation.operator == "+" else left - right
        a, b = as_number(left), as_number(right)
        if a is None or b is None:
            raise RuleNotComputable(f"{operation.render()} cannot be computed")
        match operation.operator:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case _:
                if b == 0:
                    raise RuleNotComputable(f"{operation.render()} divides by zero")
                return a / b

    def _series(self, operand: Operand, metric: str) -> Sequence[float]:
        if not isinstance(operand, Call) or operand.name != "last":
            raise RuleNotComputable(f"{operand.render()} is not a list of earlier values; last(k) is")
        count = int(self.number(operand.arguments[0])) if operand.arguments else 1
        if count < 1:
            raise RuleNotComputable(f"{operand.render()} asks for less than one earlier value")
        return self.past(metric, count)

    def _function(self, call: Call, metric: str) -> float:
        if call.name == "abs":
            return abs(self.number(call.arguments[0], metric))
        if call.name == "multiply":
            return self.number(call.arguments[0], metric) * self.number(call.arguments[1], metric)
        values = list(self._series(call.arguments[0], metric))
        if not values:
            return 0.0
        match call.name:
            case "avg" | "average":
                return math.fsum(values) / len(values)
            case "sum":
                return math.fsum(values)
            case "min":
                return min(values)
            case "max":
                return max(values)
            case "std":
                return statistics.pstdev(values)
            case "median":
                return statistics.median(values)
            case "percentile":
                return _percentile(values, self.number(call.arguments[1]))
            case "index":
                place = int(self.number(call.arguments[1]))
                if not 0 <= place < len(values):
                    raise RuleNotComputable(f"{call.render()} asks for value {place} of {len(values)}")
                return values[-1 - place]
        raise AssertionError(call.name)


def as_number(value: Value) -> float | None:
    """The number that a value is, also in quotes; None when it is not one."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return (int(value) if _is_whole(value) else number) if math.isfinite(number) and "_" not in value else None
    return None


def as_moment(value: Value, zone: tzinfo = UTC) -> datetime | None:
    """The moment that a value is: a datetime, or an ISO date or time in quotes; of `zone` where it names none."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
            return None
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def as_clock(value: Value) -> int | None:
    """The time of day that a quoted text is, in microseconds since midnight; None when it is not one."""
    found = re.fullmatch(CLOCK, value.strip()) if isinstance(value, str) else None
    return clock(**found.groupdict()) if found is not None else None


def holds(value: float, condition: Condition, operands: Operands, metric: str = "") -> bool:
    """Whether a number meets a condition. `between` excludes both ends, `not between` includes them."""
    wanted = [operands.number(operand, metric) for operand in condition.operands if not isinstance(operand, Keyword)]
    if len(wanted) != len(condition.operands) or condition.operator in ("matches", "not matches"):
        raise RuleNotComputable(f"a number cannot be compared by {condition.render()}")
    return meets(value, condition.operator, wanted)


def meets(value: float, operator: Operator, wanted: Sequence[float]) -> bool:
    """Whether a number stands to others as an operator says."""
    match operator:
        case "=":
            return value == wanted[0]
        case "!=":
            return value != wanted[0]
        case ">":
            return value > wanted[0]
        case ">=":
            return value >= wanted[0]
        case "<":
            return value < wanted[0]
        case "<=":
            return value <= wanted[0]
        case "between":
            return wanted[0] < value < wanted[1]
        case "not between":
            return value <= wanted[0] or value >= wanted[1]
        case "in":
            return value in wanted
        case "not in":
            return value not in wanted
    raise AssertionError(operator)


def _is_whole(text: str) -> bool:
    return text.strip().removeprefix("-").removeprefix("+").isdigit() and text.isascii()


def _percentile(values: list[float], share: float) -> float:
    """Linear interpolation between the nearest values; the share is from 0 to 1."""
    if not 0 <= share <= 1:
        raise RuleNotComputable(f"a percentile is a share from 0 to 1, not {share}")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _spelled(value: float) -> str:
    return repr(float(value))
