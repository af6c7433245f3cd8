"""What a rule asks of each row, as a function from a batch to a mask: true where the row passes."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import ISO_TIME, NUMBER, Batch, Kind, Mask, as_mask, instant, kind_of
from movie_platform.quality.conditions import Condition, Keyword, Text
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.operands import Operands, Value, as_clock, as_moment, as_number
from movie_platform.quality.patterns import Pattern

Nulls = Literal["documented", "legacy"]
RowTest = Callable[[Batch], Mask]

_COMPARE: dict[str, Callable[..., Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "<": pc.less,
    "<=": pc.less_equal,
}


def values_test(
    column: str,
    kind: pa.DataType,
    condition: Condition,
    operands: Operands,
    nulls: Nulls,
    *,
    ignore_case: bool = False,
) -> RowTest:
    """`ColumnValues`: each value of a column against a condition. `ignore_case` is about texts."""
    compared = kind_of(kind)
    if compared == "other":
        raise RuleNotComputable(f'"{column}" holds {kind}, and ColumnValues judges numbers, texts, dates and booleans')
    values = [operands.value(operand) for operand in condition.operands]
    keywords = {value.name for value in values if isinstance(value, Keyword)}
    if keywords:
        _check_keywords(column, compared, condition, keywords)
    plain: list[Value] = [value for value in values if not isinstance(value, Keyword)]
    test = _value_test(column, kind, condition, plain, keywords, ignore_case)
    null_passes = _null_passes(condition, nulls, names_null="NULL" in keywords)

    def run(batch: Batch) -> Mask:
        passed = test(batch)
        if batch.column(column).null_count:
            passed = np.where(batch.present(column), passed, null_passes)
        return passed

    return run


def _check_keywords(column: str, kind: Kind, condition: Condition, keywords: set[str]) -> None:
    if condition.operator not in ("=", "!=", "in", "not in"):
        raise RuleNotComputable(f"{sorted(keywords)[0]} can be compared with =, !=, in and not in only")
    if kind != "text" and keywords != {"NULL"}:
        raise RuleNotComputable(f'"{column}" is not text, so of the keywords only NULL applies to it')


def _null_passes(condition: Condition, nulls: Nulls, *, names_null: bool) -> bool:
    negated = condition.operator in ("!=", "not in")
    if names_null:
        return not negated
    return negated if nulls == "documented" else True


def _value_test(
    column: str, kind: pa.DataType, condition: Condition, values: list[Value], keywords: set[str], ignore_case: bool
) -> RowTest:
    compared = kind_of(kind)
    match condition.operator:
        case "matches" | "not matches":
            pattern = Pattern(text_of(condition.operands[0]), ignore_case=ignore_case)
            negated = condition.operator == "not matches"

            def fits(batch: Batch) -> Mask:
                found = as_mask(pattern.fits(batch.texts(column)))
                return ~found if negated else found

            return fits
        case "=" | "in" | "!=" | "not in":
            member = _membership(column, kind, values, keywords, ignore_case)
            if condition.operator in ("=", "in"):
                return member
            return lambda batch: ~member(batch)
        case _:
            return _order_test(column, compared, kind, condition, values)


def _membership(column: str, kind: pa.DataType, values: list[Value], keywords: set[str], ignore_case: bool) -> RowTest:
    """Whether a value is one of those listed; the caller decides about nulls."""
    tests: list[RowTest] = []
    match kind_of(kind):
        case "number":
            tests.append(_number_member(column, kind, values))
        case "boolean":
            tests.append(_boolean_member(column, values))
        case "clock":
            wanted = pa.array([_clock(column, value) for value in values], pa.int64())
            tests.append(lambda batch: as_mask(pc.is_in(batch.clocks(column), value_set=wanted)))
        case "time":
            moments = pa.array([instant(_moment(column, value)).as_py() for value in values], pa.timestamp("us"))
            tests.append(lambda batch: as_mask(pc.is_in(batch.times(column), value_set=moments)))
        case _:
            tests.extend(_text_members(column, values, keywords, ignore_case))
    if not tests:
        return lambda batch: np.zeros(len(batch), dtype=bool)
    first, *others = tests

    def any_of(batch: Batch) -> Mask:
        found = first(batch)
        for test in others:
            found = found | test(batch)
        return found

    return any_of


def _text_members(column: str, values: list[Value], keywords: set[str], ignore_case: bool) -> Iterator[RowTest]:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    moments = [value for value in values if isinstance(value, datetime)]
    if texts and ignore_case:
        lower = [text.lower() for text in texts]
        yield lambda batch: is_in(pc.utf8_lower(batch.column(column)), lower)
    elif texts:
        yield lambda batch: is_in(batch.column(column), texts)
    if numbers:
        number_set = pa.array(numbers, pa.float64())
        yield lambda batch: as_mask(pc.is_in(batch.numbers(column), value_set=number_set))
    if moments:
        moment_set = pa.array([instant(moment).as_py() for moment in moments], pa.timestamp("us"))
        yield lambda batch: as_mask(pc.is_in(batch.times(column), value_set=moment_set))
    if "EMPTY" in keywords:
        yield lambda batch: as_mask(pc.equal(pc.binary_length(batch.column(column)), 0))
    if "WHITESPACES_ONLY" in keywords:
        yield lambda batch: as_mask(pc.utf8_is_space(batch.column(column)))


def is_in(column: pa.Array, texts: list[str]) -> Mask:
    """Which texts are among those listed."""
    return as_mask(pc.is_in(column, value_set=pa.array(texts, column.type)))


def _number_member(column: str, kind: pa.DataType, values: list[Value]) -> RowTest:
    """Numbers by value, also when they are quoted; a quoted text that is no number equals none of them."""
    numbers = [number for number in (as_number(value) for value in values) if number is not None]
    unusable = [value for value in values if as_number(value) is None and not isinstance(value, str)]
    if unusable:
        raise RuleNotComputable(f'"{column}" holds numbers and cannot be compared with {unusable[0]}')

    def run(batch: Batch) -> Mask:
        array = batch.numbers(column)
        if pa.types.is_int64(array.type):
            wanted: list[float] = [int(n) for n in numbers if n == int(n) and -(2**63) <= n < 2**63]
        else:
            wanted = [_narrow(n, array.type) for n in numbers]
        return as_mask(pc.is_in(array, value_set=pa.array(wanted, array.type)))

    return run


def _narrow(number: float, kind: pa.DataType) -> float:
    """A number as a column of this type would hold it: 8.6 in a 32-bit column is not the 64-bit 8.6."""
    return float(np.float32(number)) if pa.types.is_float32(kind) else float(number)


def _boolean_member(column: str, values: list[Value]) -> RowTest:
    words = {"true": True, "1": True, "false": False, "0": False}
    wanted = {words.get(str(value).strip().lower()) for value in values}
    if None in wanted:
        raise RuleNotComputable(f'"{column}" holds true and false, and the rule asks for something else')
    value_set = pa.array(sorted(w for w in wanted if w is not None), pa.bool_())
    return lambda batch: as_mask(pc.is_in(batch.column(column), value_set=value_set))


def _order_test(column: str, compared: Kind, kind: pa.DataType, condition: Condition, values: list[Value]) -> RowTest:
    """<, <=, >, >=, between and not between: by number, by time, or, for text against text, in code point order."""
    if compared == "boolean":
        raise RuleNotComputable(f'"{column}" holds true and false, which have no order')
    numbers = [as_number(value) for value in values]
    moments = [as_moment(value) for value in values]
    quoted = all(isinstance(value, str) for value in values)
    clocks = [as_clock(value) for value in values]
    if compared == "clock" or (compared in ("time", "text") and all(clock is not None for clock in clocks)):
        limits = [pa.scalar(_clock(column, value), pa.int64()) for value in values]
        return lambda batch: as_mask(_ordered(batch.clocks(column), condition, limits))
    if compared == "time" or (compared == "text" and all(moment is not None for moment in moments)):
        scalars = [instant(_moment(column, value)) for value in values]
        return lambda batch: as_mask(_ordered(batch.times(column), condition, scalars))
    if compared == "text" and quoted:
        return lambda batch: as_mask(
            _ordered(batch.column(column), condition, [pa.scalar(value, batch.column(column).type) for value in values])
        )
    if any(number is None for number in numbers):
        raise RuleNotComputable(f'"{column}" cannot be compared by {condition.render()}: this needs numbers')
    known = [number for number in numbers if number is not None]

    def run(batch: Batch) -> Mask:
        array = batch.numbers(column)
        if pa.types.is_int64(array.type) and not all(n == int(n) and -(2**63) <= n < 2**63 for n in known):
            array = array.cast(pa.float64(), safe=False)
        if pa.types.is_int64(array.type):
            scalars = [pa.scalar(int(n), pa.int64()) for n in known]
        else:
            scalars = [pa.scalar(_narrow(n, array.type), array.type) for n in known]
        return as_mask(_ordered(array, condition, scalars))

    return run


def _ordered(array: pa.Array, condition: Condition, scalars: list[pa.Scalar]) -> pa.Array:
    match condition.operator:
        case "between":
            return pc.and_(pc.greater(array, scalars[0]), pc.less(array, scalars[1]))
        case "not between":
            return pc.or_(pc.less_equal(array, scalars[0]), pc.greater_equal(array, scalars[1]))
        case _:
            return _COMPARE[condition.operator](array, scalars[0])


def length_test(column: str, kind: pa.DataType, condition: Condition, operands: Operands) -> RowTest:
    """`ColumnLength`: the number of characters of each value; a null has none."""
    if kind_of(kind) == "other":
        raise RuleNotComputable(f'"{column}" holds {kind}, which has no length')
    numbers = [operands.number(operand) for operand in condition.operands]
    compare = number_test(condition, numbers)
    return lambda batch: compare(batch.lengths(column))


def number_test(condition: Condition, numbers: list[float]) -> Callable[[np.ndarray], Mask]:
    """A condition on plain numbers without nulls."""
    match condition.operator:
        case "between":
            return lambda values: (values > numbers[0]) & (values < numbers[1])
        case "not between":
            return lambda values: (values <= numbers[0]) | (values >= numbers[1])
        case "=":
            return lambda values: values == numbers[0]
        case "!=":
            return lambda values: values != numbers[0]
        case ">":
            return lambda values: values > numbers[0]
        case ">=":
            return lambda values: values >= numbers[0]
        case "<":
            return lambda values: values < numbers[0]
        case "<=":
            return lambda values: values <= numbers[0]
        case "in":
            return lambda values: np.isin(values, numbers)
        case "not in":
            return lambda values: ~np.isin(values, numbers)
    raise RuleNotComputable(f"a number cannot be compared by {condition.render()}")


def completeness_test(column: str) -> RowTest:
    """Whether a row has a value; an empty text is one."""
    return lambda batch: batch.present(column)


def freshness_test(column: str, kind: pa.DataType, condition: Condition, operands: Operands) -> RowTest:
    """`DataFreshness`: the age of each moment; a value that is not a moment is not fresh."""
    if kind_of(kind) not in ("time", "text"):
        raise RuleNotComputable(f'"{column}" holds {kind}, not dates or times')
    compare = _age_test(condition, operands)
    now = instant(operands.now).cast(pa.int64()).as_py()

    def run(batch: Batch) -> Mask:
        moments = batch.times(column)
        known = as_mask(pc.is_valid(moments))
        age = now - pc.fill_null(moments.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return compare(age) & known

    return run


def _age_test(condition: Condition, operands: Operands) -> Callable[[np.ndarray], Mask]:
    """A condition on ages in microseconds. An age equals 3 days while it is at least 3 and less than 4 days."""
    ages = []
    for operand in condition.operands:
        value = operands.value(operand)
        if not isinstance(value, timedelta):
            raise RuleNotComputable(f"an age is compared with a duration such as 24 hours, not with {operand.render()}")
        ages.append(value / timedelta(microseconds=1))
    if condition.operator not in ("=", "!=", "in", "not in"):
        return number_test(condition, ages)
    units = [operands.unit_of(operand) / timedelta(microseconds=1) for operand in condition.operands]

    def equals(values: np.ndarray) -> Mask:
        found = np.zeros(len(values), dtype=bool)
        for age, unit in zip(ages, units, strict=True):
            found |= (values >= age) & (values < age + unit)
        return found

    return equals if condition.operator in ("=", "in") else lambda values: ~equals(values)


def unreadable(column: str, kind: pa.DataType, condition: Condition) -> Callable[[Batch], Mask] | None:
    """For a text column judged by number or time: which rows have a text that is neither."""
    if kind_of(kind) != "text" or condition.operator in ("=", "!=", "in", "not in", "matches", "not matches"):
        return None
    if all(isinstance(operand, Text) and as_moment(operand.value) is None for operand in condition.operands):
        return None
    numeric = all(not isinstance(operand, Text) or as_moment(operand.value) is None for operand in condition.operands)
    expression = NUMBER if numeric and not _mentions_now(condition) else ISO_TIME

    def run(batch: Batch) -> Mask:
        readable = pc.match_substring_regex(pc.utf8_trim_whitespace(batch.column(column)), expression)
        return batch.present(column) & ~as_mask(readable)

    return run


def _mentions_now(condition: Condition) -> bool:
    return "now()" in condition.render()


def _clock(column: str, value: Value) -> int:
    clock = as_clock(value)
    if clock is None:
        raise RuleNotComputable(f'"{column}" holds times of day, and {value!r} is not one ("9:30 AM" is)')
    return clock


def _moment(column: str, value: Value) -> datetime:
    moment = as_moment(value)
    if moment is None:
        raise RuleNotComputable(f'"{column}" holds dates, and {value!r} is not one (2026-01-31 is)')
    return moment


def text_of(operand: Any) -> str:
    """The text of a quoted operand."""
    if not isinstance(operand, Text):
        raise RuleNotComputable(f"{operand.render()} stands where a quoted text is needed")
    return operand.value
