"""A day's review files -> classified reviews, and an account of every record that is not among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from movie_platform.engine import RAW, REASON, REASON_COLUMN, RECORD_NUMBER, CsvFile, Engine, RecordColumn
from movie_platform.pipelines.user_behavior.classifiers import label, points, second_opinion
from movie_platform.pipelines.user_behavior.sentiment.model import POINTS, POSITIVE
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, REJECT

if TYPE_CHECKING:
    import ibis.expr.types as ir

CODE_VERSION = "2"
"""Changes when the same files would give other rows."""

COLUMNS = (RecordColumn("cid", "integer", required=True), RecordColumn("review_str"))

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class ReviewAccount:
    """Where the records of a day's files went, and what the classifiers say of the usable ones."""

    records: int
    classified: int
    positive: int
    positive_by_second_opinion: int
    agreed: int
    rejected: dict[str, int] = field(default_factory=dict)
    """Records left out, by reason."""

    @property
    def conserved(self) -> bool:
        return self.records == self.classified + sum(self.rejected.values())

    @property
    def share_positive(self) -> float | None:
        return self.positive / self.classified if self.classified else None

    @property
    def agreement(self) -> float | None:
        """The share of reviews on which both classifiers say the same."""
        return self.agreed / self.classified if self.classified else None


def raw_prefix(day: date) -> str:
    return f"raw/movie_review/{day:%Y-%m-%d}/"


def stage_prefix(day: date) -> str:
    return f"stage/movie_review/{day:%Y-%m-%d}/"


def rejects_key(day: date) -> str:
    return f"rejects/user_behavior/{day:%Y-%m-%d}.parquet"


def read(engine: Engine, files: Sequence[CsvFile]) -> "ir.Table":
    """All records of the files, staged: usable ones with cid and review_str, the others with a reason.

    A file without the two columns is an `InputRefused` before anything is read.
    """
    import ibis

    parts = [
        engine.records(f"reviews_{number}", file, COLUMNS).table.mutate(source=ibis.literal(file.name))
        for number, file in enumerate(files)
    ]
    records = parts[0] if len(parts) == 1 else ibis.union(*parts)
    too_large = records[REASON].isnull() & ~records.cid.between(_SMALLEST, _LARGEST)
    return engine.stage(
        "movie_review_records",
        records.mutate(
            reason=ibis.cases((too_large, "a number that is no customer's"), else_=records[REASON]),
            reason_column=ibis.cases((too_large, "cid"), else_=records[REASON_COLUMN]),
            raw=ibis.cases((too_large, records.cid.cast("string")), else_=records[RAW]),
        ),
    ).table


def classified(engine: Engine, records: "ir.Table", name: str) -> "ir.Table":
    """The usable reviews as the named classifier sees them, beside a second opinion, computed once."""
    import ibis

    usable = records.filter(records[REASON].isnull())
    judged = engine.stage(
        "movie_review_points",
        usable.select(
            "source",
            record_number=usable[RECORD_NUMBER],
            cid=usable.cid.cast("int32"),
            points=engine.numbers(partial(points, name), usable.review_str),
            second_points=engine.numbers(partial(points, second_opinion(name)), usable.review_str),
        ),
    ).table
    return judged.mutate(
        positive_review=judged.points >= POSITIVE,
        second_opinion=judged.second_points >= POSITIVE,
        score=judged.points.cast("float64") / float(POINTS),
        classifier=ibis.literal(label(name)),
    )


def in_order(rows: "ir.Table") -> "ir.Table":
    """The rows of `classified` in the order of their files, so that the same reviews give the same object."""
    return rows.select(*MOVIE_REVIEW.column_names).order_by("source", "record_number")


def rejects(records: "ir.Table") -> "ir.Table":
    """The records that cannot be classified, as rows of `REJECT`."""
    import ibis

    broken = records.filter(records[REASON].notnull())
    column = broken[REASON_COLUMN]
    return broken.select(
        source=broken.source,
        record=broken[RECORD_NUMBER],
        rule=ibis.cases((column.isnull(), "readable_record"), else_=column.concat("_readable")),
        reason=ibis.cases((column.isnull(), broken[REASON]), else_=column.concat(": ", broken[REASON])),
        raw=broken[RAW],
    ).order_by("source", "record")[list(REJECT.column_names)]


def account(engine: Engine, records: "ir.Table", rows: "ir.Table", left_out: "ir.Table") -> ReviewAccount:
    """Counted from what was read, what is served and what was left out, each by itself."""
    agreed = rows.positive_review == rows.second_opinion
    counts = engine.to_arrow(
        rows.aggregate(
            classified=rows.count(),
            positive=rows.positive_review.cast("int64").sum(),
            other=rows.second_opinion.cast("int64").sum(),
            agreed=agreed.cast("int64").sum(),
        )
    ).to_pylist()[0]
    reasons = engine.to_arrow(left_out.group_by("reason").aggregate(n=left_out.count()).order_by("reason"))
    return ReviewAccount(
        records=engine.to_arrow(records.aggregate(n=records.count()))["n"][0].as_py(),
        classified=counts["classified"],
        positive=counts["positive"] or 0,
        positive_by_second_opinion=counts["other"] or 0,
        agreed=counts["agreed"] or 0,
        rejected={row["reason"]: row["n"] for row in reasons.to_pylist()},
    )
