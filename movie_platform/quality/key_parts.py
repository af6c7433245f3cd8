"""Keys that are counted in parts: hashes meet first, and then the keys whose hash occurs in more than one row.

Equal keys have equal hashes, and meet in the bucket that the hash is of, whatever part they are in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from movie_platform.quality.batches import Batch
from movie_platform.quality.buckets import bucketed, without_numbers
from movie_platform.quality.data import DataSet
from movie_platform.quality.errors import NOT_COMPUTABLE, RuleNotComputable, not_computable
from movie_platform.quality.keys import KeyCounts, KeyHashes, Occurrences, keys_of, occurring_twice
from movie_platform.quality.measures import Keys
from movie_platform.quality.opening import open_data

Hashes = tuple[np.ndarray, np.ndarray]
"""Hashes of keys, and the numbers of their rows."""
PartHashes = Hashes | RuleNotComputable


@dataclass(frozen=True)
class SharedHashes:
    """What hashes alone say of the keys of a bucket: the rows that may share theirs with another, of so many."""

    keyed_rows: int = 0
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    failure: RuleNotComputable | None = None


def hashes_by_bucket(found: PartHashes, start: int, buckets: int) -> Iterator[tuple[int, PartHashes]]:
    """The hashes of a part that starts at a row, each with the bucket where it meets those that are equal to it."""
    if isinstance(found, RuleNotComputable):
        yield 0, found
        return
    hashes, places = found
    bucket = hashes % np.uint64(buckets)
    order = np.argsort(bucket, kind="stable")
    for place, chosen in enumerate(np.split(order, np.searchsorted(bucket[order], np.arange(1, buckets)))):
        if len(chosen):
            yield place, (hashes[chosen], places[chosen] + start)


def shared_hashes(parts: Iterable[PartHashes]) -> SharedHashes:
    """The rows of a bucket whose hash others have too."""
    hashes, rows = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for part in parts:
        if isinstance(part, RuleNotComputable):
            return SharedHashes(failure=part)
        hashes.append(part[0])
        rows.append(part[1])
    together = np.concatenate(rows)
    return SharedHashes(len(together), together[occurring_twice(np.concatenate(hashes))])


@dataclass(frozen=True)
class CountedBucket:
    """How often each key of a bucket occurs: `counts[k]` keys k times; the numbers of the rows that repeat one."""

    counts: dict[int, int] = field(default_factory=dict)
    keyed_rows: int = 0
    repeated: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    failure: RuleNotComputable | None = None


def keys_by_bucket(
    data: DataSet, names: Sequence[str], wanted: np.ndarray, start: int, buckets: int
) -> Iterator[tuple[int, bytes]]:
    """The keys of the wanted rows of a part that starts at a row, by the bucket of their hash, with their numbers."""
    hashes, kept, row = KeyHashes(names), [], 0
    for rows in data.batches(list(dict.fromkeys(names))):
        here = np.flatnonzero(wanted[row : row + rows.num_rows])
        if len(here):
            batch = Batch(rows.take(pa.array(here)))
            hashes.add(batch)
            kept.append(pa.Table.from_batches([keys_of(names, batch)]).append_column("", pa.array(here + row + start)))
        row += rows.num_rows
    if kept:
        yield from bucketed(pa.concat_tables(kept), hashes.finish()[0] % np.uint64(buckets), buckets)


def count_bucket(parts: Iterable[bytes]) -> CountedBucket:
    """How often the keys of a bucket occur, which came from all parts."""
    numbers: list[np.ndarray] = []
    try:
        data = open_data(without_numbers(parts, numbers))
        counter = KeyCounts(data.schema.names, data.batches)
        for batch in data.batches():
            counter.add(Batch(batch))
        found = counter.finish()
    except NOT_COMPUTABLE as failure:
        return CountedBucket(failure=not_computable(failure))
    return CountedBucket(found.counts, found.keyed_rows, np.concatenate(numbers)[found.repeated])


class KeysTogether:
    """The keys of one measure, put together from its buckets: first all hashes, then the keys that may be shared."""

    def __init__(self, measure: Keys, rows: int) -> None:
        self.names = measure.names
        self.may_share = np.zeros(rows, dtype=bool)
        """The rows whose keys have to be counted themselves."""
        self._measure = measure
        self._keyed_rows = 0
        self._found = Occurrences({}, np.zeros(rows, dtype=bool), 0)
        self._failure: RuleNotComputable | None = None

    def add_hashes(self, found: SharedHashes) -> None:
        """Adds a bucket of hashes."""
        self._failure = self._failure or found.failure
        self._keyed_rows += found.keyed_rows
        self.may_share[found.rows] = True

    def add_keys(self, found: CountedBucket) -> None:
        """Adds a bucket of keys that had to be counted."""
        self._failure = self._failure or found.failure
        self._found.repeated[found.repeated] = True
        self._found.keyed_rows += found.keyed_rows
        for times, keys in found.counts.items():
            self._found.counts[times] = self._found.counts.get(times, 0) + keys

    def finish(self) -> None:
        """Hands what was counted to the measure."""
        found, alone = self._found, self._keyed_rows - self._found.keyed_rows
        if alone:
            found.counts[1] = found.counts.get(1, 0) + alone
        self._measure.count(self._failure or Occurrences(found.counts, found.repeated, self._keyed_rows))
