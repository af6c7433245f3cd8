"""A ruleset on a data set, in one pass over its rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from movie_platform.quality.data import Columns, DataSet, Judgeable
from movie_platform.quality.errors import NOT_COMPUTABLE, not_computable
from movie_platform.quality.files import FileLister
from movie_platform.quality.history import MetricHistory, NoHistory
from movie_platform.quality.judging.context import EvaluationContext, Judgement, history_metric_name
from movie_platform.quality.judging.metrics import analyzer_metrics
from movie_platform.quality.judging.planning import plan_rule
from movie_platform.quality.measures import Measures
from movie_platform.quality.opening import named, open_data, without
from movie_platform.quality.presentation import shown
from movie_platform.quality.results import Evaluation, FailingRow, Outcome
from movie_platform.quality.row_results import RESULT_COLUMNS, RowMarks, RowResults
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.ruleset import Rule, Ruleset
from movie_platform.quality.sandbox import Sandbox
from movie_platform.quality.sandbox_tables import SandboxTables


class Options(TypedDict, total=False):
    """How a ruleset judges, as `evaluate` describes it."""

    nulls: Nulls
    references: Mapping[str, Judgeable] | None
    history: MetricHistory | None
    dataset: str
    at: datetime | None
    filtered_rows: Literal["pass", "skip"]
    composite: Literal["dataset", "row"]
    sql_seconds: float
    files: FileLister | None


def evaluate(
    data: Judgeable | DataSet, ruleset: Ruleset | Any, *, glue_rows: bool = False, **options: Unpack[Options]
) -> Evaluation:
    """Judges a data set by a ruleset (or by a Pandera model).

    `data` is a pandas frame, an Arrow table, a Parquet or CSV file (its path or its bytes), or an iterable of batches;
    it is read in batches. Rows that were judged before are judged anew: columns called like the four result columns
    are left out, and named as observations.
    `nulls` chooses the null profile. `references` are the other data sets that rules name. `history` is asked for the
    metrics of `dataset` before `at` (now, when not given); it is not written: record `evaluation.metrics` when the
    evaluation counts. `files` lists the files that rules about files name.

    A row is bad when it breaks a rule that failed and whose action is not `warn`. With `glue_rows` a row is bad also
    when the rule it breaks passed through its threshold, as in Glue. Rows outside a `where` pass its rule, or are
    skipped by it with `filtered_rows="skip"`. Composite rules combine outcomes, or rows with `composite="row"`.
    A rule that cannot be computed has the outcome Error. Whatever the rules, good rows and bad rows together are all
    rows, each once, in order.
    """
    with planned(data, ruleset, **options) as plan:
        return plan.concluded(plan.read(), glue_rows=glue_rows)


@contextmanager
def planned(
    data: Judgeable | DataSet,
    ruleset: Ruleset | Any,
    *,
    nulls: Nulls = "documented",
    references: Mapping[str, Judgeable] | None = None,
    history: MetricHistory | None = None,
    dataset: str = "primary",
    at: datetime | None = None,
    filtered_rows: Literal["pass", "skip"] = "pass",
    composite: Literal["dataset", "row"] = "dataset",
    sql_seconds: float = 30.0,
    files: FileLister | None = None,
) -> "Iterator[Plan]":
    """A ruleset made ready for a data set: its measures wait to be shown all rows, and the plan to be concluded."""
    rules = ruleset if isinstance(ruleset, Ruleset) else _of_pandera(ruleset)
    whole = open_data(data)
    opened = without(whole, RESULT_COLUMNS)
    columns = Columns(opened.schema)
    with _LazySandbox(sql_seconds) as sandbox:
        context = EvaluationContext(
            columns=columns,
            measures=Measures(opened, columns, sandbox),
            nulls=nulls,
            skip_filtered=filtered_rows == "skip",
            composite=composite,
            tables=SandboxTables(opened, references or {}, sandbox),
            history=history or NoHistory(),
            dataset=dataset,
            at=_utc(at),
            files=files,
        )
        yield Plan(opened, rules, context, left_out=named(whole.schema.names, RESULT_COLUMNS))


class Plan:
    """A ruleset on a data set before and after its rows are read."""

    def __init__(
        self, data: DataSet, rules: Ruleset, context: EvaluationContext, *, left_out: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.context = context
        self.left_out = left_out
        """Columns of the data that are called like those of results."""
        self._rules = rules
        self._analyzed = _Analyzed(rules, context)
        self._deferred = [plan_rule(rule, context) for rule in rules]

    @property
    def measures(self) -> Measures:
        """What has to see every row before the plan is concluded."""
        return self.context.measures

    def read(self) -> int:
        """Shows all rows of the data set to the measures; how many there are."""
        return self.measures.read()

    def concluded(self, count: int, *, glue_rows: bool = False) -> Evaluation:
        """What came out, once the measures have seen all rows, so many."""
        rules, data, context = self._rules, self.data, self.context
        judgements = [outcome() for outcome in self._deferred]
        metrics, observations = self._analyzed.conclude()
        _show_values(rules, judgements, data, context.columns)
        outcomes, rows = _collected(rules, judgements, count, glue_rows=glue_rows)
        return Evaluation(
            data,
            rules,
            outcomes,
            rows,
            metrics=_measured(metrics, judgements),
            observations=(*map(_not_judged, self.left_out), *_notes(rules, judgements), *observations),
            dataset=context.dataset,
            at=context.at,
            nulls=context.nulls,
        )


def _measured(metrics: dict[str, float], judgements: list[Judgement]) -> dict[str, float]:
    """The metrics of analyzers and of rules that the history can keep."""
    merged = {**metrics, **{name: value for found in judgements for name, value in found.recorded.items()}}
    return {name: value for name, value in merged.items() if np.isfinite(value)}


def _not_judged(column: str) -> str:
    return f"column {shown(column)} of the data is not judged, and left out of good and bad rows: results are called so"


def _notes(rules: Ruleset, judgements: list[Judgement]) -> list[str]:
    pairs = zip(rules, judgements, strict=True)
    return [f"{rule.name}: {found.observation}" for rule, found in pairs if found.observation]


def _utc(at: datetime | None) -> datetime:
    moment = at or datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _of_pandera(model: Any) -> Ruleset:
    # Pandera takes half a second to import, and only its users need it.
    from movie_platform.quality.pandera_models import ruleset_of

    return ruleset_of(model)


def _collected(
    rules: Ruleset, judgements: list[Judgement], count: int, *, glue_rows: bool
) -> tuple[tuple[Outcome, ...], RowResults]:
    """The outcomes, and which rows break which rule and are set aside."""
    outcomes = tuple(_outcome(rule, found) for rule, found in zip(rules, judgements, strict=True))
    marks = [_fitting(found.marks, count) for found in judgements]
    bad = np.zeros(-(-count // 8), dtype=np.uint8)
    for outcome, mark in zip(outcomes, marks, strict=True):
        if mark is not None and outcome.action != "warn" and (glue_rows or outcome.outcome == "Failed"):
            bad |= mark.fails
    return outcomes, RowResults([rule.claim for rule in rules], marks, bad, count)


def _show_values(rules: Ruleset, judgements: list[Judgement], data: DataSet, columns: Columns) -> None:
    """Fills in what the examples of keys and queries hold: these rules know places only, until all rows were seen."""
    wanted: dict[int, dict[str, Any]] = {}
    names: dict[str, None] = {}
    for rule, found in zip(rules, judgements, strict=True):
        exact = [columns.find(name) for name in rule.columns if name in columns] if found.examples else []
        for row, values in found.examples:
            if not values and exact:
                values.update(dict.fromkeys(exact))
                wanted.setdefault(row, {})
                names.update(dict.fromkeys(exact))
    if not wanted:
        return
    start = 0
    for batch in data.batches(list(names)):
        for row in wanted:
            if start <= row < start + batch.num_rows:
                wanted[row] = {name: batch.column(place)[row - start].as_py() for place, name in enumerate(names)}
        start += batch.num_rows
        if start > max(wanted):
            break
    for found in judgements:
        for row, values in found.examples:
            if row in wanted:
                values.update({name: wanted[row][name] for name in values if name in wanted[row]})


def _fitting(marks: RowMarks | None, count: int) -> RowMarks | None:
    return marks if marks is not None and len(marks.fails) == -(-count // 8) else None


def _outcome(rule: Rule, found: Judgement) -> Outcome:
    return Outcome(
        rule=rule,
        outcome=found.outcome,
        failure_reason=found.reason,
        evaluated_metrics=found.metrics,
        evaluated_rule=found.evaluated or rule.claim,
        failing_rows=found.failing_rows,
        examples=tuple(FailingRow(row, values) for row, values in found.examples),
    )


class _Analyzed:
    """The ruleset's analyzers: measured, never judged; what cannot be measured is an observation."""

    def __init__(self, rules: Ruleset, context: EvaluationContext) -> None:
        self._readers: list[tuple[str, str, Callable[[], float]]] = []
        self._notes: list[str] = []
        for analyzer in rules.analyzers:
            try:
                for metric, read in analyzer_metrics(analyzer, context):
                    self._readers.append((analyzer.text, history_metric_name(analyzer, metric), read))
            except NOT_COMPUTABLE as failure:
                self._notes.append(f"{analyzer.text} was not measured: {not_computable(failure)}")

    def conclude(self) -> tuple[dict[str, float], list[str]]:
        metrics: dict[str, float] = {}
        notes = list(self._notes)
        for text, name, read in self._readers:
            try:
                metrics[name] = float(read())
            except NOT_COMPUTABLE as failure:
                notes.append(f"{text} was not measured: {not_computable(failure)}")
        return metrics, notes


class _LazySandbox:
    """A sandbox that is started by the first rule that needs one and closed with the evaluation."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sandbox: Sandbox | None = None

    def __call__(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(self._seconds)
        return self._sandbox

    def __enter__(self) -> "_LazySandbox":
        return self

    def __exit__(self, *_: object) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
