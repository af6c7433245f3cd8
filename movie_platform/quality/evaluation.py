"""A ruleset on a data set: outcomes, score, metrics, and which rows are good."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.quality.batches import Batch
from movie_platform.quality.comparisons import Comparisons
from movie_platform.quality.data import Columns, DataSet, FrameData, Judgeable, open_data, without
from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.history import MetricHistory, NoHistory
from movie_platform.quality.judges import Bench, Judgement, OutcomeWord, analyzer_metrics, judge, kept_name
from movie_platform.quality.measures import Measures
from movie_platform.quality.operands import Operands
from movie_platform.quality.presentation import json_text
from movie_platform.quality.row_results import RESULT_COLUMNS, RowMarks, RowResults, result_fields, unpack
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.ruleset import Action, Rule, Ruleset
from movie_platform.quality.sandbox import Sandbox


@dataclass(frozen=True)
class FailingRow:
    """A row that breaks a rule: its place in the data set, from 0, and the values the rule looked at."""

    row: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came out for one top-level rule."""

    rule: Rule
    outcome: OutcomeWord
    failure_reason: str | None
    evaluated_metrics: dict[str, float]
    evaluated_rule: str
    failing_rows: int | None
    """How many rows break the rule; None when the rule is not about rows."""
    examples: tuple[FailingRow, ...]
    """The first few rows that break it."""

    @property
    def passed(self) -> bool:
        return self.outcome == "Passed"

    @property
    def action(self) -> Action:
        return self.rule.action

    def to_json(self) -> dict[str, Any]:
        """The outcome as `rule_outcomes.json` holds it."""
        return {
            "Rule": self.rule.claim,
            "Outcome": self.outcome,
            "FailureReason": self.failure_reason,
            "EvaluatedMetrics": {name: _json_number(value) for name, value in self.evaluated_metrics.items()},
            "EvaluatedRule": self.evaluated_rule,
            "Labels": self.rule.labels,
        }


class Evaluation:
    """The result of one evaluation; it keeps the data set, so that good and bad rows can be read from it."""

    def __init__(
        self,
        data: DataSet,
        ruleset: Ruleset,
        outcomes: tuple[Outcome, ...],
        rows: RowResults,
        *,
        metrics: Mapping[str, float],
        observations: tuple[str, ...],
        dataset: str,
        at: datetime,
        nulls: Nulls,
    ) -> None:
        self.data = data
        self.ruleset = ruleset
        self.outcomes = outcomes
        self.rows = rows
        self.metrics = dict(metrics)
        """What was measured, under the names the history keeps it by."""
        self.observations = observations
        self.dataset = dataset
        self.at = at
        self.nulls = nulls

    @property
    def score(self) -> float:
        """Rules passed, of all rules; 1.0 for a ruleset that only analyzes."""
        return self.passed / len(self.outcomes) if self.outcomes else 1.0

    @property
    def passed(self) -> int:
        return sum(outcome.outcome == "Passed" for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        return sum(outcome.outcome == "Failed" for outcome in self.outcomes)

    @property
    def errors(self) -> int:
        return sum(outcome.outcome == "Error" for outcome in self.outcomes)

    @property
    def row_count(self) -> int:
        return self.rows.rows

    @property
    def bad_count(self) -> int:
        return self.rows.bad_rows

    @property
    def good_count(self) -> int:
        return self.row_count - self.bad_count

    @property
    def blocking(self) -> tuple[Outcome, ...]:
        """The rules that keep the whole delivery from being loaded: labelled `block`, and not passed."""
        return tuple(o for o in self.outcomes if o.action == "block" and not o.passed)

    @property
    def blocked(self) -> bool:
        """Whether nothing of this delivery may be loaded."""
        return bool(self.blocking)

    def outcome(self, name: str) -> Outcome:
        """The outcome of the rule of this name."""
        for outcome in self.outcomes:
            if outcome.rule.name == name:
                return outcome
        raise KeyError(name)

    def to_json(self) -> list[dict[str, Any]]:
        """The rule outcomes, in the ruleset's order."""
        return [outcome.to_json() for outcome in self.outcomes]

    def outcomes_json(self) -> str:
        """The rule outcomes as the text of `rule_outcomes.json`."""
        return json_text(self.to_json())

    def good(self) -> pa.Table:
        """The good rows, in order, with the input's columns."""
        return self.data.take(~self.rows.bad_mask())

    def bad(self) -> pa.Table:
        """The bad rows, in order, with the input's columns and the four result columns."""
        parts = list(self._parts(lambda bad: bad, with_results=True))
        return pa.Table.from_batches(parts, schema=self._schema(with_results=True))

    def judged(self) -> pa.Table:
        """All rows, in order, with the input's columns and the four result columns."""
        parts = list(self._parts(np.ones_like, with_results=True))
        return pa.Table.from_batches(parts, schema=self._schema(with_results=True))

    def good_frame(self) -> pd.DataFrame:
        """The good rows as a frame; of a frame, its own rows with index and types as they were."""
        if isinstance(self.data, FrameData):
            return self.data.frame[~self.rows.bad_mask()]
        return self.good().to_pandas()

    def bad_frame(self) -> pd.DataFrame:
        """The bad rows as a frame, with the four result columns."""
        return self.bad().to_pandas()

    def write(self, directory: Path) -> dict[str, Path]:
        """Writes rule_outcomes.json, good.parquet and bad.parquet; rows are streamed, never held together."""
        directory.mkdir(parents=True, exist_ok=True)
        paths = {name: directory / name for name in ("rule_outcomes.json", "good.parquet", "bad.parquet")}
        paths["rule_outcomes.json"].write_text(self.outcomes_json(), encoding="utf-8")
        self.write_parquet(paths["good.parquet"], paths["bad.parquet"])
        return paths

    def write_parquet(self, good: Any, bad: Any) -> None:
        """Writes the good and the bad rows, each as one Parquet file, to paths or open files, in one reading."""
        plain, marked = self._schema(with_results=False), self._schema(with_results=True)
        with pq.ParquetWriter(good, plain) as good_file, pq.ParquetWriter(bad, marked) as bad_file:
            for batch, is_bad, results in self._judged_batches(lambda bad: bad):
                if not is_bad.all():
                    good_file.write_batch(batch.filter(pa.array(~is_bad)))
                if is_bad.any():
                    kept = batch.filter(pa.array(is_bad))
                    bad_file.write_batch(pa.RecordBatch.from_arrays([*kept.columns, *results], schema=marked))

    def _schema(self, *, with_results: bool) -> pa.Schema:
        fields = [*self.data.schema]
        return pa.schema([*fields, *result_fields()] if with_results else fields)

    def _parts(self, choose: Callable[[np.ndarray], np.ndarray], *, with_results: bool) -> Iterator[pa.RecordBatch]:
        schema = self._schema(with_results=with_results)
        start = 0
        if with_results:
            for batch, chosen, results in self._judged_batches(choose):
                if chosen.any():
                    kept = batch if chosen.all() else batch.filter(pa.array(chosen))
                    yield pa.RecordBatch.from_arrays([*kept.columns, *results], schema=schema)
            return
        for batch in self.data.batches():
            stop = start + batch.num_rows
            chosen = choose(unpack(self.rows.bad, start, stop))
            if chosen.any():
                yield batch if chosen.all() else batch.filter(pa.array(chosen))
            start = stop

    def _judged_batches(
        self, choose: Callable[[np.ndarray], np.ndarray]
    ) -> Iterator[tuple[pa.RecordBatch, np.ndarray, list[pa.Array]]]:
        start = 0
        for batch in self.data.batches():
            stop = start + batch.num_rows
            chosen = choose(unpack(self.rows.bad, start, stop))
            yield batch, chosen, self.rows.columns(start, stop, chosen)
            start = stop


def evaluate(
    data: Judgeable | DataSet,
    ruleset: Ruleset | Any,
    *,
    nulls: Nulls = "documented",
    references: Mapping[str, Judgeable] | None = None,
    history: MetricHistory | None = None,
    dataset: str = "primary",
    at: datetime | None = None,
    glue_rows: bool = False,
    filtered_rows: Literal["pass", "skip"] = "pass",
    composite: Literal["dataset", "row"] = "dataset",
    sql_seconds: float = 30.0,
) -> Evaluation:
    """Judges a data set by a ruleset (or by a Pandera model).

    `data` is a pandas frame, an Arrow table, a Parquet or CSV file (its path or its bytes), or an iterable of batches;
    it is read in batches. Rows that were judged before are judged anew: their four result columns are set aside.
    `nulls` chooses the null profile. `references` are the other data sets that rules name. `history` is asked for the
    metrics of `dataset` before `at` (now, when not given); it is not written: record `evaluation.metrics` when the
    evaluation counts.

    A row is bad when it breaks a rule that failed and whose action is not `warn`. With `glue_rows` a row is bad also
    when the rule it breaks passed through its threshold, as in Glue. Rows outside a `where` pass its rule, or are
    skipped by it with `filtered_rows="skip"`. Composite rules combine outcomes, or rows with `composite="row"`.

    A rule that cannot be computed has the outcome Error. Whatever the rules, good rows and bad rows together are all
    rows, each once, in order.
    """
    rules = ruleset if isinstance(ruleset, Ruleset) else Ruleset.from_pandera(ruleset)
    opened = without(open_data(data), RESULT_COLUMNS)
    moment = at if at is not None else datetime.now(UTC)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    past = history if history is not None else NoHistory()
    with _LazySandbox(sql_seconds) as sandbox:
        columns = Columns(opened.schema)
        measures = Measures(columns, sandbox)

        def earlier(metric: str, last: int | None) -> list[float]:
            return [point.value for point in past.series(dataset, metric, before=moment, last=last)]

        bench = Bench(
            columns=columns,
            measures=measures,
            operands=Operands(moment, earlier),
            nulls=nulls,
            skip_filtered=filtered_rows == "skip",
            composite=composite,
            comparisons=Comparisons(opened, references or {}, sandbox),
            history=past,
            dataset=dataset,
            at=moment,
        )
        conclusions = [judge(rule, bench) for rule in rules]
        analyzed = _Analyzed(rules, bench)
        count = _pass_over(opened, measures)
        judgements = [conclude() for conclude in conclusions]
        metrics, observations = analyzed.conclude()
    _show_values(rules, judgements, opened, columns)
    outcomes = tuple(_outcome(rule, found) for rule, found in zip(rules, judgements, strict=True))
    for found in judgements:
        metrics.update(found.recorded)
    marks = [_fitting(found.marks, count) for found in judgements]
    bad = np.zeros(-(-count // 8), dtype=np.uint8)
    for outcome, mark in zip(outcomes, marks, strict=True):
        if mark is not None and outcome.action != "warn" and (glue_rows or outcome.outcome == "Failed"):
            bad |= mark.fails
    notes = [
        f"{rule.name}: {found.observation}" for rule, found in zip(rules, judgements, strict=True) if found.observation
    ]
    return Evaluation(
        opened,
        rules,
        outcomes,
        RowResults([rule.claim for rule in rules], marks, bad, count),
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        observations=(*notes, *observations),
        dataset=dataset,
        at=moment,
        nulls=nulls,
    )


def _pass_over(data: DataSet, measures: Measures) -> int:
    """Shows every batch to every measure; only the columns that someone needs are read."""
    wanted = list(dict.fromkeys(column for measure in measures.all for column in measure.columns))
    count = 0
    for rows in data.batches(wanted):
        batch = Batch(rows)
        count += rows.num_rows
        for measure in measures.all:
            measure.see(batch)
    return count


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

    def __init__(self, rules: Ruleset, bench: Bench) -> None:
        self._readers: list[tuple[str, str, Callable[[], float]]] = []
        self._notes: list[str] = []
        for analyzer in rules.analyzers:
            try:
                for metric, read in analyzer_metrics(analyzer, bench):
                    self._readers.append((analyzer.text, kept_name(analyzer, metric), read))
            except RuleNotComputable as failure:
                self._notes.append(f"{analyzer.text} was not measured: {failure}")

    def conclude(self) -> tuple[dict[str, float], list[str]]:
        metrics: dict[str, float] = {}
        notes = list(self._notes)
        for text, name, read in self._readers:
            try:
                metrics[name] = float(read())
            except RuleNotComputable as failure:
                notes.append(f"{text} was not measured: {failure}")
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


def _json_number(value: float) -> float | None:
    return value if np.isfinite(value) else None
