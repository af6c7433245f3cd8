"""Rows that are judged in parts, each elsewhere: what the measures of a part found, and how it is put together.

Each part is seen by the same measures as the whole would be, so that a row is judged by the same code wherever it is.
What was counted is added up without rounding. Keys are counted in buckets: equal keys meet in one, whatever their part.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from movie_platform.quality.batches import Batch
from movie_platform.quality.errors import NOT_COMPUTABLE, RuleNotComputable, RulesNotDivisible, not_computable
from movie_platform.quality.evaluation import Plan, planned
from movie_platform.quality.history import MetricHistory, MetricPoint
from movie_platform.quality.keys import Occurrences
from movie_platform.quality.measures import EXAMPLES, Keys, Measure
from movie_platform.quality.opening import open_data
from movie_platform.quality.row_results import PackedBits
from movie_platform.quality.ruleset import Analyzer, CompositeRule, Rule, Ruleset, SimpleRule
from movie_platform.quality.statistics import Correlation, ExactSum, Moments

NOT_DIVISIBLE = {
    "CustomSql": "its SQL runs over all rows at once",
    "ReferentialIntegrity": "it is a query over all rows and their reference",
    "DatasetMatch": "it is a query over all rows and their reference",
    "AggregateMatch": "it is a query over all rows and their reference",
}
_COUNTED = (
    *("count", "rows", "within", "failed", "unreadable", "present", "low", "high", "moments", "correlation"),
    *("fails", "skips", "missing", "outside", "examples", "_failure"),
)
"""What a measure has of the rows that it saw."""

State = dict[str, Any]


def not_divisible(ruleset: Ruleset) -> str:
    """Which rules or analyzers cannot be judged in parts, all of them, and why; empty where all can."""
    return "; ".join(f"{claim} ({reason})" for claim, reason in _not_divisible([*ruleset, *ruleset.analyzers]))


def refuse_not_divisible(ruleset: Ruleset) -> None:
    """Raises RulesNotDivisible, naming them all, where rules or analyzers cannot be judged in parts."""
    if refused := not_divisible(ruleset):
        raise RulesNotDivisible(f"on Spark these cannot be judged: {refused}. Leave them out, or judge on one machine")


def _not_divisible(rules: Iterable[Rule | Analyzer]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        if isinstance(rule, CompositeRule):
            yield from _not_divisible(rule.members)
        elif isinstance(rule, SimpleRule | Analyzer):
            kind = rule.parameters[0] if rule.type == "DetectAnomalies" else rule.type
            if reason := next((why for name, why in NOT_DIVISIBLE.items() if name.lower() == kind.lower()), None):
                yield rule.claim if isinstance(rule, SimpleRule) else rule.text, reason
        else:
            yield rule.claim, "a check of Pandera takes the whole frame"


@dataclass
class AskedHistory:
    """A history that remembers what it was asked, so that the same can be answered where the history is not."""

    history: MetricHistory | None
    answers: dict[tuple[str, str, datetime, int | None], Sequence[MetricPoint]] = field(default_factory=dict)

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        asked = (dataset, metric, before, last)
        if self.history is not None and asked not in self.answers:
            self.answers[asked] = tuple(self.history.series(dataset, metric, before=before, last=last))
        return self.answers.get(asked, ())


def measured(plan: Plan) -> list[State]:
    """What each measure but those of keys finds in the rows of the plan's data set, which is a part."""
    measures = plan.measures
    everything = list(measures.all)
    measures.all = [measure for measure in everything if not isinstance(measure, Keys)]
    plan.read()
    return [{name: value for name, value in vars(measure).items() if name in _COUNTED} for measure in measures.all]


class Whole:
    """The measures of a whole data set, put together from those of its parts, which come in order."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self._counted = [measure for measure in measures if not isinstance(measure, Keys)]
        self._keys = [measure for measure in measures if isinstance(measure, Keys)]
        self.rows = 0
        for measure in self._counted:
            for name, value in vars(measure).items():
                if isinstance(value, PackedBits):
                    setattr(measure, name, _BitsOnDisk())

    def add(self, states: Sequence[State], rows: int) -> None:
        """Adds what the measures found in the next part, of so many rows."""
        for measure, state in zip(self._counted, states, strict=True):
            for name, found in state.items():
                setattr(measure, name, _together(name, getattr(measure, name), found, self.rows))
        self.rows += rows

    def count_keys(self, buckets: Iterable["CountedBucket"]) -> None:
        """Adds how often the keys of each bucket occur, once all parts are there."""
        found = [Occurrences({}, np.zeros(self.rows, dtype=bool), 0) for _ in self._keys]
        for bucket in buckets:
            if bucket.failure is not None:
                self._keys[bucket.measure]._failure = bucket.failure
                continue
            occurrences = found[bucket.measure]
            occurrences.repeated[bucket.repeated] = True
            occurrences.keyed_rows += bucket.keyed_rows
            for times, keys in bucket.counts.items():
                occurrences.counts[times] = occurrences.counts.get(times, 0) + keys
        for measure, occurrences in zip(self._keys, found, strict=True):
            measure._occurrences = occurrences


def _together(name: str, mine: Any, theirs: Any, start: int) -> Any:
    """What was found in earlier rows and in a part that starts at a row, together."""
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    match mine:
        case PackedBits():
            mine.append(theirs.bits())
        case Moments() | Correlation() | ExactSum():
            for part, value in vars(mine).items():
                setattr(mine, part, _together(part, value, getattr(theirs, part), start))
        case dict():
            for place, amount in theirs.items():
                mine[place] = mine.get(place, 0) + amount
        case list():
            mine += [(start + row, values) for row, values in theirs][: EXAMPLES - len(mine)]
        case RuleNotComputable():
            pass
        case _:
            return {"low": min, "high": max}.get(name, lambda one, other: one + other)(mine, theirs)
    return mine


class _BitsOnDisk(PackedBits):
    """Bits in a file without a name: for a great many rows there is one for each rule of each."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile(prefix="quality-bits-")  # noqa: SIM115 - it ends with its object

    def append(self, mask: np.ndarray) -> None:
        super().append(mask)
        for full in self._full:
            self._file.write(full.data)
        self._full.clear()

    def packed(self) -> np.ndarray:
        whole, size = len(self) // 8, -(-len(self) // 8)
        self._file.seek(whole)
        self._file.write(np.packbits(self._rest).data)
        self._file.flush()
        bits = np.memmap(self._file, np.uint8, "r", shape=(size,)) if size else np.zeros(0, dtype=np.uint8)
        self._file.seek(whole)
        return bits


@dataclass(frozen=True)
class CountedBucket:
    """How often each key of a bucket occurs: `counts[k]` keys k times; the numbers of the rows that repeat one."""

    measure: int
    counts: dict[int, int] = field(default_factory=dict)
    keyed_rows: int = 0
    repeated: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    failure: RuleNotComputable | None = None


Keyed = bytes | RuleNotComputable
"""Rows of one bucket in Arrow's stream format, the columns of their keys and their numbers; or why there are none."""


def keyed(plan: Plan, start: int, buckets: int) -> Iterator[tuple[int, int, Keyed]]:
    """The keys of a part that starts at a row: each measure's number, a bucket, and the keys that belong there."""
    for number, measure in enumerate(found for found in plan.measures.all if isinstance(found, Keys)):
        try:
            tables = list(_keys_of(plan, measure, start))
            if not tables:
                continue
            table = pa.concat_tables(tables)
            bucket = _hashes(table) % np.uint64(buckets)
        except NOT_COMPUTABLE as failure:
            yield number, 0, not_computable(failure)
            continue
        order = np.argsort(bucket, kind="stable")
        table = table.take(pa.array(order))
        ends = np.searchsorted(bucket[order], np.arange(buckets), side="right").tolist()
        for place, (first, end) in enumerate(pairwise([0, *ends])):
            if end > first:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table.slice(first, end - first).combine_chunks())
                yield number, place, sink.getvalue().to_pybytes()


def count_bucket(number: int, parts: Iterable[Keyed]) -> CountedBucket:
    """How often the keys of a bucket occur, which came from all parts for the measure of this number."""
    rows: list[np.ndarray] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for part in parts:
            if isinstance(part, RuleNotComputable):
                raise part
            for batch in pa.ipc.open_stream(part):
                rows.append(batch.columns[-1].to_numpy())
                yield batch.select(list(range(batch.num_columns - 1)))

    try:
        data = open_data(batches())
        with planned(data, Ruleset([])) as plan:
            keys = plan.measures.keys(tuple(data.schema.names), None)
            for batch in data.batches():
                keys.see(Batch(batch))
            found = keys.occurrences()
    except NOT_COMPUTABLE as failure:
        return CountedBucket(number, failure=not_computable(failure))
    return CountedBucket(number, found.counts, found.keyed_rows, np.concatenate(rows)[found.repeated])


def _keys_of(plan: Plan, measure: Keys, start: int) -> Iterator[pa.Table]:
    """The rows of the data set that have a key: the key's columns, and each row's number."""
    only_where = measure.where.columns if measure.where is not None else ()
    keys = list(dict.fromkeys(measure.columns[: len(measure.columns) - len(only_where)]))
    for rows in plan.data.batches(list(dict.fromkeys(measure.columns))):
        batch = Batch(rows)
        with_key = np.zeros(len(batch), dtype=bool)
        for name in keys:
            with_key |= batch.present(name)
        if measure.where is not None:
            with_key &= measure.where.within(batch)
        numbers = pa.array(np.arange(start, start + len(batch)))
        table = pa.Table.from_arrays([*(batch.column(name) for name in keys), numbers], [*keys, ""])
        yield table.filter(pa.array(with_key))
        start += len(batch)


def _hashes(table: pa.Table) -> np.ndarray:
    """64 bits of each key, equal for equal keys; columns that the engine cannot hash do not count."""
    import duckdb

    columns = [column for column in table.columns[:-1] if _can_be_hashed(column.type)]
    if not columns or not table.num_rows:
        return np.zeros(table.num_rows, dtype=np.uint64)
    keys = pa.table(columns, [f"k{place}" for place in range(len(columns))])
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.register("keys", keys)
        found = connection.sql(f"SELECT hash({', '.join(keys.schema.names)}) AS hash FROM keys")  # noqa: S608
        hashes: np.ndarray = found.fetchnumpy()["hash"]
    return hashes


def _can_be_hashed(kind: pa.DataType) -> bool:
    types = pa.types
    plain = types.is_primitive(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind)
    return plain and not types.is_decimal(kind)
