"""Purchases of a day from where the shop keeps them into the lake, as a stream."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from movie_platform.deliveries import Manifest, ManifestFile, Overtaken, manifests, receipts, until_undisturbed
from movie_platform.errors import InputRefused, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior.archive import PURCHASES
from movie_platform.pipelines.user_behavior.purchase_sources import PurchaseSource
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE

if TYPE_CHECKING:
    pass

CODE_VERSION = "1"
"""Changes when the same purchases would give another object."""

QUANTITY = pa.decimal128(10, 0)
"""A quantity as a factor of a price, exactly."""

ATTEMPTS = 4
RETRY = 30.0
"""Seconds after its first attempt until which a reading is tried again: what took longer to fail fails again."""
FIRST_PAUSE = 2.0


@dataclass
class Extract:
    """What was staged, and what is special about it."""

    key: str
    etag: str = ""
    sha256: str = ""
    rows: int = 0
    bytes: int = 0
    without_customer: int = 0
    without_date: int = 0
    """Purchases in the source that belong to no day; none where all are staged."""
    cancellations: int = 0
    amount: Decimal = Decimal("0.000")
    cancelled_amount: Decimal = Decimal("0.000")
    attempts: int = 1
    setbacks: list[str] = field(default_factory=list)
    """Why earlier attempts did not end well."""


def stage_prefix(day: date) -> str:
    return f"stage/user_purchase/{day:%Y-%m-%d}/"


def stage_key(day: date) -> str:
    return f"{stage_prefix(day)}user_purchase.parquet"


def extract(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool = False,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], object] = time.sleep,
) -> Extract:
    """Stage the day's purchases, or with `full` all of them, under the day.

    The object appears when the last row is in it, and an attempt that the world cut short leaves nothing, so that the
    next one starts over and nothing is doubled. After the last attempt the `WorldUnavailable` is the caller's. Of two
    runs at once the one that reads the database last stays: the other one reads it again.
    """
    return until_undisturbed(
        lambda: _extract_and_archive(source, lake, day, full=full, attempts=attempts, pause=pause),
        f"the purchases of {day}",
    )


def _extract_and_archive(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool,
    attempts: int,
    pause: Callable[[float], object],
) -> Extract:
    before = manifests.latest(lake, PURCHASES, day.isoformat())
    try:
        staged = _extract(source, lake, day, full=full, attempts=attempts, pause=pause)
    except InputRefused as refused:
        receipts.refuse(lake, PURCHASES, day.isoformat(), receipts.NOTHING_DELIVERED, refused)
        raise
    file = ManifestFile("", staged.sha256, staged.bytes, staged.etag, staged.rows)
    if before and {found.sha256 for found in before.files.values()} == {staged.sha256}:
        manifest = replace(before, files={staged.key: file}, columns=source.columns)
        manifests.rewrite(lake, manifest)  # the same purchases, staged again
    else:
        manifest = manifests.publish(
            lake, PURCHASES, day.isoformat(), {staged.key: file}, after=before, columns=source.columns
        )
    manifests.must_be_newest(lake, manifest)
    must_be_staged(lake, manifest)
    receipts.accept(lake, PURCHASES, day.isoformat())
    return staged


def must_be_staged(lake: ObjectStore, manifest: Manifest) -> None:
    """`Overtaken` where another run's purchases are staged than those of the manifest."""
    for key, file in manifest.files.items():
        found = lake.info(key)
        if found is None or found.etag != file.archived:
            raise Overtaken(f"another run staged the purchases of {manifest.partition}")


def _extract(
    source: PurchaseSource,
    lake: ObjectStore,
    day: date,
    *,
    full: bool,
    attempts: int,
    pause: Callable[[float], object],
) -> Extract:
    setbacks: list[str] = []
    until = time.monotonic() + RETRY
    while True:
        try:
            staged = _extract_once(source, lake, stage_key(day), None if full else day)
        except WorldUnavailable as error:
            setbacks.append(str(error))
            if len(setbacks) >= attempts or time.monotonic() >= until:
                raise WorldUnavailable(f"{error} ({len(setbacks)} attempts were made)") from error
            pause(FIRST_PAUSE * 2 ** (len(setbacks) - 1))
        else:
            staged.attempts, staged.setbacks = len(setbacks) + 1, setbacks
            return staged


def _extract_once(source: PurchaseSource, lake: ObjectStore, key: str, day: date | None) -> Extract:
    staged = Extract(key)
    with tempfile.TemporaryDirectory(prefix="movie-platform-purchases-") as folder:
        path = Path(folder) / "user_purchase.parquet"
        with pq.ParquetWriter(path, USER_PURCHASE.arrow_schema, compression="zstd") as parquet:
            for batch in source.batches(day):
                parquet.write_batch(batch)
                _add(staged, batch)
        if day is not None:
            staged.without_date = source.without_date()
        staged.bytes = path.stat().st_size
        with path.open("rb") as written:
            staged.sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        staged.etag = lake.upload(key, path)
    return staged


def _add(staged: Extract, batch: pa.RecordBatch) -> None:
    amounts = pc.multiply(pc.cast(batch["quantity"], QUANTITY), batch["unit_price"])
    cancelled = pc.fill_null(pc.starts_with(batch["invoice_number"], "C"), False)
    staged.rows += batch.num_rows
    staged.without_customer += batch["customer_id"].null_count
    staged.cancellations += pc.sum(cancelled).as_py() or 0
    staged.amount += pc.sum(amounts).as_py() or 0
    staged.cancelled_amount += pc.sum(amounts.filter(cancelled)).as_py() or 0
