"""What differs between the columns that a file or table has and those that its source expects, in plain sentences.

A refusal, `status`, the asset check and the report all say it by this.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

NAMED = 5
"""Columns of a kind of change that a refusal names."""
NEW_AT_MOST = 200
"""New columns that are looked at: a header can hold millions."""
NAMED_LENGTH = 60
LIKENESS = 0.7
"""How alike a name must be to that of a missing column to be taken for its new one, from 0 to 1."""

_VERBS = {"new": "has a new column", "gone": "has no column", "type": "has"}
_NUMBERS = ("integer of 32 bits", "integer", "number")
"""Each takes the values of those before it."""


@dataclass(frozen=True)
class ColumnChange:
    """A column that is not as expected."""

    change: Literal["new", "gone", "type"]
    column: str
    now: str = ""
    """Of a column that is gone, the new one that is perhaps the same; of one of another type, what it holds now."""
    expected: str = ""
    """Of a column of another type, what it should hold."""

    def __str__(self) -> str:
        return f"{_VERBS[self.change]} {self.about}"

    @property
    def about(self) -> str:
        """The sentence without its verb."""
        name = shown(self.column)
        if self.change == "type":
            return f"{name} as {self.now} where {self.expected} is expected"
        return f"{name} (perhaps renamed to {shown(self.now)})" if self.now else name


def changes_of(
    expected: Mapping[str, str],
    found: Mapping[str, str],
    *,
    fits: Callable[[str, str], bool] | None = None,
    ignores_case: bool = False,
) -> list[ColumnChange]:
    """The columns that are gone or of another type, and then the new ones; in which order they come is no change.

    A new column that is perhaps a missing one is named with that one alone.

    Both map a column's name to what it holds, which is not compared where either is empty. `fits` says whether what
    is expected takes what was found; by default it is about what `csv_files.kinds` finds in a file.
    """
    fold = str.casefold if ignores_case else str
    there = {fold(name): holds for name, holds in found.items()}
    known = {fold(name) for name in expected}
    new = list(islice((name for name in found if fold(name) not in known), NEW_AT_MOST))
    changes = []
    for name, holds in expected.items():
        if fold(name) not in there:
            changes.append(ColumnChange("gone", name, now=_likely(name, new)))
        elif holds and (now := there[fold(name)]) and not (fits or _fits)(holds, now):
            changes.append(ColumnChange("type", name, now=now, expected=holds))
    renamed = {change.now for change in changes if change.change == "gone"}
    return [*changes, *(ColumnChange("new", name) for name in new if name not in renamed)]


def summary_of(changes: Iterable[ColumnChange]) -> str:
    """The changes of one file for its refusal, and no more of them than a person reads."""
    by_kind: dict[str, list[ColumnChange]] = {}
    for change in changes:
        by_kind.setdefault(change.change, []).append(change)
    return ", and ".join(
        f"{_VERBS[kind]} {', '.join(of.about for of in alike[:NAMED])}" + (" and others" if len(alike) > NAMED else "")
        for kind, alike in by_kind.items()
    )


def shown(name: str) -> str:
    """A column's name in quotes, and no more of it than a person reads: a header can hold anything."""
    return repr(name if len(name) <= NAMED_LENGTH else name[:NAMED_LENGTH] + "...")


def _fits(expected: str, found: str) -> bool:
    wider = _NUMBERS[_NUMBERS.index(found) :] if found in _NUMBERS else (found,)
    return expected == "text" or expected in wider


def _likely(gone: str, new: Sequence[str]) -> str:
    """The new column whose name is most like that of the missing one; empty where none is."""
    plain = {_plain(name): name for name in reversed(new)}
    found = difflib.get_close_matches(_plain(gone), plain, n=1, cutoff=LIKENESS)
    return plain[found[0]] if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
