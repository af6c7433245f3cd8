"""What comes out of an evaluation: outcomes, score, metrics, and which rows are good."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.quality.data import DataSet, FrameData, as_frame
from movie_platform.quality.judging.context import OutcomeWord
from movie_platform.quality.presentation import json_text
from movie_platform.quality.read_ahead import read_ahead
from movie_platform.quality.row_results import RowResults, result_fields, unpack
from movie_platform.quality.row_tests import Nulls
from movie_platform.quality.ruleset import Action, Rule, Ruleset

GROUP_ROWS = 65_536
"""Rows of a row group of a written file: fewer repeat more of its dictionaries, more take more memory."""


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


@dataclass(frozen=True)
class Verdicts:
    """What an evaluation that was done elsewhere says; its rows and their results stayed there."""

    outcomes: tuple[Outcome, ...]
    observations: tuple[str, ...]


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
            good: pd.DataFrame = self.data.frame[~self.rows.bad_mask()]
            return good
        return as_frame(self.good())

    def bad_frame(self) -> pd.DataFrame:
        """The bad rows as a frame, with the four result columns."""
        return as_frame(self.bad())

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
            for is_bad, group in read_ahead(self._row_groups(marked)):
                (bad_file if is_bad else good_file).write_table(group)

    def _row_groups(self, marked: pa.Schema) -> Generator[tuple[bool, pa.Table], None, None]:
        """The good and the bad rows, each in order, in tables of GROUP_ROWS to twice as many, and what is left."""
        waiting: dict[bool, list[pa.RecordBatch]] = {False: [], True: []}
        for batch, is_bad, results in self._judged_batches(lambda bad: bad):
            bad_rows = batch.filter(pa.array(is_bad))
            waiting[False].append(batch.filter(pa.array(~is_bad)))
            waiting[True].append(pa.RecordBatch.from_arrays([*bad_rows.columns, *results], schema=marked))
            for bad, parts in waiting.items():
                if sum(part.num_rows for part in parts) >= GROUP_ROWS:
                    yield bad, pa.Table.from_batches(parts)
                    parts.clear()
        for bad, parts in waiting.items():
            if any(part.num_rows for part in parts):
                yield bad, pa.Table.from_batches(parts)

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


def _json_number(value: float) -> float | None:
    return value if np.isfinite(value) else None
