"""Each record of a judged day to its place: good, bad with the reasons, or withheld by a block."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.pipelines.quality_movies.records import Records, RowCaster
from movie_platform.quality.row_results import RESULT_COLUMNS

if TYPE_CHECKING:
    from movie_platform.quality import Evaluation

SOURCE, RECORD, RAW = "source", "record", "raw"
NOT_A_ROW = "The record is readable"
"""What a broken record breaks, beside the rules."""
WITHHELD = "The delivery is not blocked"

_BATCH = 10_000


@dataclass(frozen=True)
class Split:
    """Where the records went, counted while they were written; `digest` is that of which rows are good."""

    good: int
    bad: int
    withheld: int
    misfits: int
    broken: int
    released: int
    digest: str


@dataclass(frozen=True)
class SplitFiles:
    """The files that a split writes."""

    good: Path
    bad: Path
    withheld: Path

    @classmethod
    def below(cls, folder: Path) -> "SplitFiles":
        return cls(folder / "good.parquet", folder / "bad.parquet", folder / "withheld.parquet")


def split(
    records: Records,
    evaluation: "Evaluation",
    caster: RowCaster,
    files: SplitFiles,
    *,
    blocked: str = "",
    was_bad: Collection[tuple[str, int]] | None = None,
    metadata: dict[bytes, bytes] | None = None,
) -> Split:
    """Write every record to exactly one file, in batches. `blocked` says why nothing may be loaded.

    In a replay `was_bad` holds the rows that were bad before: only those can change sides, and only for the better.
    """
    is_bad = evaluation.rows.bad_mask()
    released = 0
    if was_bad is not None:
        before = _mask_of(records, was_bad)
        is_bad &= before
    counts = {"good": 0, "bad": 0, "withheld": 0, "misfits": 0}
    mask_digest = hashlib.sha256()
    schema = _left_out_schema(records.text.schema)
    with (
        pq.ParquetWriter(files.good, caster.table.arrow_schema.with_metadata(metadata), compression="zstd") as good,
        pq.ParquetWriter(files.bad, schema.with_metadata(metadata), compression="zstd") as bad,
        pq.ParquetWriter(files.withheld, schema.with_metadata(metadata), compression="zstd") as withheld,
    ):
        start = 0
        for text in _of_at_most(records.text.batches()):
            stop = start + text.num_rows
            fitted, mismatches = caster.cast(text)
            left_out = is_bad[start:stop].copy()
            for row in mismatches:
                left_out[row] = True
            counts["misfits"] += len(mismatches)
            mask_digest.update(np.packbits(left_out).tobytes())
            if was_bad is not None:
                released += int(np.count_nonzero(before[start:stop] & ~left_out))
            places = slice(start, stop)
            if left_out.any():
                bad.write_batch(_left_out(records, text, places, left_out, evaluation, mismatches, schema))
            if not left_out.all():
                kept = ~left_out
                if blocked:
                    reasons = {int(row): [f"{WITHHELD}: {blocked}"] for row in np.flatnonzero(kept)}
                    withheld.write_batch(_left_out(records, text, places, kept, evaluation, reasons, schema))
                else:
                    good.write_batch(fitted.filter(pa.array(kept)))
            counts["bad"] += int(np.count_nonzero(left_out))
            counts["withheld" if blocked else "good"] += int(np.count_nonzero(~left_out))
            start = stop
        for part in _broken(records.broken, schema):
            bad.write_batch(part)
            counts["bad"] += part.num_rows
    return Split(**counts, broken=len(records.broken), released=released, digest=mask_digest.hexdigest())


def _mask_of(records: Records, rows: Collection[tuple[str, int]]) -> np.ndarray:
    """One boolean per sound record: is it one of these rows."""
    found = (
        (records.sources[source], int(number)) in rows
        for source, number in zip(records.source_of, records.number_of, strict=True)
    )
    return np.fromiter(found, dtype=bool, count=records.sound)


def write_json_lines(parquet: Path, target: Path) -> None:
    """The rows of a Parquet file as one JSON object a line, values as text and never as markup."""
    import duckdb

    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
        path = str(target).replace("'", "''")
        connection.execute(f"COPY (FROM read_parquet(?)) TO '{path}' (FORMAT json)", [str(parquet)])


def rows_left_out(parquet: bytes) -> set[tuple[str, int]]:
    """Source and record number of each row of a file of bad rows."""
    table = pq.read_table(pa.BufferReader(parquet), columns=[SOURCE, RECORD])
    return set(zip(table[SOURCE].to_pylist(), table[RECORD].to_pylist(), strict=True))


def _of_at_most(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH):
            yield batch.slice(start, _BATCH)


_RULES = pa.list_(pa.dictionary(pa.int32(), pa.string()))


def _left_out_schema(delivered: pa.Schema) -> pa.Schema:
    """Where a row comes from, its columns as they were delivered under the table's spelling, and how it was judged."""
    taken = {SOURCE, RECORD, RAW, *(name.casefold() for name in RESULT_COLUMNS)}
    fields = [pa.field(SOURCE, pa.string(), nullable=False), pa.field(RECORD, pa.int64(), nullable=False)]
    for name in delivered.names:
        free = name.casefold() or "unnamed"
        while free in taken:
            free += "_"
        taken.add(free)
        fields.append(pa.field(free, pa.string()))
    fields.append(pa.field(RAW, pa.string()))
    fields += [pa.field(name, _RULES) for name in RESULT_COLUMNS[:3]]
    return pa.schema([*fields, pa.field(RESULT_COLUMNS[3], pa.string())])


def _left_out(
    records: Records,
    text: pa.RecordBatch,
    places: slice,
    chosen: np.ndarray,
    evaluation: "Evaluation",
    reasons: dict[int, list[str]],
    schema: pa.Schema,
) -> pa.RecordBatch:
    rows = np.flatnonzero(chosen)
    kept = text.filter(pa.array(chosen))
    sources = pa.DictionaryArray.from_arrays(pa.array(records.source_of[places][rows]), pa.array(records.sources))
    passed, failed, skipped, _ = evaluation.rows.columns(places.start, places.stop, chosen)
    if reasons:
        broken = [list(rules) for rules in failed.to_pylist()]
        for position, row in enumerate(rows):
            if int(row) in reasons:
                broken[position] += reasons[int(row)]
        failed = pa.array(broken, _RULES)
    arrays = [
        sources.dictionary_decode(),
        pa.array(records.number_of[places][rows]),
        *kept.columns,
        pa.nulls(len(rows), pa.string()),
        passed,
        failed,
        skipped,
        pa.array(["Failed"] * len(rows), pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _broken(broken: pa.Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    delivered = len(schema) - 7
    for part in _of_at_most(iter(broken.to_batches())):
        none = pa.array([[]] * part.num_rows, _RULES)
        reasons = part["reason"].dictionary_decode()
        named = pc.binary_join_element_wise(f"{NOT_A_ROW}: ", reasons, "").dictionary_encode()
        arrays = [
            part["source"].dictionary_decode(),
            part["record"],
            *(pa.nulls(part.num_rows, pa.string()) for _ in range(delivered)),
            part["raw"],
            none,
            pa.ListArray.from_arrays(pa.array(np.arange(part.num_rows + 1, dtype=np.int32)), named),
            none,
            pa.array(["Failed"] * part.num_rows),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
