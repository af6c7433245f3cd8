"""A ruleset judged on Spark, by the same code as on one machine: workers see the parts, the driver concludes.

Spark moves parts, counts and keys; it compares, reads and counts nothing by itself. What a worker needs comes to it as
plain values, and it plans the ruleset anew.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, Unpack

from movie_platform.engine.spark import SparkEngine
from movie_platform.engine.stored_parquet import StoredParquet, put_parts
from movie_platform.lake import ObjectStore, open_store
from movie_platform.quality.data import DataSet
from movie_platform.quality.evaluation import Options, Plan, planned
from movie_platform.quality.measures import Keys
from movie_platform.quality.opening import open_data
from movie_platform.quality.parts import (
    AskedHistory,
    CountedBucket,
    Keyed,
    State,
    Whole,
    count_bucket,
    keyed,
    measured,
    refuse_not_divisible,
)
from movie_platform.quality.results import Evaluation
from movie_platform.quality.row_results import RESULT_COLUMNS, RowResults
from movie_platform.quality.ruleset import Ruleset

WAVE = 64
"""Parts whose results are on their way to the driver at once."""
ROWS_OF_A_BUCKET = 524_288
"""Keys are counted in so many buckets that each has the keys of about so many rows."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Work:
    """What a worker judges a part by; planned there, it has the measures that the driver has."""

    ruleset: Ruleset
    options: Options

    def plan(self, data: StoredParquet) -> AbstractContextManager[Plan]:
        return planned(data, self.ruleset, **self.options)


def parts_of(engine: SparkEngine, data: DataSet) -> StoredParquet:
    """The data set where workers can read it: as it is when they can, else as parts in the engine's work store."""
    if isinstance(data, StoredParquet):
        return data
    prefix = engine.new_prefix("judged")
    return StoredParquet.of(engine.work, put_parts(engine.work, prefix, data), engine.waits, leave_out=RESULT_COLUMNS)


def evaluate_on_spark(
    engine: SparkEngine, data: DataSet, ruleset: Ruleset, *, glue_rows: bool = False, **options: Unpack[Options]
) -> Evaluation:
    """As `quality.evaluate`, with the rows judged by Spark's workers.

    Raises RulesNotDivisible before anything runs where a rule needs all rows in one place.
    """
    refuse_not_divisible(ruleset)
    parts = parts_of(engine, data)
    references = {name: open_data(source) for name, source in (options.get("references") or {}).items()}
    history = AskedHistory(options.get("history"))
    given: Options = {**options, "references": references, "history": history}
    with planned(parts, ruleset, **given) as plan:
        there: Options = {
            **given,
            "references": {name: source.schema.empty_table() for name, source in references.items()},
            "history": AskedHistory(None, history.answers),
            "at": plan.context.at,
            "files": None,
        }
        plan.left_out = parts.left_out
        work = Work(ruleset, there)
        whole = Whole(plan.measures.all)
        numbered = list(zip([parts.part(n) for n in range(len(parts.parts))], parts.starts, strict=True))
        for (part, _), states in zip(numbered, _each(engine, numbered, partial(_measured, work)), strict=True):
            whole.add(states, part.parts[0].rows)
        keys = sum(isinstance(measure, Keys) for measure in plan.measures.all)
        whole.count_keys(_counted_keys(engine, work, numbered, keys) if keys and numbered else ())
        return plan.concluded(whole.rows, glue_rows=glue_rows)


def _measured(work: Work, numbered: tuple[StoredParquet, int]) -> list[State]:
    with work.plan(numbered[0]) as plan:
        return measured(plan)


def _counted_keys(
    engine: SparkEngine, work: Work, numbered: Sequence[tuple[StoredParquet, int]], keys: int
) -> Iterator[CountedBucket]:
    """Each key goes to the bucket of its hash, where all of its rows meet."""
    last, start = numbered[-1]
    buckets = -(-(start + last.parts[0].rows) // ROWS_OF_A_BUCKET)
    parts = engine.spark_context.parallelize(numbered, len(numbered))
    shuffled = parts.flatMap(partial(_keyed, work, buckets)).partitionBy(keys * buckets, partitionFunc=int)
    for first in range(0, keys * buckets, WAVE):
        wave = range(first, min(first + WAVE, keys * buckets))
        yield from engine.spark_context.runJob(shuffled, partial(_counted, buckets), list(wave))


def _keyed(work: Work, buckets: int, numbered: tuple[StoredParquet, int]) -> Iterator[tuple[int, Keyed]]:
    part, start = numbered
    with work.plan(part) as plan:
        for measure, bucket, found in keyed(plan, start, buckets):
            yield measure * buckets + bucket, found


def _counted(buckets: int, arrived: Iterable[tuple[int, Keyed]]) -> Iterator[CountedBucket]:
    coming = iter(arrived)
    first = next(coming, None)
    if first is not None:
        yield count_bucket(first[0] // buckets, _payloads(first[1], coming))


def _payloads(first: Keyed, others: Iterable[tuple[int, Keyed]]) -> Iterator[Keyed]:
    yield first
    for _, found in others:
        yield found


def _each(engine: SparkEngine, items: Iterable[T], function: Callable[[T], R]) -> Iterator[R]:
    """The function's result for each item, in order, worked out on the workers, a wave at a time."""
    coming = iter(items)
    while wave := list(islice(coming, WAVE)):
        yield from engine.spark_context.parallelize(wave, len(wave)).map(function).collect()


def write_on_spark(engine: SparkEngine, evaluation: Evaluation, address: str) -> None:
    """Writes rule_outcomes.json and the folders good.parquet and bad.parquet at the address of a store, replacing what
    was there. Workers write the rows, a file for each part that has some, so that files in order of their names are the
    rows in order."""
    data = evaluation.data
    assert isinstance(data, StoredParquet)
    target = open_store(address, data.waits)
    folders = [f"{name}.parquet/" for name in ("good", "bad")]
    target.delete([*(info.key for folder in folders for info in target.objects(folder)), *(f[:-1] for f in folders)])
    target.write("rule_outcomes.json", evaluation.outcomes_json().encode())
    by_workers = target if engine.shares_disk or target.local_path("") is None else engine.work
    prefix = "" if by_workers is target else engine.new_prefix("split")
    judged = Judged(evaluation.ruleset, evaluation.dataset, evaluation.at, evaluation.nulls, by_workers.uri, prefix)
    items = (
        (number, data.part(number), evaluation.rows.slice(start, start + data.parts[number].rows))
        for number, start in enumerate(data.starts)
    )
    if not data.parts:
        judged.write((0, data, evaluation.rows))
    keys = [key for written in _each(engine, items, judged.write) for key in written]
    for key in keys if by_workers is not target else ():
        with by_workers.open(key) as source, target.writer(key.removeprefix(prefix)) as out:
            shutil.copyfileobj(source, out, 8 * 2**20)


@dataclass(frozen=True)
class Judged:
    """What a worker needs beside a part's rows and their results to write them as one machine does."""

    ruleset: Ruleset
    dataset: str
    at: Any
    nulls: Any
    store: str
    prefix: str

    def write(self, item: tuple[int, StoredParquet, RowResults]) -> list[str]:
        """The keys of what was written; the first part is written even when it has no such rows."""
        number, part, rows = item
        evaluation = Evaluation(
            part,
            self.ruleset,
            (),
            rows,
            metrics={},
            observations=(),
            dataset=self.dataset,
            at=self.at,
            nulls=self.nulls,
        )
        store: ObjectStore = open_store(self.store, part.waits)
        with tempfile.TemporaryDirectory(prefix="movie-platform-split-") as folder:
            good, bad = Path(folder) / "good", Path(folder) / "bad"
            evaluation.write_parquet(good, bad)
            counts = {good: evaluation.good_count, bad: evaluation.bad_count}
            keys = []
            for path, count in counts.items():
                if count or not number:
                    keys.append(f"{self.prefix}{path.name}.parquet/part-{number:06}.parquet")
                    store.upload(keys[-1], path)
            return keys
