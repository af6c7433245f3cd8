"""Columns of the newest delivery that are not as its source expects them: since when, and what happens for it.

It is worked out from what the lake has anyway: the columns in manifests and in the notes of refused deliveries.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from movie_platform.column_changes import ColumnChange, changes_of
from movie_platform.deliveries import manifests, receipts
from movie_platform.deliveries.manifests import Columns
from movie_platform.lake import ObjectStore
from movie_platform.printable import printable

UNKNOWN_AT_MOST = 6
"""Windows or days that are passed over to find the newest of which the columns are known."""

Key = tuple[str, str, str]
"""A file, what changed, and a column."""


@dataclass(frozen=True)
class Expectation:
    """What the files of an archive are expected to hold, and what happens where they do not."""

    archive: str
    """The folder of its manifests."""
    files: Columns
    """The columns of each file; of a file without a name, where all files are alike."""
    if_new: str
    """What happens to the values of a column that is not expected."""
    if_unreadable: str
    """What happens to a value that is not what its column is expected to hold."""
    if_gone: str = "nothing of it is served, and what was served before stays"
    fits: Callable[[str, str], bool] | None = None
    """As in `changes_of`."""
    ignores_case: bool = False

    def outcome(self, change: ColumnChange) -> str:
        return {"new": self.if_new, "gone": self.if_gone, "type": self.if_unreadable}[change.change]

    def changes(self, columns: Columns) -> dict[Key, tuple[str, ColumnChange]]:
        """By file, change and column the name of the first file that has it, and the change."""
        found: dict[Key, tuple[str, ColumnChange]] = {}
        for file, has in columns.items():
            of = file if file in self.files else ""
            expected = self.files.get(of)
            if expected and has:
                for change in changes_of(expected, has, fits=self.fits, ignores_case=self.ignores_case):
                    found.setdefault((of, change.change, change.column), (file, change))
        return found


@dataclass(frozen=True)
class ChangedColumn:
    """A column of the newest delivery that is not as expected."""

    file: str
    change: ColumnChange
    since: str
    """The first window or day of those without a break that have it, as far as the lake knows."""
    outcome: str
    """What happens for it."""

    def __str__(self) -> str:
        return printable(f"{self.file} {self.change} since {self.since}: {self.outcome}")

    def as_json(self) -> dict[str, str]:
        return {
            "file": self.file,
            "change": self.change.change,
            "column": self.change.column,
            "now": self.change.now,
            "expected": self.change.expected,
            "since": self.since,
            "outcome": self.outcome,
            "text": str(self),
        }


@dataclass(frozen=True)
class DeliveredColumns:
    """The windows or days of an archive, in order, and how the columns of each are read."""

    partitions: Sequence[str]
    read: Callable[[str], Columns | None]
    """None where they cannot be known, since what was delivered is refused for something else; nothing where an earlier
    version did not record them."""


def changed_columns(expectation: Expectation, delivered: DeliveredColumns) -> list[ChangedColumn]:
    """How the columns of the newest delivery differ, as far as those of the last few are known.

    Since when is found by halving: of a thousand days the columns of ten are read, and where all is as expected those
    of one. A change that went and came back may be dated by its first coming.
    """
    read = cache(delivered.read)
    partitions = delivered.partitions
    newest = next((one for one in reversed(partitions[-UNKNOWN_AT_MOST:]) if read(one) is not None), "")
    if not newest:
        return []
    partitions = partitions[: partitions.index(newest) + 1]

    def has(key: Key, partition: str) -> bool:
        columns = read(partition)
        return columns is None or key in expectation.changes(columns)

    return [
        ChangedColumn(
            file.rpartition("/")[2],
            change,
            partitions[bisect_left(partitions, True, key=partial(has, key))],
            expectation.outcome(change),
        )
        for key, (file, change) in expectation.changes(read(newest) or {}).items()
    ]


def recorded_columns(lake: ObjectStore, archive: str) -> DeliveredColumns:
    """As manifests and the notes of refused deliveries have them."""
    known = receipts.standings(lake, archive)

    def read(partition: str) -> Columns | None:
        standing = known[partition]
        notes = receipts.refusals(lake, archive, of=partition) if standing.refused else []
        if refused := next((note.columns for note in notes if note.columns), None):
            return refused
        return manifests.read(lake, archive, partition, standing.archived).columns if standing.archived else None

    return DeliveredColumns([day for day, of in known.items() if of.archived or of.refused], read)
