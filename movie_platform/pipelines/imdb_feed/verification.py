"""The rules that a triplet must satisfy before anything of it is archived."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from movie_platform.errors import InputRefused
from movie_platform.pipelines.imdb_feed import csv_files
from movie_platform.pipelines.imdb_feed.tables import TRIPLET, DeliveredFile

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


@dataclass(frozen=True)
class Triplet:
    """A verified delivery: per type the records as text, columns in the order of the file's description."""

    window: str
    records: Mapping[str, pa.Table]
    with_bom: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """Every rule's outcome, and the triplet where all hold."""

    window: str
    outcomes: tuple[RuleOutcome, ...]
    triplet: Triplet | None

    @property
    def reason(self) -> str:
        """Why the window is refused: file, record and rule of each fault; empty where it is not."""
        return "; ".join(f"{outcome.rule}: {outcome.reason}" for outcome in self.outcomes if not outcome.passed)

    @property
    def broken_rules(self) -> tuple[str, ...]:
        return tuple(outcome.rule for outcome in self.outcomes if not outcome.passed)


def file_name(window: str, kind: DeliveredFile) -> str:
    return f"{window}_type_{kind.type}.csv"


def verify(window: str, files: Mapping[str, bytes]) -> Verification:
    """Judge the files of a window's folder, by name. A fault in one file does not hide a fault in another."""
    faults: dict[str, list[str]] = {rule: [] for rule in RULES}
    expected = {file_name(window, kind): kind for kind in TRIPLET}
    faults["three_files"] += [f"{name} is missing" for name in expected if name not in files]
    faults["three_files"] += [_unexpected(window, name) for name in sorted(files) if name not in expected]
    records: dict[str, pa.Table] = {}
    with_bom: list[str] = []
    for name, kind in expected.items():
        if name not in files:
            continue
        try:
            parsed = _judge(files[name], kind)
        except _Faults as found:
            for rule, reason in found.faults:
                faults[rule].append(f"{name} {reason}")
        else:
            records[kind.type] = parsed.records.select([parsed.header.index(c) for c in kind.columns]).rename_columns(
                list(kind.columns)
            )
            if parsed.has_bom:
                with_bom.append(name)
    outcomes = tuple(RuleOutcome(rule, tuple(reasons)) for rule, reasons in faults.items())
    good = all(outcome.passed for outcome in outcomes)
    return Verification(window, outcomes, Triplet(window, records, tuple(with_bom)) if good else None)


class _Faults(Exception):
    """What is wrong with one file, as rule and reason."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__(faults)
        self.faults = faults


def _judge(data: bytes, kind: DeliveredFile) -> csv_files.CsvFile:
    if not data.strip():
        raise _Faults(("has_rows", "is empty"))
    try:
        parsed = csv_files.parse(data)
    except InputRefused as refused:
        found = [(refused.rule, str(refused))]
        if refused.rule == "records" and (wrong := _header_fault(_header_or_none(data), kind)):
            found.append(("header", wrong))
        raise _Faults(*found) from None
    found = []
    if wrong := _header_fault(parsed.header, kind):
        found.append(("header", wrong))
    if parsed.records.num_rows == 0:
        found.append(("has_rows", "has a header and no data row"))
    if found:
        raise _Faults(*found)
    return parsed


def _header_or_none(data: bytes) -> tuple[str, ...] | None:
    try:
        return csv_files.header_of(csv_files.text_of(data))
    except InputRefused:  # its own rule reports it
        return None


def _header_fault(header: tuple[str, ...] | None, kind: DeliveredFile) -> str:
    if header is None:
        return ""
    missing = [column for column in kind.columns if column not in header]
    unknown = sorted({column for column in header if column not in kind.columns})
    twice = sorted({column for column in header if header.count(column) > 1})
    parts = [
        f"{label} {', '.join(map(repr, columns))}"
        for label, columns in (("lacks column", missing), ("has unknown column", unknown), ("names twice", twice))
        if columns
    ]
    return " and ".join(parts)


def _unexpected(window: str, name: str) -> str:
    prefix = name.split("_type_", 1)[0]
    if "_type_" in name and prefix != window:
        return f"{name} is of another window"
    return f"{name} does not belong there"
