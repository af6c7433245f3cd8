"""A day's files -> rows that are served and rows that are not, without Dagster and without a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from examples.box_office.tables import BAD, BOX_OFFICE
from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.csv_files.records import read_records
from movie_platform.errors import InputRefused
from movie_platform.quality import Evaluation, Ruleset, evaluate

COLUMNS = (
    RecordColumn("date", required=True),
    RecordColumn("imdb_id", required=True),
    RecordColumn("gross", "integer", required=True),
    RecordColumn("theaters", "integer", required=True),
)


@dataclass(frozen=True)
class Judged:
    """Every record is in `good`, or in `bad` with its reason."""

    good: pa.Table
    bad: pa.Table
    evaluation: Evaluation


def judge(day: str, files: Sequence[tuple[str, Path]], rules: Ruleset) -> Judged:
    """Refused, as `InputRefused`, is a day that lacks a column, breaks a rule that blocks, or has no row to serve."""
    records = pa.concat_tables(_read(name, path) for name, path in files)
    of_another_day = pc.fill_null(pc.not_equal(records["date"], day), False)
    reasons = pc.if_else(of_another_day, f"it is not of {day}", records["reason"])
    sound = records.filter(pc.is_null(reasons))
    evaluation = evaluate(sound.select([column.name for column in COLUMNS]), rules)
    breaks = pa.array(evaluation.rows.bad_mask())
    good = sound.filter(pc.invert(breaks)).select(BOX_OFFICE.column_names).cast(BOX_OFFICE.arrow_schema)
    if evaluation.blocking or not good.num_rows:
        why = "; ".join(outcome.rule.claim for outcome in evaluation.blocking) or "no row can be served"
        raise InputRefused(f"{day} is blocked: {why}", rule="blocked")
    broken = records.append_column("why", reasons).filter(pc.is_valid(reasons))
    bad = sound.append_column("why", pa.repeat("it breaks a rule", sound.num_rows)).filter(breaks)
    left_out = pa.concat_tables([broken, bad]).select(["source", "record_number", "why", "raw"])
    return Judged(good, left_out.rename_columns(BAD.column_names).cast(BAD.arrow_schema), evaluation)


def _read(name: str, path: Path) -> pa.Table:
    records = read_records(CsvFile(name, partial(path.open, "rb")), COLUMNS).read_all()
    return records.append_column("source", pa.repeat(name, records.num_rows))
