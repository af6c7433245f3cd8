"""From a rule to its judgement: which measures it needs, and what follows from them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from movie_platform.quality import anomalies, row_tests
from movie_platform.quality.batches import Batch, Mask, kind_of
from movie_platform.quality.comparisons import Comparisons
from movie_platform.quality.data import Columns
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.history import MetricHistory
from movie_platform.quality.measures import Measure, Measures, RowCheck
from movie_platform.quality.operands import Operands, holds
from movie_platform.quality.patterns import Pattern
from movie_platform.quality.presentation import harmless, shown
from movie_platform.quality.row_results import PackedBits, RowMarks
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.rule_types import RULE_TYPES
from movie_platform.quality.ruleset import Analyzer, CompositeRule, Condition, PanderaRule, Rule, SimpleRule

OutcomeWord = Literal["Passed", "Failed", "Error"]


@dataclass
class Judgement:
    """What came out for one rule."""

    outcome: OutcomeWord
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    evaluated: str = ""
    marks: RowMarks | None = None
    failing_rows: int | None = None
    examples: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    recorded: dict[str, float] = field(default_factory=dict)
    """The metrics under the names the history keeps them by."""
    observation: str | None = None


@dataclass
class Bench:
    """What judges work with."""

    columns: Columns
    measures: Measures
    operands: Operands
    nulls: Nulls
    skip_filtered: bool
    composite: Literal["dataset", "row"]
    comparisons: Comparisons
    history: MetricHistory
    dataset: str
    at: datetime


Conclusion = Callable[[], Judgement]


def judge(rule: Rule, bench: Bench) -> Conclusion:
    """Registers the measures that a rule needs and returns what to ask once the data went by.

    A rule that cannot be computed is concluded as Error, with the reason; so is a composite rule with such a member.
    """
    try:
        conclude = _judge(rule, bench)
    except RuleNotComputable as failure:
        return _always(_error(rule, failure))

    def guarded() -> Judgement:
        try:
            return conclude()
        except RuleNotComputable as failure:
            return _error(rule, failure)

    return guarded


def _always(judgement: Judgement) -> Conclusion:
    return lambda: judgement


def _error(rule: Rule, failure: Exception) -> Judgement:
    return Judgement("Error", str(failure), evaluated=rule.claim)


def _judge(rule: Rule, bench: Bench) -> Conclusion:
    if isinstance(rule, CompositeRule):
        return _composite(rule, bench)
    if isinstance(rule, PanderaRule):
        return _pandera(rule, bench)
    assert isinstance(rule, SimpleRule)
    known = RULE_TYPES.get(rule.type)
    if known is None:
        raise RuleNotComputable(f"{rule.type} is not a known rule type")
    if known.takes == "file":
        raise RuleNotComputable(f"{rule.type} is about files in S3, not about rows; the platform's sensors watch files")
    return _JUDGES[rule.type](rule, bench)


def _composite(rule: CompositeRule, bench: Bench) -> Conclusion:
    members = [judge(member, bench) for member in rule.members]

    def conclude() -> Judgement:
        judged = [member() for member in members]
        broken = next((j for j in judged if j.outcome == "Error"), None)
        metrics = {name: value for j in judged for name, value in j.metrics.items()}
        recorded = {name: value for j in judged for name, value in j.recorded.items()}
        evaluated = f" {rule.operator} ".join(f"({j.evaluated})" for j in judged)
        if broken is not None:
            return Judgement("Error", broken.reason, metrics, evaluated, recorded=recorded)
        marks = _joined(rule, judged)
        if bench.composite == "row" and marks is not None:
            failing = int(np.unpackbits(marks.fails).sum())
            passed = failing == 0
            reason = None if passed else f"{_count(failing)} break the rule"
        else:
            met = [j.outcome == "Passed" for j in judged]
            passed = all(met) if rule.operator == "and" else any(met)
            reason = None if passed else "; ".join(j.reason for j in judged if j.reason)
            failing = int(np.unpackbits(marks.fails).sum()) if marks is not None else 0
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            evaluated,
            marks,
            failing if marks is not None else None,
            _first_examples(judged, marks),
            recorded,
        )

    return conclude


def _joined(rule: CompositeRule, judged: Sequence[Judgement]) -> RowMarks | None:
    marks = [j.marks for j in judged]
    if rule.scope != "row" or any(mark is None for mark in marks):
        return None
    known = [mark for mark in marks if mark is not None]
    together = known[0]
    for mark in known[1:]:
        together = together.joined_by_and(mark) if rule.operator == "and" else together.joined_by_or(mark)
    return together


def _first_examples(judged: Sequence[Judgement], marks: RowMarks | None) -> list[tuple[int, dict[str, Any]]]:
    if marks is None:
        return []
    merged: dict[int, dict[str, Any]] = {}
    for judgement in judged:
        for row, values in judgement.examples:
            if marks.fails[row // 8] & (128 >> row % 8):
                merged.setdefault(row, {}).update(values)
    return sorted(merged.items())[:5]


def _row_rule(
    rule: SimpleRule,
    bench: Bench,
    column: str,
    test: row_tests.RowTest,
    metric: str,
    *,
    condition: Condition | None = None,
    extremes: Callable[[], dict[str, float]] | None = None,
    unreadable: Callable[[Batch], Mask] | None = None,
    tolerance: Condition | None = None,
) -> Conclusion:
    """A rule that judges each row; `tolerance` is what the share of passing rows must meet, all of them without one."""
    check = RowCheck(
        test,
        (column,),
        bench.measures.where(rule.where),
        unreadable=unreadable,
        keep_skips=bench.skip_filtered,
    )
    bench.measures.all.append(check)

    def conclude() -> Judgement:
        check.done()
        if check.rows == 0:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        if check.unreadable and check.unreadable == check.present:
            raise RuleNotComputable(f'"{column}" is text, and none of its values can be compared like this')
        share = (check.within - check.failed) / check.within if check.within else 1.0
        passed = check.failed == 0 if tolerance is None else holds(share, tolerance, bench.operands, metric)
        reason = None
        if not passed:
            reason = f"{check.failed:,} of {_count(check.within)} {_do(check.failed)} not meet the rule"
            if tolerance is not None:
                reason += f"; {_share(share)} pass, and the share must be {tolerance.render()}"
            reason += _shown(check.examples)
            if check.unreadable:
                reason += f"; {_count(check.unreadable)} cannot be read as the type that is compared"
        metrics = {metric: share, **(extremes() if extremes is not None else {})}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            _evaluated(rule, condition),
            RowMarks(check.fails.packed(), check.skips.packed() if check.skips is not None else None),
            check.failed,
            check.examples,
            _recorded(rule, metrics),
        )

    return conclude


def _extremes_of(rule: SimpleRule, bench: Bench, column: str, low: str, high: str) -> Callable[[], dict[str, float]]:
    lengths = rule.type == "ColumnLength"
    measure = bench.measures.lengths(column, rule.where) if lengths else bench.measures.extremes(column, rule.where)

    def read() -> dict[str, float]:
        measure.done()
        if measure.low is None or measure.high is None:
            return {}
        return {low: float(measure.low), high: float(measure.high)}

    return read


def _resolved(rule: SimpleRule, bench: Bench, low: str, high: str) -> Condition:
    """A row rule's condition with the history's answers: lower bounds ask for minima, upper ones for maxima."""
    condition = rule.condition
    assert condition is not None
    if not condition.is_dynamic:
        return condition
    match condition.operator:
        case ">" | ">=":
            return bench.operands.resolved(condition, low)
        case "<" | "<=":
            return bench.operands.resolved(condition, high)
        case "between" | "not between":
            below = bench.operands.resolved(Condition("=", condition.operands[:1]), low)
            above = bench.operands.resolved(Condition("=", condition.operands[1:]), high)
            return Condition(condition.operator, (*below.operands, *above.operands))
    raise RuleNotComputable(f"{rule.type} can ask the history with <, <=, >, >=, between and not between only")


def _column_values(rule: SimpleRule, bench: Bench) -> Conclusion:
    named = rule.parameters[0]
    column = bench.columns.find(named)
    kind = bench.columns.type_of(column)
    low, high = f"Column.{named}.Minimum", f"Column.{named}.Maximum"
    condition = _resolved(rule, bench, _kept(rule, low), _kept(rule, high))
    return _row_rule(
        rule,
        bench,
        column,
        row_tests.values_test(column, kind, condition, bench.operands, bench.nulls),
        f"Column.{named}.ColumnValues.Compliance",
        condition=condition,
        extremes=_extremes_of(rule, bench, column, low, high) if kind_of(kind) == "number" else None,
        unreadable=row_tests.unreadable(column, kind, condition),
        tolerance=rule.threshold,
    )


def _column_length(rule: SimpleRule, bench: Bench) -> Conclusion:
    named = rule.parameters[0]
    column = bench.columns.find(named)
    low, high = f"Column.{named}.MinimumLength", f"Column.{named}.MaximumLength"
    condition = _resolved(rule, bench, _kept(rule, low), _kept(rule, high))
    test = row_tests.length_test(column, bench.columns.type_of(column), condition, bench.operands)
    return _row_rule(
        rule,
        bench,
        column,
        test,
        f"Column.{named}.ColumnLength.Compliance",
        condition=condition,
        extremes=_extremes_of(rule, bench, column, low, high),
        tolerance=rule.threshold,
    )


def _column_data_type(rule: SimpleRule, bench: Bench) -> Conclusion:
    assert rule.condition is not None
    column = bench.columns.find(rule.parameters[0])
    test = row_tests.data_type_test(column, bench.columns.type_of(column), rule.condition)
    metric = f"Column.{rule.parameters[0]}.ColumnDataType.Compliance"
    return _row_rule(rule, bench, column, test, metric, tolerance=rule.threshold)


def _data_freshness(rule: SimpleRule, bench: Bench) -> Conclusion:
    assert rule.condition is not None
    column = bench.columns.find(rule.parameters[0])
    test = row_tests.freshness_test(column, bench.columns.type_of(column), rule.condition, bench.operands)
    metric = f"Column.{rule.parameters[0]}.DataFreshness.Compliance"
    return _row_rule(rule, bench, column, test, metric, tolerance=rule.threshold)


def _completeness(rule: SimpleRule, bench: Bench) -> Conclusion:
    column = bench.columns.find(rule.parameters[0])
    metric = f"Column.{rule.parameters[0]}.Completeness"
    condition = bench.operands.resolved(rule.condition, _kept(rule, metric)) if rule.condition is not None else None
    test = row_tests.completeness_test(column)
    return _row_rule(rule, bench, column, test, metric, condition=condition, tolerance=condition)


class _MissingKey(Measure):
    """Which rows lack a part of their key, and which rows a predicate leaves out."""

    def __init__(self, names: tuple[str, ...], bench: Bench, where: str | None) -> None:
        super().__init__()
        self.where = bench.measures.where(where)
        self._names = names
        self.columns = (*names, *(self.where.columns if self.where is not None else ()))
        self.missing = PackedBits()
        self.outside = PackedBits() if self.where is not None else None
        self.count = 0
        self.within = 0
        self.rows = 0

    def look(self, batch: Batch, within: Mask | None) -> None:
        complete = np.ones(len(batch), dtype=bool)
        for name in self._names:
            complete &= batch.present(name)
        missing = ~complete
        if within is not None:
            missing &= within
        if self.outside is not None and within is not None:
            self.outside.append(~within)
        self.missing.append(missing)
        self.count += int(np.count_nonzero(missing))
        self.within += len(batch) if within is None else int(within.sum())
        self.rows += len(batch)


def _keys(rule: SimpleRule, bench: Bench) -> Conclusion:
    names = tuple(bench.columns.find(name) for name in rule.parameters)
    keys = bench.measures.keys(names, rule.where)
    missing = bench.measures.shared(("missing", names, rule.where), lambda: _MissingKey(names, bench, rule.where))
    prefix = _key_prefix(rule.parameters)
    metric = f"{prefix}.Uniqueness"
    condition = bench.operands.resolved(rule.condition, _kept(rule, metric)) if rule.condition is not None else None

    def conclude() -> Judgement:
        missing.done()
        occurrences = keys.occurrences()
        if missing.rows == 0:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        if not occurrences.keyed_rows and rule.type != "IsPrimaryKey":
            raise RuleNotComputable(f"no row has a value in {', '.join(rule.parameters)}")
        uniqueness = occurrences.unique / occurrences.keyed_rows if occurrences.keyed_rows else 0.0
        metrics = {metric: uniqueness}
        fails = PackedBits.of(occurrences.repeated).packed()
        failed = int(np.count_nonzero(occurrences.repeated))
        if rule.type == "IsPrimaryKey":
            metrics[f"{prefix}.Completeness"] = 1 - missing.count / missing.within if missing.within else 1.0
            fails = fails | missing.missing.packed()
            failed = int(np.unpackbits(fails).sum())
        passed = failed == 0 if condition is None else holds(uniqueness, condition, bench.operands)
        reason = None
        if not passed:
            repeated = int(np.count_nonzero(occurrences.repeated))
            reason = f"{_count(repeated)} {'share their key' if repeated != 1 else 'shares its key'} with another"
            if rule.type == "IsPrimaryKey" and missing.count:
                reason += f", {_count(missing.count)} lack a part of it"
            if condition is not None:
                reason += f"; {_share(uniqueness)} are unique, and the share must be {condition.render()}"
        skips = missing.outside.packed() if bench.skip_filtered and missing.outside is not None else None
        examples: list[tuple[int, dict[str, Any]]] = [
            (int(row), {}) for row in np.flatnonzero(np.unpackbits(fails, count=missing.rows))[:5]
        ]
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            _evaluated(rule, condition),
            RowMarks(fails, skips),
            failed,
            examples,
            _recorded(rule, metrics),
        )

    return conclude


def _statistic(rule: SimpleRule, bench: Bench) -> Conclusion:
    """A rule about one number of the whole data set."""
    measured = _measured(rule.type, rule.parameters, rule.where, bench)
    metric, read = measured
    assert rule.condition is not None
    condition = bench.operands.resolved(rule.condition, _kept(rule, metric))

    def conclude() -> Judgement:
        value = read()
        passed = holds(value, condition, bench.operands)
        metrics = {metric: float(value)}
        reason = None if passed else f"the value is {_spelled(value)}, and it must be {condition.render()}"
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            _evaluated(rule, condition),
            recorded=_recorded(rule, metrics),
        )

    return conclude


def _measured(kind: str, parameters: Sequence[str], where: str | None, bench: Bench) -> tuple[str, Callable[[], float]]:
    """The name of a statistic and what gives its value after the pass."""
    measures = bench.measures
    names = tuple(bench.columns.find(name) for name in parameters) if kind not in ("CustomSql", "ColumnCount") else ()
    match kind:
        case "RowCount":
            rows = measures.rows(where)
            return "Dataset.*.RowCount", lambda: _after(rows, lambda: rows.count)
        case "ColumnCount":
            return "Dataset.*.ColumnCount", lambda: len(bench.columns.schema.names)
        case "Completeness":
            total = measures.rows(where)
            missing = measures.shared(("missing", names, where), lambda: _MissingKey(names, bench, where))
            return f"Column.{parameters[0]}.Completeness", lambda: _after(
                missing, lambda: 1 - missing.count / _positive(total.count)
            )
        case "Uniqueness" | "UniqueValueRatio" | "DistinctValuesCount" | "Entropy":
            return _key_statistic(kind, names, parameters, where, bench)
        case "Mean" | "Sum" | "StandardDeviation":
            numbers = measures.numbers(names[0], where)

            def moments() -> float:
                numbers.done()
                if not numbers.moments.count:
                    raise RuleNotComputable(f'"{parameters[0]}" has no value to take the {kind} of')
                found = {"Mean": "mean", "Sum": "sum", "StandardDeviation": "standard_deviation"}[kind]
                value: float = getattr(numbers.moments, found)
                if not math.isfinite(value):
                    raise RuleNotComputable(f'the {kind} of "{parameters[0]}" is beyond the range of numbers')
                return value

            return f"Column.{parameters[0]}.{kind}", moments
        case "ColumnCorrelation":
            if len(names) != 2:
                raise RuleNotComputable("ColumnCorrelation takes two columns")
            pairs = measures.pairs(names[0], names[1], where)

            def correlation() -> float:
                pairs.done()
                value = pairs.correlation.value
                if math.isnan(value):
                    raise RuleNotComputable("the correlation is not defined: a column has no values, or only one")
                return value

            return f"Multicolumn.[{','.join(parameters)}].ColumnCorrelation", correlation
        case "CustomSql":
            return "Dataset.*.CustomSQL", lambda: bench.comparisons.scalar(parameters[0])
    raise RuleNotComputable(f"{kind} is not a metric")


def _key_statistic(
    kind: str, names: tuple[str, ...], parameters: Sequence[str], where: str | None, bench: Bench
) -> tuple[str, Callable[[], float]]:
    from movie_platform.quality.statistics import entropy

    keys = bench.measures.keys(names, where)

    def read() -> float:
        found = keys.occurrences()
        if not found.keyed_rows:
            if kind == "DistinctValuesCount":
                return 0.0
            raise RuleNotComputable(f"no row has a value in {', '.join(parameters)}")
        match kind:
            case "Uniqueness":
                return found.unique / found.keyed_rows
            case "UniqueValueRatio":
                return found.unique / found.distinct
            case "DistinctValuesCount":
                return float(found.distinct)
        return entropy(found.counts)

    return f"{_key_prefix(parameters)}.{kind}", read


def _after(measure: Measure, value: Callable[[], float]) -> float:
    measure.done()
    return value()


def _positive(rows: int) -> int:
    if not rows:
        raise RuleNotComputable("there are no rows to take a share of")
    return rows


def _column_exists(rule: SimpleRule, bench: Bench) -> Conclusion:
    there = rule.parameters[0] in bench.columns
    reason = None if there else f'there is no column "{rule.parameters[0]}"'
    return _always(Judgement("Passed" if there else "Failed", reason, evaluated=rule.claim))


def _names_match(rule: SimpleRule, bench: Bench) -> Conclusion:
    pattern = Pattern(rule.parameters[0])
    names = bench.columns.schema.names
    wrong = [name for name in names if not pattern.fits_one(name)]
    if not names:
        raise RuleNotComputable("the data set has no columns")
    metrics = {"Dataset.*.ColumnNamesPatternMatchRatio": 1 - len(wrong) / len(names)}
    reason = f"these names do not fit: {', '.join(map(harmless, wrong))}" if wrong else None
    return _always(Judgement("Failed" if wrong else "Passed", reason, metrics, rule.claim, recorded=metrics))


def _custom_sql(rule: SimpleRule, bench: Bench) -> Conclusion:
    if rule.condition is not None:
        return _statistic(rule, bench)
    sql = rule.parameters[0]
    rows = bench.measures.rows(None)
    bench.comparisons.check_rows(sql)

    def conclude() -> Judgement:
        if not rows.count:
            raise RuleNotComputable("the data set has no rows, so there is nothing to judge")
        passing = bench.comparisons.rows(sql, rows.count)
        failed = rows.count - int(np.count_nonzero(passing))
        share = 1 - failed / rows.count
        passed = failed == 0 if rule.threshold is None else holds(share, rule.threshold, bench.operands)
        reason = None
        if not passed:
            reason = f"the query does not return {failed:,} of {_count(rows.count)}"
            if rule.threshold is not None:
                reason += f"; it returns {_share(share)}, and the share must be {rule.threshold.render()}"
        metrics = {"Dataset.*.CustomSQL.Compliance": share}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            rule.claim,
            RowMarks(PackedBits.of(~passing).packed()),
            failed,
            [(int(row), {}) for row in np.flatnonzero(~passing)[:5]],
            _recorded(rule, metrics),
        )

    return conclude


def _comparison(rule: SimpleRule, bench: Bench) -> Conclusion:
    """A share of agreement with another data set; without a condition all must agree."""
    compare = bench.comparisons.prepared(rule)

    def conclude() -> Judgement:
        metric, share, detail = compare()
        condition = bench.operands.resolved(rule.condition, _kept(rule, metric)) if rule.condition is not None else None
        passed = share == 1.0 if condition is None else holds(share, condition, bench.operands)
        wanted = condition.render() if condition is not None else "= 1.0"
        reason = None if passed else f"{detail}; the ratio is {_spelled(share)}, and it must be {wanted}"
        metrics = {metric: share}
        return Judgement(
            "Passed" if passed else "Failed",
            reason,
            metrics,
            _evaluated(rule, condition),
            recorded=_recorded(rule, metrics),
        )

    return conclude


def _detect_anomalies(rule: SimpleRule, bench: Bench) -> Conclusion:
    kind, *parameters = rule.parameters
    kind = "CustomSql" if kind.lower() == "customsql" else kind
    readers = _anomaly_metrics(kind, parameters, rule, bench)

    def conclude() -> Judgement:
        metrics: dict[str, float] = {}
        recorded: dict[str, float] = {}
        reasons, notes = [], []
        for name, read in readers:
            value = float(read())
            kept = _kept(rule, name)
            metrics[name], recorded[kept] = value, value
            verdict = anomalies.judge(
                value, bench.at, bench.history.series(bench.dataset, kept, before=bench.at, last=anomalies.WINDOW)
            )
            if verdict.expected is None:
                notes.append(f"{name} is not judged yet: there are {verdict.method}")
            elif verdict.anomalous and verdict.low is not None and verdict.high is not None:
                reasons.append(
                    f"{name} is {_spelled(value)}; expected {_spelled(verdict.expected)}, between "
                    f"{_spelled(verdict.low)} and {_spelled(verdict.high)} ({verdict.method})"
                )
        return Judgement(
            "Failed" if reasons else "Passed",
            "; ".join(reasons) or None,
            metrics,
            rule.claim,
            recorded=recorded,
            observation="; ".join(notes) or None,
        )

    return conclude


def _anomaly_metrics(
    kind: str, parameters: Sequence[str], rule: SimpleRule, bench: Bench
) -> list[tuple[str, Callable[[], float]]]:
    if kind in ("ColumnValues", "ColumnLength"):
        return extreme_metrics(kind, parameters, rule.where, bench)
    known = RULE_TYPES.get(kind)
    if known is None or not known.least <= len(parameters) <= known.most:
        raise RuleNotComputable(f"DetectAnomalies cannot measure {kind} of {', '.join(parameters) or 'nothing'}")
    return [_measured(kind, parameters, rule.where, bench)]


def extreme_metrics(
    kind: str, parameters: Sequence[str], where: str | None, bench: Bench
) -> list[tuple[str, Callable[[], float]]]:
    """Least and greatest value, or length, of a column."""
    if len(parameters) != 1:
        raise RuleNotComputable(f"{kind} takes one column")
    column = bench.columns.find(parameters[0])
    if kind == "ColumnValues" and kind_of(bench.columns.type_of(column)) != "number":
        raise RuleNotComputable(f'"{parameters[0]}" does not hold numbers')
    lengths = kind == "ColumnLength"
    measure = bench.measures.lengths(column, where) if lengths else bench.measures.extremes(column, where)
    suffix = "Length" if lengths else ""

    def end(which: str) -> float:
        measure.done()
        value = measure.low if which == "Minimum" else measure.high
        if value is None:
            raise RuleNotComputable(f'"{parameters[0]}" has no values')
        return value

    return [
        (f"Column.{parameters[0]}.Minimum{suffix}", lambda: end("Minimum")),
        (f"Column.{parameters[0]}.Maximum{suffix}", lambda: end("Maximum")),
    ]


def analyzer_metrics(analyzer: Analyzer, bench: Bench) -> list[tuple[str, Callable[[], float]]]:
    """What an analyzer measures: names and what gives their values after the pass."""
    parameters = analyzer.parameters
    if analyzer.type == "AllStatistics":
        column = bench.columns.find(parameters[0])
        found = [_measured(kind, parameters, analyzer.where, bench) for kind in ("Completeness", "Uniqueness")]
        found.append(_measured("RowCount", (), analyzer.where, bench))
        numeric = kind_of(bench.columns.type_of(column)) == "number"
        extremes = extreme_metrics("ColumnValues" if numeric else "ColumnLength", parameters, analyzer.where, bench)
        return [*found, *extremes]
    if analyzer.type in ("ColumnValues", "ColumnLength"):
        return extreme_metrics(analyzer.type, parameters, analyzer.where, bench)
    return [_measured(analyzer.type, parameters, analyzer.where, bench)]


def _pandera(rule: PanderaRule, bench: Bench) -> Conclusion:
    from movie_platform.quality.pandera_schema import run_check

    column = bench.columns.find(rule.on) if rule.on is not None else None
    rows = bench.measures.rows(None)

    def conclude() -> Judgement:
        rows.done()
        frame = bench.comparisons.frame([column] if column is not None else None)
        passing = run_check(rule.check, frame[column] if column is not None else frame)
        if isinstance(passing, bool):
            reason = None if passing else "the check does not hold for the data set"
            return Judgement("Passed" if passing else "Failed", reason, evaluated=rule.claim)
        failed = len(passing) - int(np.count_nonzero(passing))
        places = np.flatnonzero(~passing)[:5]
        examples = [
            (
                int(row),
                {column: None if pd.isna(frame[column].iloc[row]) else frame[column].iloc[row]} if column else {},
            )
            for row in places
        ]
        reason = f"{failed:,} of {_count(len(passing))} do not meet the check{_shown(examples)}" if failed else None
        share = 1 - failed / len(passing) if len(passing) else 1.0
        metrics = {f"Column.{rule.on}.Pandera.Compliance" if rule.on else "Dataset.*.Pandera.Compliance": share}
        marks = RowMarks(PackedBits.of(~passing).packed())
        return Judgement("Failed" if failed else "Passed", reason, metrics, rule.claim, marks, failed, examples)

    return conclude


_JUDGES: Mapping[str, Callable[[SimpleRule, Bench], Conclusion]] = {
    "RowCount": _statistic,
    "ColumnCount": _statistic,
    "IsComplete": _completeness,
    "Completeness": _completeness,
    "IsUnique": _keys,
    "Uniqueness": _keys,
    "IsPrimaryKey": _keys,
    "UniqueValueRatio": _statistic,
    "DistinctValuesCount": _statistic,
    "ColumnValues": _column_values,
    "ColumnLength": _column_length,
    "ColumnDataType": _column_data_type,
    "ColumnExists": _column_exists,
    "ColumnNamesMatchPattern": _names_match,
    "Mean": _statistic,
    "Sum": _statistic,
    "StandardDeviation": _statistic,
    "Entropy": _statistic,
    "ColumnCorrelation": _statistic,
    "CustomSql": _custom_sql,
    "DataFreshness": _data_freshness,
    "ReferentialIntegrity": _comparison,
    "RowCountMatch": _comparison,
    "AggregateMatch": _comparison,
    "DatasetMatch": _comparison,
    "SchemaMatch": _comparison,
    "DetectAnomalies": _detect_anomalies,
}


def _key_prefix(parameters: Sequence[str]) -> str:
    return f"Column.{parameters[0]}" if len(parameters) == 1 else f"Multicolumn.[{','.join(parameters)}]"


def _evaluated(rule: SimpleRule, condition: Condition | None) -> str:
    """The rule with the history's answers in place of its dynamic parts."""
    if condition is None or rule.condition is None or condition == rule.condition:
        return rule.claim
    from dataclasses import replace

    return replace(rule, condition=condition).claim


def _kept(rule: SimpleRule | Analyzer, metric: str) -> str:
    """The name the history keeps a metric by: rules on part of the rows, and queries, are series of their own."""
    import hashlib

    if metric.startswith("Dataset.*.CustomSQL"):
        sql = next((p for p in reversed(rule.parameters)), "")
        metric += f"#{hashlib.sha256(sql.encode()).hexdigest()[:12]}"
    return f"{metric} where {rule.where}" if rule.where is not None else metric


def kept_name(analyzer: Analyzer, metric: str) -> str:
    """The name the history keeps an analyzer's metric by."""
    return _kept(analyzer, metric)


def _recorded(rule: SimpleRule, metrics: Mapping[str, float]) -> dict[str, float]:
    # Compliance depends on the rule's condition, so it is no property of the data that a series could follow.
    return {_kept(rule, name): value for name, value in metrics.items() if not name.endswith(".Compliance")}


def _count(rows: int) -> str:
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def _do(rows: int) -> str:
    return "does" if rows == 1 else "do"


def _share(share: float) -> str:
    """A share in per cent that is never rounded up to all or down to none."""
    percent = share * 100
    if 0 < share < 1:
        digits = 1
        while digits < 8 and round(percent, digits) in (0.0, 100.0):
            digits += 1
        return f"{percent:.{digits}f} %"
    return f"{percent:.0f} %"


def _spelled(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _shown(examples: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    told = [
        f"row {row + 1}: {', '.join(shown(value) for value in values.values())}"
        for row, values in examples[:3]
        if values
    ]
    return f", for example {'; '.join(told)}" if told else ""
