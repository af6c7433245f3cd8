"""What is counted and added up while the batches go by; rules that need the same count share it."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.quality.batches import Batch, Mask, as_mask, kind_of
from movie_platform.quality.data import Columns, DataSet, EncodedDataSet
from movie_platform.quality.errors import NOT_COMPUTABLE, RuleNotComputable, not_computable
from movie_platform.quality.keys import KeyCounts, KeyHashes, Occurrences
from movie_platform.quality.row_results import PackedBits
from movie_platform.quality.sandbox import Sandbox
from movie_platform.quality.statistics import Correlation, Moments

EXAMPLES = 5


class Measure(ABC):
    """Looks at every batch once; what cannot be computed is remembered, and `done` raises it."""

    columns: tuple[str, ...] = ()
    """Exact names of the columns it needs."""
    where: "Where | None" = None

    def __init__(self) -> None:
        self._failure: RuleNotComputable | None = None

    def see(self, batch: Batch) -> None:
        """Looks at a batch, unless an earlier one could not be understood."""
        if self._failure is not None:
            return
        try:
            self.look(batch, self.where.within(batch) if self.where is not None else None)
        except NOT_COMPUTABLE as failure:
            self._failure = not_computable(failure)

    @abstractmethod
    def look(self, batch: Batch, within: Mask | None) -> None:
        """Takes in one batch; rows outside `within` do not count."""

    def done(self) -> None:
        """Raises what went wrong, if something did."""
        if self._failure is not None:
            raise self._failure


class Where:
    """A predicate on rows, evaluated once per batch."""

    def __init__(self, text: str, columns: Columns, sandbox: Callable[[], Sandbox]) -> None:
        from movie_platform.quality.sql_text import Predicate

        self.text = text
        self._predicate = Predicate(text)
        self._names = {name: columns.find(name) for name in self._predicate.columns}
        self.columns = tuple(dict.fromkeys(self._names.values()))
        # A name that no column of the data can have: DuckDB lets a column hide the table.
        self._table = f"batch_{uuid.uuid4().hex}"
        self._statement = self._predicate.statement(self._names, self._table)
        self._sandbox = sandbox
        self._last: tuple[Batch, Mask] | None = None
        self._failure: RuleNotComputable | None = None

    def within(self, batch: Batch) -> Mask:
        """Which rows of the batch the predicate is true for; unknown is not true."""
        if self._failure is not None:
            raise self._failure
        if self._last is not None and self._last[0] is batch:
            return self._last[1]
        try:
            mask = self._evaluated(batch)
        except RuleNotComputable as failure:
            # Not tried again: what is slow for one rule would be as slow for every other.
            self._failure = failure
            raise
        self._last = (batch, mask)
        return mask

    def _evaluated(self, batch: Batch) -> Mask:
        columns = {name: batch.column(name) for name in self.columns} or {self._table: pa.nulls(len(batch), pa.int8())}
        kept = self._sandbox().select_from(self._table, pa.table(columns), self._statement).column("keep")
        kept = kept.combine_chunks()
        mask: Mask = kept.to_numpy(zero_copy_only=False).astype(bool)
        return mask


class Rows(Measure):
    """How many rows there are."""

    def __init__(self, where: Where | None) -> None:
        super().__init__()
        self.where = where
        self.columns = where.columns if where is not None else ()
        self.count = 0

    def look(self, batch: Batch, within: Mask | None) -> None:
        self.count += len(batch) if within is None else int(within.sum())


class Blanks(Measure):
    """How many texts of a column are empty or made of blanks."""

    def __init__(self, column: str, where: Where | None) -> None:
        super().__init__()
        self.where = where
        self.columns = (column, *(where.columns if where is not None else ()))
        self.count = 0

    def look(self, batch: Batch, within: Mask | None) -> None:
        blank = batch.each(self.columns[0], self._is_blank)
        self.count += int(np.count_nonzero(blank if within is None else blank & within))

    def _is_blank(self, batch: Batch) -> Mask:
        column = batch.column(self.columns[0])
        return as_mask(pc.or_(pc.equal(pc.binary_length(column), 0), pc.utf8_is_space(column)))


class Numbers(Measure):
    """Moments of a numeric column."""

    def __init__(self, column: str, kind: pa.DataType, where: Where | None, *, squares: bool) -> None:
        super().__init__()
        if kind_of(kind) != "number":
            raise RuleNotComputable(f'"{column}" holds {_kind_words(kind)}, not numbers')
        self.column = column
        self.where = where
        self.columns = (column, *(where.columns if where is not None else ()))
        self.moments = Moments(squares=squares)

    def look(self, batch: Batch, within: Mask | None) -> None:
        numbers = batch.numbers(self.column)
        self.moments.add(numbers if within is None else numbers.filter(pa.array(within)))


class Pairs(Measure):
    """The correlation of two numeric columns."""

    def __init__(self, columns: Columns, left: str, right: str, where: Where | None) -> None:
        super().__init__()
        for column in (left, right):
            if kind_of(columns.type_of(column)) != "number":
                raise RuleNotComputable(f'"{column}" holds {_kind_words(columns.type_of(column))}, not numbers')
        self._left, self._right = left, right
        self.where = where
        self.columns = (left, right, *(where.columns if where is not None else ()))
        self.correlation = Correlation()

    def look(self, batch: Batch, within: Mask | None) -> None:
        left, right = batch.numbers(self._left), batch.numbers(self._right)
        if within is not None:
            mask = pa.array(within)
            left, right = left.filter(mask), right.filter(mask)
        self.correlation.add(left, right)


class Keys(Measure):
    """How often each key occurs."""

    def __init__(self, data: DataSet, names: tuple[str, ...], where: Where | None) -> None:
        super().__init__()
        self.where = where
        self.names = names
        self.columns = (*names, *(where.columns if where is not None else ()))
        self._counter: KeyCounts | KeyHashes = KeyCounts(names, lambda: data.batches(names))
        self._occurrences: Occurrences | None = None

    def look(self, batch: Batch, within: Mask | None) -> None:
        self._counter.add(batch, within)

    def as_hashes(self) -> KeyHashes:
        """Keeps hashes from now on, for keys that are counted elsewhere."""
        self._counter = KeyHashes(self.names)
        return self._counter

    def count(self, occurrences: Occurrences | RuleNotComputable) -> None:
        """Takes over what was counted elsewhere."""
        if isinstance(occurrences, RuleNotComputable):
            self._failure = occurrences
        else:
            self._occurrences = occurrences

    def occurrences(self) -> Occurrences:
        """The counts, once all batches were seen."""
        self.done()
        if self._occurrences is None:
            assert isinstance(self._counter, KeyCounts)
            self._occurrences = self._counter.finish()
        return self._occurrences


class MissingKeys(Measure):
    """Which rows lack a part of their key, and which rows a predicate leaves out."""

    def __init__(self, names: tuple[str, ...], where: Where | None) -> None:
        super().__init__()
        self.where = where
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


class Extremes(Measure):
    """Least and greatest of something numeric about a column, such as its values or lengths."""

    def __init__(self, column: str, where: Where | None, take: Callable[[Batch], Any]) -> None:
        super().__init__()
        self.where = where
        self.columns = (column, *(where.columns if where is not None else ()))
        self._take = take
        self.low: float | None = None
        self.high: float | None = None

    def look(self, batch: Batch, within: Mask | None) -> None:
        values = self._take(batch)
        if within is not None:
            values = values[within] if isinstance(values, np.ndarray) else values.filter(pa.array(within))
        if isinstance(values, np.ndarray):
            low, high = (values.min().item(), values.max().item()) if len(values) else (None, None)
        else:
            least_and_most = pc.min_max(values)
            low, high = least_and_most["min"].as_py(), least_and_most["max"].as_py()
        if low is not None and high is not None:
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)


class RowCheck(Measure):
    """Which rows pass a test of one column: counts, bits, and the first few that do not."""

    def __init__(
        self,
        column: str,
        test: Callable[[Batch], Mask],
        where: Where | None,
        *,
        unreadable: Callable[[Batch], Mask] | None = None,
        keep_skips: bool = False,
    ) -> None:
        super().__init__()
        self._test = test
        self._unreadable = unreadable
        self._column = column
        self.where = where
        self.columns = (column, *(where.columns if where is not None else ()))
        self.fails = PackedBits()
        self.skips = PackedBits() if keep_skips and where is not None else None
        self.rows = 0
        self.within = 0
        self.failed = 0
        self.unreadable = 0
        self.present = 0
        self.examples: list[tuple[int, dict[str, Any]]] = []

    def look(self, batch: Batch, within: Mask | None) -> None:
        fails = ~batch.each(self._column, self._test)
        if within is not None:
            fails &= within
            if self.skips is not None:
                self.skips.append(~within)
        self.within += len(batch) if within is None else int(within.sum())
        failed = int(np.count_nonzero(fails))
        self.failed += failed
        if failed and len(self.examples) < EXAMPLES:
            self._show(batch, fails)
        if self._unreadable is not None:
            wrong = batch.each(self._column, self._unreadable)
            self.unreadable += int(np.count_nonzero(wrong if within is None else wrong & within))
            self.present += int(np.count_nonzero(batch.present(self._column)))
        self.fails.append(fails)
        self.rows += len(batch)

    def _show(self, batch: Batch, fails: Mask) -> None:
        for place in np.flatnonzero(fails)[: EXAMPLES - len(self.examples)]:
            value = batch.column(self._column)[int(place)].as_py()
            self.examples.append((self.rows + int(place), {self._column: value}))


M = TypeVar("M", bound=Measure)


class Measures:
    """All measures of one evaluation, each made once."""

    def __init__(self, data: DataSet, columns: Columns, sandbox: Callable[[], Sandbox]) -> None:
        self.data = data
        self.columns = columns
        self.sandbox = sandbox
        self.all: list[Measure] = []
        self._shared: dict[Hashable, Measure] = {}
        self._predicates: dict[str, Where] = {}

    def read(self) -> int:
        """Shows all rows of the data set to the measures, of each only what one of them needs; how many there are."""
        wanted = list(dict.fromkeys(column for measure in self.all for column in measure.columns))
        data, count = self.data, 0
        for rows in data.encoded_batches(wanted) if isinstance(data, EncodedDataSet) else data.batches(wanted):
            batch = Batch(rows)
            count += rows.num_rows
            for measure in self.all:
                measure.see(batch)
        return count

    def shared(self, key: Hashable, make: Callable[[], M]) -> M:
        """The measure of this key, made at the first request."""
        if key not in self._shared:
            measure = make()
            self._shared[key] = measure
            self.all.append(measure)
        return cast(M, self._shared[key])

    def where(self, text: str | None) -> Where | None:
        """The predicate of this text, or None."""
        if text is None:
            return None
        if text not in self._predicates:
            self._predicates[text] = Where(text, self.columns, self.sandbox)
        return self._predicates[text]

    def rows(self, where: str | None) -> Rows:
        return self.shared(("rows", where), lambda: Rows(self.where(where)))

    def blanks(self, column: str, where: str | None) -> Blanks:
        return self.shared(("blanks", column, where), lambda: Blanks(column, self.where(where)))

    def numbers(self, column: str, where: str | None, *, squares: bool) -> Numbers:
        def make() -> Numbers:
            return Numbers(column, self.columns.type_of(column), self.where(where), squares=squares)

        return self.shared(("numbers", column, where, squares), make)

    def pairs(self, left: str, right: str, where: str | None) -> Pairs:
        return self.shared(("pairs", left, right, where), lambda: Pairs(self.columns, left, right, self.where(where)))

    def missing(self, names: tuple[str, ...], where: str | None) -> "MissingKeys":
        return self.shared(("missing", names, where), lambda: MissingKeys(names, self.where(where)))

    def keys(self, names: tuple[str, ...], where: str | None) -> Keys:
        return self.shared(("keys", names, where), lambda: Keys(self.data, names, self.where(where)))

    def lengths(self, column: str, where: str | None) -> Extremes:
        def make() -> Extremes:
            return Extremes(column, self.where(where), lambda batch: batch.lengths(column))

        return self.shared(("lengths", column, where), make)

    def extremes(self, column: str, where: str | None) -> Extremes:
        def make() -> Extremes:
            return Extremes(column, self.where(where), lambda batch: batch.numbers(column))

        return self.shared(("extremes", column, where), make)


def _kind_words(kind: pa.DataType) -> str:
    words = {"text": "text", "time": "dates or times", "boolean": "true and false"}
    return words.get(kind_of(kind), str(kind))
