"""What became of every record: the account of a build, and the error log made of it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

ERRORS = "errors.jsonl"
REJECTS_FOLDER = "rejects"
"""Where a build says what it left out, beside its tables."""
PLAUSIBLE_ABOVE = 1_000
"""US dollars: what the source says beyond is taken at its word, and 0 is how it writes an unknown amount."""


@dataclass(frozen=True)
class FileAccount:
    """Records of one file: each is out, merged with an earlier one, or rejected."""

    file: str
    records: int
    out: int
    merged: int
    rejected: int
    reasons: dict[str, int] = field(default_factory=dict)
    """Rejected records by reason."""
    bad_cells: dict[str, int] = field(default_factory=dict)
    """Cells that could not be read and became null, by column; their records are out."""
    conflicting: int = 0
    """Records that repeat an id with other values, and were kept."""

    @property
    def is_conserved(self) -> bool:
        return self.records == self.out + self.merged + self.rejected


@dataclass(frozen=True)
class Unknown:
    """A foreign key: of so many rows so many name a movie that movies_master does not have. They stay."""

    table: str
    rows: int
    unknown: int

    @property
    def share(self) -> float:
        return self.unknown / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Amount:
    """An amount of money that no movie can have cost or earned."""

    movie_id: int
    title: str | None
    column: str
    amount: int


@dataclass
class BuildReport:
    """Rows per table, the account of each file, and what was missing."""

    engine: str
    rows: dict[str, int] = field(default_factory=dict)
    files: list[FileAccount] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Files that the zip lacks, and the tables that were skipped for it."""
    trimmed: dict[str, dict[str, int]] = field(default_factory=dict)
    """Names in lists that had blanks around them, by file and column of the list."""
    implausible: int = 0
    """Budgets and revenues that are neither unknown nor plausible; the first of them are named."""
    implausible_amounts: list[Amount] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    """By file its columns in order, each with what it holds by `csv_files.kinds`."""
    seconds: float = 0.0

    @property
    def is_conserved(self) -> bool:
        return all(account.is_conserved for account in self.files)

    @property
    def rejected(self) -> int:
        return sum(account.rejected for account in self.files)

    def account(self, file: str) -> FileAccount | None:
        return next((account for account in self.files if account.file == file), None)

    def as_json(self) -> dict[str, Any]:
        """Without the columns, which the delivery's manifest has."""
        fields = {name: value for name, value in asdict(self).items() if name != "columns"}
        return {**fields, "conserved": self.is_conserved}


def error_lines(report: BuildReport, rejects: Iterable[dict[str, Any]]) -> str:
    """The error log: one JSON object a line for each file, scope, reason and column, with its count and an example,
    then for what is missing, repeated or unknown. `rejects` are rows `source, scope, reason, column, count, first`."""
    lines: list[dict[str, Any]] = [
        {
            "file": reject["source"],
            "what": "record rejected" if reject["scope"] == "row" else "cell set to null",
            "reason": reject["reason"],
            "column": reject["column"],
            "count": reject["count"],
            "first_record": reject["first"],
        }
        for reject in rejects
    ]
    lines += [
        {"file": file, "what": "file missing", "reason": "not in the zip", "skipped_tables": list(tables)}
        for file, tables in report.missing.items()
    ]
    lines += [
        {
            "file": account.file,
            "what": "id repeated with other values",
            "reason": "kept, all of them",
            "count": account.conflicting,
        }
        for account in report.files
        if account.conflicting
    ]
    lines += [
        {"file": file, "what": "names trimmed", "reason": "blanks around them", "column": column, "count": count}
        for file, columns in report.trimmed.items()
        for column, count in columns.items()
        if count
    ]
    lines += [
        {
            "table": "movies_master",
            "what": "amount implausible",
            "reason": f"at most {PLAUSIBLE_ABOVE:,} US dollars, and not 0; kept",
            **asdict(amount),
        }
        for amount in report.implausible_amounts
    ]
    lines += [
        {
            "table": unknown.table,
            "what": "movie unknown",
            "reason": "not in movies_master; kept",
            "count": unknown.unknown,
            "share": round(unknown.share, 6),
        }
        for unknown in report.unknown
        if unknown.unknown
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
