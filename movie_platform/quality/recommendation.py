"""Rules proposed from data: profiled exactly, tried on the same data before they are shown.

The proposals are those that AWS Glue makes, with exact counts in place of estimates. A value that looks like dirt in
its column is left out of value lists and named, so that a rule does not make it legitimate.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import Batch, kind_of
from movie_platform.quality.conditions import Condition, Number, Operand, Text
from movie_platform.quality.data import DataSet, Judgeable, spool
from movie_platform.quality.errors import DataUnreadable
from movie_platform.quality.evaluation import evaluate
from movie_platform.quality.keys import KeyCounts
from movie_platform.quality.opening import open_data
from movie_platform.quality.presentation import harmless, shown
from movie_platform.quality.results import Outcome
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.ruleset import Rule, Ruleset, SimpleRule
from movie_platform.quality.statistics import Moments

_LIST_VALUES = 120
_ONCE_FOR_ALL = 0.1
_ONCE_FOR_MOST = 0.4
_MOST = 0.9
_NEARLY_UNIQUE = 0.95
_LEAST_COMPLETE = 0.2
_LONGEST_KEY = 250
"""A text longer than this is prose; that no two are equal says nothing."""
_Z = 1.96
_FEW_ROWS = 30
"""From fewer rows no list of values, no spread and no range is proposed: the next delivery would break it."""
_SPREAD = 0.05
"""How far the next standard deviation may be from this one, where the rows are enough to know it so well."""
_DIRT_AT_MOST = 0.02
"""Values of another shape are dirt when they make up at most this share of the column."""


@dataclass(frozen=True)
class SuspiciousValue:
    """A value that does not look like the others of its column."""

    column: str
    value: str
    rows: int
    usual: str

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f'"{self.column}" holds {shown(self.value)} in {rows}, where nearly all values are {self.usual}'


@dataclass(frozen=True)
class RecommendedRule:
    """A proposed rule and what came out for it on the data it was made from."""

    rule: Rule
    outcome: Outcome
    note: str | None = None
    """Why it does not hold on its own data, when it does not: the suspicious values it leaves out."""


@dataclass(frozen=True)
class Recommendation:
    """Proposed rules, each tried, and the values that look like dirt."""

    rules: tuple[RecommendedRule, ...]
    suspicious: tuple[SuspiciousValue, ...]
    rows: int
    notes: tuple[str, ...] = ()
    """What the proposals rest on that their owner has to know: blank texts, too few rows."""
    deliveries: int = 1

    @property
    def ruleset(self) -> Ruleset:
        """The proposals as a ruleset."""
        return Ruleset([recommended.rule for recommended in self.rules])

    def render(self) -> str:
        """The proposals as DQDL, with what is suspicious as comments."""
        of = f" of {self.deliveries} deliveries; every rule held on each" if self.deliveries > 1 else ""
        lines = [f"# Made from {self.rows:,} rows{of or '; every rule was tried on them'}."]
        lines += [f"# {_comment(str(value))}" for value in self.suspicious]
        lines.append("Rules = [")
        for place, recommended in enumerate(self.rules):
            if recommended.note is not None:
                lines.append(f"    # {_comment(recommended.note)}")
            lines.append(f"    {recommended.rule.text}{',' if place < len(self.rules) - 1 else ''}")
        lines.append("]")
        return "\n".join(lines) + "\n"


def recommend(
    data: Judgeable | DataSet, *, nulls: Nulls = "documented", earlier: Sequence[Judgeable | DataSet] = ()
) -> Recommendation:
    """Proposes rules for a data set and tries them on it under a null profile.

    Where a null would break a proposal under that profile, the rule is limited to the rows that have a value. A rule
    that fails on its own data for another reason than a suspicious value is not proposed. With earlier deliveries of
    the same columns, ranges and lists are those of all of them, and only what held on each is proposed.
    """
    days = [open_data(data), *map(open_data, earlier)]
    profiles = [_Profile(day) for day in days]
    if not all(profile.rows for profile in profiles):
        raise DataUnreadable("there are no rows to make rules from")
    whole = _Profile(_together(days, profiles)) if earlier else profiles[0]
    counts = [profile.rows for profile in profiles]
    fewest = min(counts)
    is_few = fewest < _FEW_ROWS
    size = Condition(">", (Number("0"),)) if is_few else _between(fewest // 2, max(counts) * 2)
    moving = _moving(profiles)
    rules = [_rule("RowCount", None, size), *_proposals(whole, nulls, fewest, moving)]
    if earlier:
        rules += _proposals(profiles[0], nulls, fewest, moving)
    kept = _that_hold(rules, days, nulls, whole.suspicious)
    return Recommendation(tuple(kept), tuple(whole.suspicious), whole.rows, tuple(_notes(whole, fewest)), len(days))


def _moving(profiles: Sequence["_Profile"]) -> frozenset[str]:
    """Columns of numbers where no two deliveries have a value in the same range: the next one has others again."""
    found = set()
    for name in profiles[0].named if len(profiles) > 1 else ():
        ranges = sorted(
            (moments.low, moments.high)
            for profile in profiles
            if (moments := profile.named[name].moments) is not None
            and moments.low is not None
            and moments.high is not None
        )
        if len(ranges) > 1 and all(one[1] < other[0] for one, other in pairwise(ranges)):
            found.add(name)
    return frozenset(found)


def _together(days: Sequence[DataSet], profiles: Sequence["_Profile"]) -> DataSet:
    """All deliveries as one data set. A column that is text in one because it is blank there has no values there."""
    fields = [_common(place, days, profiles) for place in range(len(days[0].schema))]
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        for day, profile in zip(days, profiles, strict=True):
            for batch in day.batches(schema.names):
                arrays = [
                    pa.nulls(batch.num_rows, field.type) if column.is_blank else found.cast(field.type, safe=False)
                    for field, column, found in zip(
                        fields, (profile.named[name] for name in schema.names), batch.columns, strict=True
                    )
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return spool(batches())


def _common(place: int, days: Sequence[DataSet], profiles: Sequence["_Profile"]) -> pa.Field:
    name = days[0].schema.names[place]
    lacking = sum(name not in profile.named for profile in profiles)
    if lacking:
        raise DataUnreadable(f'{lacking} of the earlier deliveries have no column "{name}"')
    pairs = [(day.schema.field(name).type, profile.named[name]) for day, profile in zip(days, profiles, strict=True)]
    kinds = {kind for kind, column in pairs if not column.is_blank} or {pa.string()}
    if len(kinds) == 1:
        return pa.field(name, kinds.pop())
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    return pa.field(name, pa.float64() if numeric else pa.string())


def _proposals(profile: "_Profile", nulls: Nulls, fewest: int, moving: frozenset[str]) -> list[SimpleRule]:
    """What is proposed for the columns; `fewest` rows had the smallest delivery, and `moving` columns have no range."""
    found = []
    for column in profile.columns:
        is_new_each_time = column.name in moving or _is_identifier(column, column.present == profile.rows)
        found += _for_column(column, profile.rows, nulls, fewest, is_new_each_time)
    return found


def _that_hold(
    rules: Sequence[SimpleRule], days: Sequence[DataSet], nulls: Nulls, suspicious: Sequence[SuspiciousValue]
) -> Iterator[RecommendedRule]:
    """The rules that hold on each day but for suspicious values; of two that ask for the same, the first."""
    ruleset = Ruleset(rules)
    evaluations = [evaluate(day, ruleset, nulls=nulls) for day in days]
    seen: set[object] = set()
    for place, rule in enumerate(rules):
        outcomes = [evaluation.outcomes[place] for evaluation in evaluations]
        notes = [None if outcome.passed else _excuse(outcome, suspicious) for outcome in outcomes]
        if not all(outcome.passed or note is not None for outcome, note in zip(outcomes, notes, strict=True)):
            continue
        operator = rule.condition.operator if rule.condition is not None else ""
        same = (rule.type, rule.parameters, operator, rule.threshold is None)
        if same not in seen:
            seen.add(same)
            yield RecommendedRule(outcomes[0].rule, outcomes[0], next((note for note in notes if note), None))


def _notes(profile: "_Profile", fewest: int) -> Iterator[str]:
    if fewest < _FEW_ROWS:
        yield (
            f"Only {fewest} {'row' if fewest == 1 else 'rows'}: no value lists, spreads or ranges are proposed from "
            f"fewer than {_FEW_ROWS}; repeat it with more"
        )
    elif _tolerance(fewest) > _SPREAD:
        yield f"Only {fewest} rows: standard deviations are asked to be within {_tolerance(fewest):.0%}, not 5%"
    for column in profile.columns:
        if column.blanks:
            rows = "1 row" if column.blanks == 1 else f"{column.blanks:,} rows"
            yield (
                f'"{column.name}" has a blank text in {rows}; a blank text counts as a value (add a rule such as '
                f'ColumnValues "{column.name}" not in [EMPTY, WHITESPACES_ONLY] where it should not)'
            )


def _excuse(outcome: Outcome, suspicious: Sequence[SuspiciousValue]) -> str | None:
    """Names the suspicious values of a value list's column when they are all that breaks the rule."""
    rule = outcome.rule
    listed = isinstance(rule, SimpleRule) and rule.condition is not None and rule.condition.operator == "in"
    dirt = [value for value in suspicious if value.column in rule.columns]
    if listed and outcome.failing_rows == sum(value.rows for value in dirt):
        return f"does not hold yet: {', '.join(shown(value.value) for value in dirt)} left out, see above"
    return None


def _for_column(
    column: "_ColumnProfile", rows: int, nulls: Nulls, fewest: int, is_new_each_time: bool
) -> list[SimpleRule]:
    name = column.name
    rules: list[SimpleRule] = []
    complete = column.present == rows
    if complete:
        rules.append(_rule("IsComplete", name))
    elif _LEAST_COMPLETE < column.present / rows < 1 and (bound := _wald(column.present, rows)) > 0:
        rules.append(_rule("Completeness", name, Condition(">=", (_number(bound),))))
    if not column.present or fewest < _FEW_ROWS:
        return rules
    # Where there are nulls, a rule on values holds for those that are there.
    where = None if complete or nulls == "legacy" else f"{_identifier(name)} is not null"
    if (column.kind == "text" or column.is_integer) and not is_new_each_time:
        rules.extend(_value_lists(column, where))
    if column.is_integer and column.moments is not None and not is_new_each_time:
        spread, part = column.moments.standard_deviation, _tolerance(fewest)
        low, high = (Decimal(str(round(share * spread, 2))) for share in (1 - part, 1 + part))
        if low < Decimal(str(spread)) < high:
            rules.append(_rule("StandardDeviation", name, _between(low, high)))
    if complete and column.uniqueness > _NEARLY_UNIQUE and column.longest <= _LONGEST_KEY:
        rules.append(_rule("Uniqueness", name, Condition(">", (Number(str(_NEARLY_UNIQUE)),))))
    if column.kind == "text":
        if column.shortest == 0:
            rules.append(_rule("ColumnLength", name, Condition("<=", (_number(column.longest),)), where))
        else:
            rules.append(_rule("ColumnLength", name, _between(column.shortest - 1, column.longest + 1), where))
    found = column.moments
    if found is not None and found.low is not None and found.high is not None and not is_new_each_time:
        low, high = Decimal(repr(found.low)) - 1, Decimal(repr(found.high)) + 1
        rules.append(_rule("ColumnValues", name, _between(low, high), where))
    return rules


def _tolerance(rows: int) -> float:
    """The part by which the standard deviations of two deliveries of so many rows differ, 19 times of 20."""
    return max(_SPREAD, _Z / math.sqrt(2 * rows))


def _is_identifier(column: "_ColumnProfile", complete: bool) -> bool:
    """Whether a column identifies something: the next delivery has other values, so that theirs say nothing.

    A name such as `movie_id` or `movieId` says so. Where it does not, whole numbers that are all different are taken
    for such when they have few gaps, are in ascending order or have a name such as `customerid` or `invoice_no`.
    """
    if re.search(r"(^|[^A-Za-z])(id|ID|Id)$|[a-z](Id|ID)$", column.name):
        return True
    found = column.moments
    if not (complete and column.is_integer and column.uniqueness == 1.0 and found is not None):
        return False
    named = re.search(r"(^|[^a-z])(key|number|nr|no)$|id$", column.name, re.IGNORECASE) is not None
    dense = found.low is not None and found.high is not None and found.high - found.low + 1 <= 2 * found.count
    return named or dense or column.is_ascending


def _value_lists(column: "_ColumnProfile", where: str | None) -> list[SimpleRule]:
    counts = column.value_counts
    if counts is None or len(counts) > _LIST_VALUES or not counts:
        return []
    once = sum(times == 1 for _, times in counts) / len(counts)
    clean = [(value, times) for value, times in counts if value not in column.dirt]
    rules = []
    if once <= _ONCE_FOR_ALL:
        values = tuple(Text(str(value)) for value, _ in clean)
        rules.append(_rule("ColumnValues", column.name, Condition("in", values), where))
    if once <= _ONCE_FOR_MOST:
        chosen, covered = [], 0
        for value, times in clean:
            if covered >= _MOST * column.present:
                break
            chosen.append(Text(str(value)))
            covered += times
        bound = _wald(covered, column.present)
        if bound > 0 and len(chosen) < len(counts):
            threshold = Condition(">=", (_number(bound),))
            rules.append(_rule("ColumnValues", column.name, Condition("in", tuple(chosen)), where, threshold))
    return rules


class _Profile:
    """What is counted of every column, in one pass."""

    def __init__(self, data: DataSet) -> None:
        self.rows = 0
        self.columns = [_ColumnProfile(field.name, field.type, data) for field in data.schema]
        for part in data.batches():
            batch = Batch(part)
            self.rows += part.num_rows
            for column in self.columns:
                column.add(batch)
        self.named = {column.name: column for column in self.columns}
        self.suspicious: list[SuspiciousValue] = []
        for column in self.columns:
            column.finish()
            for value, times in (column.value_counts or []) if column.dirt else []:
                if value in column.dirt:
                    self.suspicious.append(SuspiciousValue(column.name, str(value), times, column.usual))


class _ColumnProfile:
    def __init__(self, name: str, kind: pa.DataType, data: DataSet) -> None:
        self.name = name
        self.kind = kind_of(kind)
        self.is_integer = pa.types.is_integer(kind)
        self.present = 0
        self.shortest = 0
        self.longest = 0
        self.uniqueness = 0.0
        self.moments = Moments() if self.kind == "number" else None
        self.value_counts: list[tuple[Any, int]] | None = None
        self.dirt: frozenset[Any] = frozenset()
        self.usual = ""
        countable = self.kind != "other"
        self._keys: KeyCounts | None = KeyCounts([name], lambda: data.batches([name])) if countable else None
        self._counts: dict[Any, int] | None = {} if self.kind == "text" or self.is_integer else None
        self._seen_text = False
        self.blanks = 0
        self.is_ascending = self.is_integer
        self._last: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether it holds no value but blank texts."""
        return self.blanks == self.present and self.kind == "text"

    def add(self, batch: Batch) -> None:
        column = batch.column(self.name)
        self.present += len(column) - column.null_count
        if self._keys is not None:
            self._keys.add(batch)
        if self.moments is not None:
            self.moments.add(batch.numbers(self.name))
        if self.is_ascending and len(column) > column.null_count:
            values = column.drop_null()
            rising = pc.all(pc.less(values[:-1], values[1:])).as_py() is not False
            self.is_ascending = rising and (self._last is None or self._last < values[0].as_py())
            self._last = values[-1].as_py()
        if self._counts is not None:
            for entry in pc.value_counts(column.drop_null()).to_pylist():
                self._counts[entry["values"]] = self._counts.get(entry["values"], 0) + entry["counts"]
            if len(self._counts) > 4 * _LIST_VALUES:
                self._counts = None
        if self.kind == "text":
            blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
            self.blanks += pc.sum(blank).as_py() or 0
        if self.kind == "text" and self.present:
            lengths = pc.min_max(pc.utf8_length(column))
            shortest, longest = lengths["min"].as_py(), lengths["max"].as_py()
            if longest is not None:
                self.shortest = min(shortest, self.shortest) if self._seen_text else shortest
                self.longest = max(longest, self.longest)
                self._seen_text = True

    def finish(self) -> None:
        if self._keys is not None:
            found = self._keys.finish()
            self.uniqueness = found.unique / found.keyed_rows if found.keyed_rows else 0.0
            self._keys = None
        if self._counts is not None:
            self.value_counts = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
            self.dirt, self.usual = _dirt(self.value_counts) if self.kind == "text" else (frozenset(), "")


def _dirt(counts: Sequence[tuple[str, int]]) -> tuple[frozenset[str], str]:
    """The few values whose shape is not that of nearly all others, when nearly all others have one shape."""
    shapes: dict[str, int] = {}
    filled = [(value, times) for value, times in counts if value.strip()]
    for value, times in filled:
        shapes[_shape(value)] = shapes.get(_shape(value), 0) + times
    total = sum(shapes.values())
    if total < 50 or len(shapes) < 2:
        return frozenset(), ""
    usual = max(shapes, key=lambda shape: shapes[shape])
    others = total - shapes[usual]
    # A value of another kind, or one that the column has seen more often, is a rarity and not an accident.
    if usual not in _SHAPE_WORDS or others > _DIRT_AT_MOST * total:
        return frozenset(), ""
    return frozenset(value for value, _ in filled if _shape(value) != usual), _SHAPE_WORDS[usual]


_SHAPE_WORDS = {"number": "numbers", "date": "dates"}


def _shape(value: str) -> str:
    trimmed = value.strip()
    if re.fullmatch(r"[+-]?[0-9]+([.,][0-9]+)*", trimmed):
        return "number"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", trimmed):
        return "date"
    return "text"


def _wald(hits: int, of: int) -> float:
    """The lower end of the 95 % interval of a share, rounded down to two decimals."""
    share = hits / of
    return math.floor((share - _Z * math.sqrt(share * (1 - share) / of)) * 100) / 100


def _rule(
    kind: str,
    column: str | None,
    condition: Condition | None = None,
    where: str | None = None,
    threshold: Condition | None = None,
) -> SimpleRule:
    parameters = (column,) if column is not None else ()
    return SimpleRule(type=kind, parameters=parameters, condition=condition, where=where, threshold=threshold)


def _between(low: float | Decimal, high: float | Decimal) -> Condition:
    return Condition("between", (_number(low), _number(high)))


def _number(value: float | Decimal) -> Operand:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return Number(text.rstrip("0").rstrip(".") if "." in text else text)


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "`" + name.replace("`", "``") + "`"


def _comment(text: str) -> str:
    return harmless(text).replace("\n", " ")
