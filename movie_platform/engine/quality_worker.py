"""What Spark's workers do when rules are judged. Functions of plain values, so that they travel by name."""

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from movie_platform.engine.stored_parquet import StoredParquet, put_parts
from movie_platform.lake import ObjectStore, open_store
from movie_platform.quality.counterpart_parts import FoundInBucket, Meeting, Sided, search_bucket
from movie_platform.quality.csv_files import Survey, survey, typed_batches
from movie_platform.quality.data import SourceFile
from movie_platform.quality.errors import DataUnreadable, RuleNotComputable
from movie_platform.quality.evaluation import Options, Plan, planned
from movie_platform.quality.key_parts import (
    CountedBucket,
    PartHashes,
    SharedHashes,
    count_bucket,
    hashes_by_bucket,
    keys_by_bucket,
    shared_hashes,
)
from movie_platform.quality.parts import State, measured
from movie_platform.quality.results import Evaluation
from movie_platform.quality.row_results import RowResults, unpack
from movie_platform.quality.ruleset import Ruleset
from movie_platform.waits import Waits

Numbered = tuple[int, StoredParquet, int]
"""The number of a part, the part, and the number of its first row."""


@dataclass(frozen=True)
class Work:
    """What a worker judges a part by; planned there, it has the measures that the driver has."""

    ruleset: Ruleset
    options: Options

    def plan(self, data: StoredParquet) -> AbstractContextManager[Plan]:
        return planned(data, self.ruleset, **self.options)

    def look(self, buckets: int, numbered: Numbered) -> Iterator[tuple[int, Any]]:
        """The hashes of a part's keys, for the buckets of one measure of keys after the other; after all of those what
        the other measures found, in a slot of the part's own."""
        number, part, start = numbered
        with self.plan(part) as plan:
            states, hashes = measured(plan)
        for measure, found in enumerate(hashes):
            for bucket, some in hashes_by_bucket(found, start, buckets):
                yield measure * buckets + bucket, some
        yield len(hashes) * buckets + number, states


@dataclass(frozen=True)
class WantedKeys:
    """Rows of a part whose keys have to be counted: of each measure its number, its columns, and a bit for each row."""

    part: StoredParquet
    start: int
    measures: list[tuple[int, tuple[str, ...], Any]]

    def by_bucket(self, buckets: int) -> Iterator[tuple[int, bytes]]:
        for measure, names, bits in self.measures:
            wanted = unpack(bits, 0, self.part.rows)
            for bucket, keys in keys_by_bucket(self.part, names, wanted, self.start, buckets):
                yield measure * buckets + bucket, keys


@dataclass(frozen=True)
class Search:
    """Counterparts that are searched for, and where rows meet for each: the slots of one after those of the other."""

    meetings: tuple[Meeting, ...]
    options: Options

    @property
    def ends(self) -> list[int]:
        """The slot after the last one of each."""
        return list(accumulate(meeting.buckets for meeting in self.meetings))

    def rows(self, item: tuple[int, bool, StoredParquet, int]) -> Iterator[tuple[int, Sided]]:
        """The rows of a part, of the judged or the other data set, that one of the meetings is about."""
        number, other, part, start = item
        meeting = self.meetings[number]
        for bucket, some in meeting.rows(part, start, other=other):
            yield self.ends[number] - meeting.buckets + bucket, some

    def found(self, arrived: Iterable[tuple[int, Sided]]) -> Iterator[tuple[int, FoundInBucket | RuleNotComputable]]:
        """The number of a meeting, and what is found among the rows of a slot; nothing of an empty one."""
        for slot, sent in _slots(arrived):
            number = bisect_right(self.ends, slot)
            yield number, search_bucket(self.meetings[number], sent, self.options)


def states(arrived: Iterable[tuple[int, list[State]]]) -> Iterator[list[State]]:
    """What the measures of a part found, as it was sent."""
    for _, found in arrived:
        yield found


def hashes_of_bucket(arrived: Iterable[tuple[int, PartHashes]]) -> Iterator[tuple[int, SharedHashes]]:
    """The number of a slot, and what its hashes say; nothing of an empty one."""
    for slot, sent in _slots(arrived):
        yield slot, shared_hashes(sent)


def keys_of_bucket(arrived: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, CountedBucket]]:
    """The number of a slot, and how often its keys occur; nothing of an empty one."""
    for slot, sent in _slots(arrived):
        yield slot, count_bucket(sent)


def _slots(arrived: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Iterator[Any]]]:
    """The one slot that a task has, with what was sent there; none where nothing was."""
    coming = iter(arrived)
    first = next(coming, None)
    if first is not None:
        yield first[0], (sent for _, sent in chain([first], coming))


@dataclass(frozen=True)
class StoredCsv:
    """A CSV file in a store that workers reach; `name` is what messages call it."""

    store: str
    key: str
    name: str
    missing: tuple[str, ...]
    waits: Waits

    @contextmanager
    def opened(self) -> Iterator[SourceFile]:
        """The file on this machine's disk."""
        with tempfile.TemporaryDirectory(prefix="movie-platform-csv-") as folder:
            path = open_store(self.store, self.waits).on_disk(self.key, Path(folder) / "file.csv")
            yield SourceFile(self.name, path)

    def survey(self) -> Survey | DataUnreadable:
        """What there is to know of the file, or why it cannot be read."""
        try:
            with self.opened() as file:
                return survey(file, self.missing)
        except DataUnreadable as failure:
            return failure


def put_csv(store: str, schema: pa.Schema, item: tuple[StoredCsv, Survey, str]) -> list[str]:
    """Puts a file's rows, as parts whose keys have a prefix, into a store; their keys."""
    text, found, prefix = item
    with text.opened() as file:
        return put_parts(
            open_store(store, text.waits), prefix, schema, typed_batches(file, found, schema, text.missing)
        )


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
