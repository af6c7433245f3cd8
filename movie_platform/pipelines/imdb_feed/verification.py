"""The rules that a triplet must satisfy before anything of it is archived."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, TypeVar

import pyarrow as pa

from movie_platform.column_changes import changes_of, summary_of
from movie_platform.csv_files.kinds import COLUMNS
from movie_platform.csv_files.strict import Open, Shape, header_of, read_text, shape_of
from movie_platform.errors import InputRefused
from movie_platform.pipelines.imdb_feed.tables import TRIPLET, DeliveredFile
from movie_platform.pipelines.imdb_feed.windows import is_window

_File = TypeVar("_File")
_Read = TypeVar("_Read")
_Shape = TypeVar("_Shape", bound=Shape)

RULES = {
    "three_files": "The window's folder holds exactly the files of type A, B and C, named after the folder's window.",
    "has_rows": "Each of the three files has at least one data row.",
    "utf8": "Each file is UTF-8 text from its first byte to its last.",
    "header": "Each header names exactly the columns of its type, each once, in any order.",
    "records": "Every record of each file can be parsed and has as many fields as the header.",
}
"""Name and meaning of each rule, in the order in which they are judged."""


@dataclass(frozen=True)
class RuleOutcome:
    """How a triplet fared under one rule; `reason` is empty where it passed."""

    rule: str
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


REMEMBERED_BYTES = 4 * 1024 * 1024
"""The client sends the same people table with every delivery: what a smaller file holds is remembered by its bytes."""
_REMEMBERED_FILES = 6
_NAMED = 5
_NAMED_LENGTH = 60


@dataclass(frozen=True, eq=False)
class Records:
    """A verified file: its records as text, columns in the order of the file's description.

    The same object stands for the same bytes as long as they are remembered.
    """

    kind: DeliveredFile
    table: pa.Table
    sha256: str
    has_bom: bool
    is_remembered: bool


@dataclass(frozen=True)
class Triplet:
    """A verified delivery: the records of each file, by its type."""

    window: str
    records: Mapping[str, Records]

    @property
    def with_bom(self) -> tuple[str, ...]:
        return tuple(file_name(self.window, of.kind) for of in self.records.values() if of.has_bom)


@dataclass(frozen=True)
class Verification:
    """Every rule's outcome, and the triplet where all hold."""

    window: str
    outcomes: tuple[RuleOutcome, ...]
    triplet: Triplet | None
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By type the header of each file whose columns are not its type's; what they hold is not looked at."""

    @property
    def reason(self) -> str:
        """Why the window is refused: file, record and rule of each fault; empty where it is not."""
        return "; ".join(f"{outcome.rule}: {outcome.reason}" for outcome in self.outcomes if not outcome.passed)

    @property
    def broken_rules(self) -> dict[str, tuple[str, ...]]:
        """The faults by the rule that they break."""
        return {outcome.rule: outcome.reasons for outcome in self.outcomes if not outcome.passed}


def file_name(window: str, kind: DeliveredFile) -> str:
    return f"{window}_type_{kind.type}.csv"


def verify(window: str, files: Mapping[str, bytes]) -> Verification:
    """Judge the files of a window's folder, by name. A fault in one file does not hide a fault in another."""
    found = _judged_files(window, files, _read)
    good = all(outcome.passed for outcome in found.outcomes)
    return Verification(window, found.outcomes, Triplet(window, found.read) if good else None, found.columns)


def examine(window: str, files: Mapping[str, Open]) -> Verification:
    """The same outcomes for files of any size, of which no more is in memory than a record; without the triplet."""
    found = _judged_files(window, files, _examine)
    return Verification(window, found.outcomes, None, found.columns)


@dataclass(frozen=True)
class _Judged(Generic[_Read]):
    """What was found about a window's files, and what was read of the good ones, by type."""

    outcomes: tuple[RuleOutcome, ...]
    read: dict[str, _Read]
    columns: dict[str, dict[str, str]]


def _judged_files(
    window: str, files: Mapping[str, _File], read: Callable[[_File, DeliveredFile], _Read]
) -> _Judged[_Read]:
    faults: dict[str, list[str]] = {rule: [] for rule in RULES}
    expected = {file_name(window, kind): kind for kind in TRIPLET}
    faults["three_files"] += [f"{name} is missing" for name in expected if name not in files]
    if unexpected := sorted(files.keys() - expected.keys()):
        faults["three_files"].append(_unexpected(window, unexpected))
    records: dict[str, _Read] = {}
    columns: dict[str, dict[str, str]] = {}
    for name, kind in expected.items():
        if name not in files:
            continue
        try:
            records[kind.type] = read(files[name], kind)
        except _Faults as found:
            for rule, reason in found.faults:
                faults[rule].append(f"{name} {reason}")
            if found.columns:
                columns[f"type_{kind.type}"] = dict.fromkeys(found.columns, "")
    outcomes = tuple(RuleOutcome(rule, tuple(reasons)) for rule, reasons in faults.items())
    return _Judged(outcomes, records, columns)


class _Faults(Exception):
    """What is wrong with one file, as rule and reason."""

    def __init__(self, *faults: tuple[str, str], header: tuple[str, ...] | None = None) -> None:
        super().__init__(faults)
        self.faults = faults
        self.columns = header[:COLUMNS] if header and any(rule == "header" for rule, _ in faults) else ()
        """Its header, where that is what is wrong."""


def _read(data: bytes, kind: DeliveredFile) -> Records:
    return _read_once(data, kind) if len(data) <= REMEMBERED_BYTES else _judge(data, kind)


def _examine(open_file: Open, kind: DeliveredFile) -> Shape:
    return _sound(open_file, kind, lambda: shape_of(open_file))


def _sound(open_file: Open, kind: DeliveredFile, read: Callable[[], _Shape]) -> _Shape:
    with open_file() as file:
        if not file.read(1024).strip() and not any(map(bytes.strip, iter(lambda: file.read(1024 * 1024), b""))):
            raise _Faults(("has_rows", "is empty"))
    try:
        parsed = read()
    except InputRefused as refused:
        found = [(refused.rule, str(refused))]
        header = _header_or_none(open_file) if refused.rule == "records" else None
        if wrong := _header_fault(header, kind):
            found.append(("header", wrong))
        raise _Faults(*found, header=header) from None
    found = []
    if wrong := _header_fault(parsed.header, kind):
        found.append(("header", wrong))
    if parsed.rows == 0:
        found.append(("has_rows", "has a header and no data row"))
    if found:
        raise _Faults(*found, header=parsed.header)
    return parsed


def _judge(data: bytes, kind: DeliveredFile) -> Records:
    parsed = _sound(lambda: io.BytesIO(data), kind, lambda: read_text(data))
    columns = [parsed.records.column(parsed.header.index(name)) for name in kind.columns]
    table = pa.table(columns, names=list(kind.columns))
    return Records(
        kind,
        table,
        sha256=hashlib.sha256(data).hexdigest(),
        has_bom=parsed.has_bom,
        is_remembered=len(data) <= REMEMBERED_BYTES,
    )


_read_once = lru_cache(maxsize=_REMEMBERED_FILES)(_judge)


def _header_or_none(open_file: Open) -> tuple[str, ...] | None:
    try:
        return header_of(open_file)
    except InputRefused:  # its own rule reports it
        return None


def _header_fault(header: tuple[str, ...] | None, kind: DeliveredFile) -> str:
    if header is None:
        return ""
    changed = summary_of(changes_of(dict.fromkeys(kind.columns, ""), dict.fromkeys(header, "")))
    twice = sorted(column for column, times in Counter(header).items() if times > 1)
    return ", and ".join(filter(None, [changed, f"names twice {_named(twice)}" if twice else ""]))


def _unexpected(window: str, names: list[str]) -> str:
    of_others = [name for name in names if is_window(of := name.partition("_type_")[0]) and of != window]
    unknown = [name for name in names if name not in of_others]
    parts = [
        f"{_named(found)} {reason}"
        for found, reason in ((of_others, "is of another window"), (unknown, "does not belong there"))
        if found
    ]
    return " and ".join(parts)


def _named(names: Iterable[str]) -> str:
    """The names, and no more of them than a person reads: a delivery can hold anything."""
    names = list(names)
    shown = [repr(name if len(name) <= _NAMED_LENGTH else name[:_NAMED_LENGTH] + "...") for name in names[:_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
