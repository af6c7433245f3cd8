"""Which row breaks which rule, one bit per row and rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from movie_platform.quality.batches import Mask

RULES_PASS = "DataQualityRulesPass"  # noqa: S105
RULES_FAIL = "DataQualityRulesFail"
RULES_SKIP = "DataQualityRulesSkip"
RESULT = "DataQualityEvaluationResult"
RESULT_COLUMNS = (RULES_PASS, RULES_FAIL, RULES_SKIP, RESULT)


class PackedBits:
    """A growing row of booleans, eight to a byte."""

    def __init__(self) -> None:
        self._full: list[np.ndarray] = []
        self._rest = np.zeros(0, dtype=bool)
        self._length = 0

    @classmethod
    def of(cls, mask: "Mask") -> "PackedBits":
        """The bits of one mask."""
        bits = cls()
        bits.append(mask)
        return bits

    def append(self, mask: "Mask") -> None:
        """Adds the booleans of the next rows."""
        self._length += len(mask)
        if len(self._rest):
            mask = np.concatenate([self._rest, mask])
        whole = len(mask) - len(mask) % 8
        self._full.append(np.packbits(mask[:whole]))
        self._rest = mask[whole:].copy()

    def packed(self) -> np.ndarray:
        """All bytes; the bits after the last row are zero."""
        if len(self._full) > 1 or len(self._rest):
            rest = [np.packbits(self._rest)] if len(self._rest) else []
            whole = np.concatenate([*self._full, *rest])
            if len(self._rest):
                return whole
            self._full = [whole]
        return self._full[0] if self._full else np.zeros(0, dtype=np.uint8)

    def bits(self) -> "Mask":
        """The booleans."""
        return unpack(self.packed(), 0, len(self))

    def __len__(self) -> int:
        return self._length


def unpack(packed: np.ndarray, start: int, stop: int) -> "Mask":
    """The booleans of the rows from start to stop."""
    first = start // 8
    bits = np.unpackbits(packed[first : -(-stop // 8)])
    return bits[start - first * 8 : stop - first * 8].astype(bool)


@dataclass(frozen=True)
class RowMarks:
    """For one rule: the rows that break it, and those it does not judge (None: it judges all)."""

    fails: np.ndarray
    skips: np.ndarray | None = None

    def joined_by_and(self, other: "RowMarks") -> "RowMarks":
        """A row breaks both together when it breaks one; it is skipped when both skip it."""
        return RowMarks(self.fails | other.fails, _both(self.skips, other.skips))

    def joined_by_or(self, other: "RowMarks") -> "RowMarks":
        """A row breaks either when it breaks one and the other does not pass it."""
        none = np.zeros_like(self.fails)
        mine = self.skips if self.skips is not None else none
        theirs = other.skips if other.skips is not None else none
        fails = (self.fails & (other.fails | theirs)) | (other.fails & (self.fails | mine))
        return RowMarks(fails, _both(self.skips, other.skips))


def _both(left: np.ndarray | None, right: np.ndarray | None) -> np.ndarray | None:
    return left & right if left is not None and right is not None else None


class RowResults:
    """The result of every rule on every row; rules without row results are skipped by every row."""

    def __init__(self, rules: Sequence[str], marks: Sequence[RowMarks | None], bad: np.ndarray, rows: int) -> None:
        self.rules = tuple(rules)
        self.marks = tuple(marks)
        self.bad = bad
        """Packed: the rows that are set aside."""
        self.rows = rows

    @property
    def bad_rows(self) -> int:
        """How many rows are set aside."""
        return int(np.unpackbits(self.bad, count=self.rows).sum()) if self.rows else 0

    def bad_mask(self) -> "Mask":
        """One boolean per row: is it set aside."""
        return np.unpackbits(self.bad, count=self.rows).astype(bool)

    def failing(self, rule: int) -> "Mask":
        """One boolean per row: does it break the rule at this place."""
        marks = self.marks[rule]
        if marks is None:
            return np.zeros(self.rows, dtype=bool)
        return np.unpackbits(marks.fails, count=self.rows).astype(bool)

    def slice(self, start: int, stop: int) -> "RowResults":
        """The results of the rows from start to stop."""

        def cut(packed: np.ndarray) -> np.ndarray:
            return np.packbits(unpack(packed, start, stop))

        marks = [
            mark and RowMarks(cut(mark.fails), cut(mark.skips) if mark.skips is not None else None)
            for mark in self.marks
        ]
        return RowResults(self.rules, marks, cut(self.bad), stop - start)

    def columns(self, start: int, stop: int, chosen: "Mask") -> list[pa.Array]:
        """The four result columns for the chosen rows between start and stop."""
        places = np.flatnonzero(chosen)
        failed = np.zeros((len(places), len(self.rules)), dtype=bool)
        skipped = np.zeros_like(failed)
        for rule, marks in enumerate(self.marks):
            if marks is None:
                skipped[:, rule] = True
                continue
            failed[:, rule] = unpack(marks.fails, start, stop)[places]
            if marks.skips is not None:
                skipped[:, rule] = unpack(marks.skips, start, stop)[places]
        bad = unpack(self.bad, start, stop)[places]
        names = pa.array(self.rules, pa.string())
        verdicts = pa.DictionaryArray.from_arrays(pa.array(bad.astype(np.int8)), pa.array(["Passed", "Failed"]))
        lists = [_lists(mask, names) for mask in (~failed & ~skipped, failed, skipped)]
        return [*lists, verdicts.dictionary_decode()]


def _lists(mask: "Mask", names: pa.Array) -> pa.Array:
    """A list of names per row of the matrix; the text of a name is held once."""
    offsets = np.zeros(len(mask) + 1, dtype=np.int32)
    np.cumsum(mask.sum(axis=1), out=offsets[1:])
    rules = np.nonzero(mask)[1].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.DictionaryArray.from_arrays(pa.array(rules), names))


def result_fields() -> list[pa.Field]:
    """The four result columns' fields."""
    names = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    return [*(pa.field(name, names) for name in RESULT_COLUMNS[:3]), pa.field(RESULT, pa.string())]
