"""What a rule must look like before any data is seen: its type, parameters, condition, threshold and options."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from movie_platform.quality.conditions import (
    Arithmetic,
    Call,
    Condition,
    Keyword,
    Number,
    Operand,
    Quantity,
    Text,
    operands_within,
)
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.patterns import Pattern
from movie_platform.quality.rule_types import (
    ANALYZERS_ONLY,
    DATA_TYPES,
    DATE_FORMATS,
    FORMAT,
    HASH_ALGORITHM,
    IGNORE_CASE,
    NOT_NUMBERS,
    RECENT_FILES,
    RULE_TYPES,
    TIME_ZONE,
    URI_REGEX,
    YES_OR_NO,
    RuleType,
)
from movie_platform.quality.ruleset import Analyzer, SimpleRule

MOST_LABELS = 10
LONGEST_LABEL_KEY = 128
LONGEST_LABEL_VALUE = 256

Problem = tuple[str, tuple[str, ...]]
"""What is wrong, and what could stand there instead."""

KEYS = {"Metadata": ("Version",), "Sources": ("Primary", "AdditionalDataSources")}
HASH_ALGORITHMS = ("MD5", "SHA-1", "SHA-256")
_TIME_UNITS = ("minute", "hour", "day", "week")
_MATCHING = ("=", "!=", "in", "not in", "matches", "not matches")


def problems_of(rule: SimpleRule) -> Iterator[Problem]:
    """Whatever is wrong with a rule, the first thing first."""
    known = RULE_TYPES.get(rule.type)
    if known is None:
        yield _unknown(rule.type)
        return
    yield from _of_counts(rule, known)
    yield from _of_options(rule, known)
    if rule.where is not None and not rule.where.strip():
        yield "the where is empty", ('a condition on one row, such as "price > 3"',)
    if rule.condition is not None:
        yield from _of_condition(rule, rule.condition)


def problems_of_analyzer(analyzer: Analyzer) -> Iterator[Problem]:
    """Whatever is wrong with an analyzer."""
    known = RULE_TYPES.get(analyzer.type)
    if known is None and analyzer.type not in ANALYZERS_ONLY:
        yield f"{analyzer.type} is not an analyzer", _nearest(analyzer.type, (*RULE_TYPES, *ANALYZERS_ONLY))
        return
    if analyzer.type in YES_OR_NO:
        yield f"{analyzer.type} measures nothing; it belongs into Rules = [ ... ]", ()
    least, most = (known.least, known.most) if known is not None else (1, 1)
    if not least <= len(analyzer.parameters) <= most:
        yield f"{analyzer.type} takes {count_of(least, most)}, not {len(analyzer.parameters)}", ()


def problems_of_keys(section: str, keys: Iterable[str]) -> Iterator[Problem]:
    """Whatever is wrong with the keys of `Metadata` or `Sources`: one that has no meaning would be ignored."""
    known = {name.casefold() for name in KEYS[section]}
    for key in keys:
        if key.casefold() not in known:
            yield f"{section} has no key {key!r}", tuple(f'"{name}"' for name in KEYS[section])


def problems_of_labels(labels: tuple[tuple[str, str], ...]) -> Iterator[Problem]:
    """Whatever is wrong with a list of labels: a key twice, too many of them, too long, empty."""
    twice = _twice(key for key, _ in labels)
    if twice is not None:
        yield f"the label {twice!r} stands twice", ()
    if not labels:
        yield "the list of labels is empty", ('"key"="value"',)
    if len(labels) > MOST_LABELS:
        yield f"{len(labels)} labels, and a rule has at most {MOST_LABELS}", ()
    for key, value in labels:
        if not key or not value:
            yield "a label has a key and a value", ('"key"="value"',)
        if len(key) > LONGEST_LABEL_KEY:
            yield f"a label's key of {len(key)} characters; the longest has {LONGEST_LABEL_KEY}", ()
        if len(value) > LONGEST_LABEL_VALUE:
            yield f"a label's value of {len(value)} characters; the longest has {LONGEST_LABEL_VALUE}", ()


def count_of(least: int, most: int) -> str:
    """How many parameters are taken, in words."""
    if least == most:
        return {0: "no parameter", 1: "one parameter"}.get(least, f"{least} parameters")
    return f"at least {least}" if most > 10 else f"{least} to {most} parameters"


def _twice(names: Iterable[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _unknown(name: str) -> Problem:
    if name in ANALYZERS_ONLY:
        return f"{name} is measured and not judged; it belongs into Analyzers = [ ... ]", ()
    if name == "JobStatus":
        return "JobStatus is about a job of AWS Glue, and there is none here; take it out", ()
    return f"{name} is not a rule type", _nearest(name, tuple(RULE_TYPES))


def _nearest(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    folded = {other.casefold(): other for other in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return tuple(folded[other] for other in found)


def _of_counts(rule: SimpleRule, known: RuleType) -> Iterator[Problem]:
    if not known.least <= len(rule.parameters) <= known.most:
        yield f"{rule.type} takes {count_of(known.least, known.most)}, not {len(rule.parameters)}", ()
    if known.condition == "required" and rule.condition is None:
        yield f"{rule.type} needs a condition", ("a condition such as '> 0.9' or 'between 1 and 5'",)
    if known.condition == "none" and rule.condition is not None:
        yield f"{rule.type} takes no condition", ()
    if rule.threshold is not None and not known.threshold:
        yield f"{rule.type} takes no threshold", ()
    if rule.type == "CustomSql" and rule.threshold is not None and rule.condition is not None:
        yield "CustomSql takes a condition on its number or a threshold on its rows, not both", ()
    if rule.where is not None and not known.where:
        yield f"{rule.type} takes no where", ()
    if rule.threshold is not None and rule.type != "CustomSql" and not is_share(rule.threshold):
        yield "a threshold is a share of rows", ("a number from 0 to 1",)


def is_share(threshold: Condition) -> bool:
    """Whether a threshold is about the share of rows; otherwise it is about their number."""
    numbers = [operand for operand in threshold.operands if isinstance(operand, Number)]
    fits = all(0 <= number.value <= 1 for number in numbers)
    return fits and (len(numbers) == len(threshold.operands) or threshold.is_dynamic)


def _of_options(rule: SimpleRule, known: RuleType) -> Iterator[Problem]:
    twice = _twice(name for name, _ in rule.options)
    if twice is not None:
        yield f"the option {twice} stands twice", ()
    for name, value in rule.options:
        if name not in known.options:
            yield f"{rule.type} has no option {name}", known.options
        elif name == IGNORE_CASE and value.lower() not in ("true", "false"):
            yield f'{name} is "true" or "false", not {value!r}', ('"true"', '"false"')
        elif name == IGNORE_CASE and rule.condition is not None and rule.condition.operator not in _MATCHING:
            yield f"{name} goes with {', '.join(_MATCHING)}", ()
        elif name == RECENT_FILES and not re.fullmatch("[1-9][0-9]{0,8}", value):
            yield f"{name} is a number of files, not {value!r}", ("a whole number from 1",)
        elif name == TIME_ZONE and not _is_zone(value):
            yield f"{value!r} is no time zone that is known here", ('"Europe/Berlin"', '"UTC"')
        elif name == HASH_ALGORITHM and value not in HASH_ALGORITHMS:
            yield f"{value!r} is no checksum that is known here", HASH_ALGORITHMS
        elif name == URI_REGEX:
            yield from _of_pattern(value)
        elif name == FORMAT and value not in DATE_FORMATS:
            yield f"{value!r} is not a format of dates", DATE_FORMATS
        elif name == FORMAT and not _asks_for(rule.condition, "DATE"):
            yield f'{name} goes with = "DATE" and != "DATE"', ()


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no zone, no name of one, or a folder of zones
        return False
    return True


def _asks_for(condition: Condition | None, kind: str) -> bool:
    return condition is not None and [_text(operand).upper() for operand in condition.operands] == [kind]


def _text(operand: Operand) -> str:
    return operand.value if isinstance(operand, Text) else ""


def _of_condition(rule: SimpleRule, condition: Condition) -> Iterator[Problem]:
    for part in (part for operand in condition.operands for part in operands_within(operand)):
        if isinstance(part, Arithmetic) and part.left == Call("now") and isinstance(part.right, Number):
            wanted = tuple(f"{part.right.render()} {unit}s" for unit in _TIME_UNITS)
            yield f"{part.render()} lacks a unit of time", wanted
    if condition.operator in ("matches", "not matches") and rule.type != "ColumnValues":
        yield f"{rule.type} is not compared by {condition.operator}", ()
    if rule.type == "ColumnDataType":
        named = all(_text(operand).upper().split("(")[0].strip() in DATA_TYPES for operand in condition.operands)
        if condition.operator not in ("=", "!=", "in", "not in") or not named:
            yield f"ColumnDataType cannot ask for {condition.render()}", DATA_TYPES
    if rule.type not in NOT_NUMBERS:
        for part in (part for operand in condition.operands for part in operands_within(operand)):
            if isinstance(part, Quantity | Keyword) or part == Call("now"):
                yield f"{rule.type} gives numbers, and {part.render()} is none", ("a number",)
    if rule.type == "ColumnValues":
        for operand in condition.operands:
            if isinstance(operand, Quantity):
                yield f"{operand.render()} is an age or a size, and no value of a column", ("(now() - 3 days)",)
    if rule.type == "DataFreshness":
        for operand in condition.operands:
            quantities = [part for part in operands_within(operand) if isinstance(part, Quantity)]
            if not quantities or any(part.unit.removesuffix("s") not in _TIME_UNITS for part in quantities):
                yield f"{operand.render()} is not an age", tuple(f"{operand.render()} {unit}s" for unit in _TIME_UNITS)


def _of_pattern(expression: str) -> Iterator[Problem]:
    try:
        Pattern(expression)
    except RuleNotComputable as failure:
        yield str(failure), ()
