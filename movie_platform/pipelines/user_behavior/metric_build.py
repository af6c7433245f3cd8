"""A day's metric: the stages of both sources -> rows per customer in the lake -> the warehouse."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.deliveries import (
    ManifestFile,
    Overtaken,
    Receipt,
    fingerprint_of,
    manifests,
    receipts,
    until_undisturbed,
)
from movie_platform.deliveries.receipts import Standing
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.lake.parquet import put_parquet
from movie_platform.pipelines.user_behavior import classification, metric, purchases, reviews
from movie_platform.pipelines.user_behavior.archive import NAME, PURCHASES, REVIEWS, sequence
from movie_platform.pipelines.user_behavior.further_formats import further, put_further
from movie_platform.pipelines.user_behavior.metric import IN_METRIC, Fate, MetricAccount
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC
from movie_platform.quality.ruleset_files import RulesetFile
from movie_platform.warehouse import LoadResult, PartitionLoad, Provenance, Source, Warehouse

if TYPE_CHECKING:
    from movie_platform.engine import Format
    from movie_platform.quality import Evaluation


@dataclass(frozen=True)
class DayMetric:
    """What a day's metric is, and where all purchases and reviews of the day went."""

    day: date
    version: str
    """The day's sequence as the ledger writes it: one higher for each other content of reviews or purchases."""
    account: MetricAccount
    unaccounted: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    etag: str

    @property
    def key(self) -> str:
        return metric.stage_key(self.day)


def build(lake: ObjectStore, day: date, formats: "Collection[Format]" = ()) -> DayMetric:
    """Write the day's metric to the lake, and it and the stages in further formats. Without staged reviews, or without
    purchases, it has no rows."""
    return until_undisturbed(lambda: _build(lake, day, formats), f"the metric of {day}")


def _build(lake: ObjectStore, day: date, formats: "Collection[Format]") -> DayMetric:
    from movie_platform.engine.in_process import DuckDBEngine

    stages = _stages(lake, day)
    with tempfile.TemporaryDirectory(prefix="movie-platform-metric-") as name, DuckDBEngine() as engine:
        folder = Path(name)
        bought = _fetched(lake, purchases.stage_key(day), folder / "purchases.parquet")
        if bought is None:
            raise PlatformError(f"the purchases of {day} are not staged: materialize user_purchases for that day first")
        judged = _fetched(lake, classification.stage_key(day), folder / "reviews.parquet")
        if judged is None:
            judged = folder / "reviews.parquet"
            pq.write_table(MOVIE_REVIEW.arrow_schema.empty_table(), judged)
        sums = metric.by_customer(
            engine.parquet("purchases", [bought]).table, engine.parquet("reviews", [judged]).table
        )
        customers = engine.stage("customers", sums).table
        account = metric.account(engine, customers)
        engine.write(metric.metric(customers, day), folder / "metric", "parquet", USER_BEHAVIOR_METRIC.arrow_schema)
        written = put_parquet(lake, metric.stage_key(day), USER_BEHAVIOR_METRIC, folder / "metric")
        unaccounted = [
            *metric.unconserved(account, purchases=_rows(bought), reviews=_rows(judged), amount=_amount(bought)),
            *_unlike(folder / "metric", account[IN_METRIC]),
        ]
        made = {"user_purchase": bought, "movie_review": judged, "user_behavior_metric": folder / "metric"}
        other = put_further(lake, engine, day, made, formats, folder)
    if _stages(lake, day) != stages:
        raise Overtaken(f"purchases or reviews of {day} were staged anew")
    _put_receipt(lake, day, stages.sequence, {**stages.etags, **other, metric.stage_key(day): written.etag})
    version = manifests.version_of(stages.sequence) if stages.sequence else stages.written
    return DayMetric(
        day, version, account, tuple(unaccounted), written.rows, written.bytes, written.sha256, written.etag
    )


def load(warehouse: Warehouse, lake: ObjectStore, made: DayMetric, *, run_id: str, force: bool = False) -> LoadResult:
    """Replace the day's rows of the metric. Where the ledger knows a higher sequence than the lake, which was emptied
    or restored, the lake passes it."""
    provenance = Provenance(metric.CODE_VERSION, run_id=run_id)

    def replace_day(version: str) -> LoadResult:
        source = Source(made.key, made.sha256, made.rows, made.etag)
        loads = [PartitionLoad(made.day.isoformat(), version, (source,))]
        return warehouse.replace_partitions(USER_BEHAVIOR_METRIC, loads, lake=lake, provenance=provenance, force=force)[
            0
        ]

    result = replace_day(made.version)
    if result.outcome == "refused" and manifests.sequence_of(made.version) == sequence(lake, made.day.isoformat()):
        last = warehouse.ledger(USER_BEHAVIOR_METRIC, made.day.isoformat())[-1].version
        return replace_day(_renumbered(lake, made.day, above=manifests.sequence_of(last)))
    return result


def owed_loads(lake: ObjectStore, warehouse: Warehouse, known: Mapping[str, Standing]) -> dict[str, str]:
    """Days whose metric is not what the warehouse's ledger shows."""
    last = {row.partition: row for row in warehouse.ledger(USER_BEHAVIOR_METRIC)}

    def is_loaded(day: str, standing: Standing) -> bool:
        key = metric.stage_key(date.fromisoformat(day))
        row = last.get(day)
        if row is None or lake.info(key) is None:
            return False
        is_current = manifests.sequence_of(row.version) == standing.sequence
        return is_current and row.source_digests == manifests.sha256_of(lake, key)

    return {
        day: "its metric is not loaded"
        for day, standing in known.items()
        if standing.receipts and not is_loaded(day, standing)
    }


@dataclass(frozen=True)
class _Stages:
    """What a metric is made from: the day's sequence, and the stages' objects as they are now."""

    sequence: int
    etags: Mapping[str, str]
    written: str
    """When the newer stage was written: the version of a day that no manifest was made for."""


def _stages(lake: ObjectStore, day: date) -> _Stages:
    bought = manifests.latest(lake, PURCHASES, day.isoformat())
    if bought:
        purchases.must_be_staged(lake, bought)
    keys = (purchases.stage_key(day), classification.stage_key(day), reviews.rejects_key(day))
    found = {key: info for key in keys if (info := lake.info(key))}
    if purchases.stage_key(day) not in found:
        raise PlatformError(f"the purchases of {day} are not staged: materialize user_purchases for that day first")
    judged = receipts.standing(lake, REVIEWS, day.isoformat())
    if judged.archived > judged.sequence:
        raise PlatformError(
            f"the reviews of {day} are not classified: materialize movie_reviews_classified for that day first"
        )
    classified = receipts.made_of({key: info.etag for key, info in found.items() if key != purchases.stage_key(day)})
    if judged.receipts and all(receipt.made != classified for receipt in judged.receipts):
        raise Overtaken(f"the reviews of {day} are being classified by another run")
    written = max(info.modified for info in found.values()).astimezone(UTC).isoformat(timespec="microseconds")
    total = (bought.sequence if bought else 0) + judged.archived
    return _Stages(total, {key: info.etag for key, info in found.items()}, written)


def _put_receipt(lake: ObjectStore, day: date, sequence: int, made: Mapping[str, str]) -> None:
    delivered = manifests.latest(lake, REVIEWS, day.isoformat())
    etags = {key: file.etag for key, file in delivered.files.items()} if delivered else {}
    fingerprint = fingerprint_of(etags) if etags else receipts.NOTHING_DELIVERED
    receipts.put(lake, NAME, Receipt(day.isoformat(), sequence, fingerprint, receipts.made_of(made)))


def _renumbered(lake: ObjectStore, day: date, *, above: int) -> str:
    """The version of the same metric above the ledger's, since it is what is delivered now."""
    bought = manifests.latest(lake, PURCHASES, day.isoformat())
    key = purchases.stage_key(day)
    info = lake.info(key)
    etag, size = (info.etag, info.size) if info else ("", 0)
    files = bought.files if bought else {key: ManifestFile("", manifests.sha256_of(lake, key), size, etag)}
    manifests.publish(lake, PURCHASES, day.isoformat(), files, after=bought, above=above)
    stages = _stages(lake, day)
    written = lake.info(metric.stage_key(day))
    made = further(lake, day) | ({metric.stage_key(day): written.etag} if written else {})
    _put_receipt(lake, day, stages.sequence, {**stages.etags, **made})
    return manifests.version_of(stages.sequence)


def judge(lake: ObjectStore, made: DayMetric, rules: RulesetFile) -> "Evaluation":
    """The day's metric, judged by its rules."""
    from movie_platform.quality import evaluate, open_files

    with _on_disk(lake, made.key) as path:
        return evaluate(open_files({path.name: path}), rules.rules)


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _unlike(path: Path, expected: Fate) -> list[str]:
    """What of the written metric is not what the account says of it."""
    rows = pq.read_table(path, columns=["amount_spent", "review_score", "review_count"])
    found = {
        "customers": rows.num_rows,
        "amount": pc.sum(rows["amount_spent"]).as_py() or Decimal(0),
        "positive reviews": pc.sum(rows["review_score"]).as_py() or 0,
        "reviews": pc.sum(rows["review_count"]).as_py() or 0,
    }
    wanted = {
        "customers": expected.customers,
        "amount": expected.amount,
        "positive reviews": expected.positive,
        "reviews": expected.reviews,
    }
    return [
        f"{name} of the metric: {found[name]} written, {wanted[name]} joined"
        for name in found
        if found[name] != wanted[name]
    ]


def _amount(path: Path) -> Decimal:
    """The sum of a stage, computed apart from the metric that it is compared with."""
    total = Decimal(0)
    for batch in pq.ParquetFile(path).iter_batches(columns=["quantity", "unit_price"]):
        amounts = pc.multiply(batch["unit_price"], pc.cast(batch["quantity"], purchases.QUANTITY))
        total += pc.sum(amounts).as_py() or 0
    return total


def _fetched(lake: ObjectStore, key: str, target: Path) -> Path | None:
    return lake.on_disk(key, target) if lake.info(key) else None


@contextmanager
def _on_disk(lake: ObjectStore, key: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="movie-platform-metric-") as name:
        path = _fetched(lake, key, Path(name) / "user_behavior_metric.parquet")
        assert path is not None, "it was written just before"
        yield path


def load_all(warehouse: Warehouse, lake: ObjectStore, *, run_id: str) -> int:
    """Load every day's metric as it is staged; how many days."""
    days = [day for day, standing in receipts.standings(lake, NAME).items() if standing.receipts]
    for day in days:
        key, number = metric.stage_key(date.fromisoformat(day)), sequence(lake, day)
        info = lake.info(key)
        if info is None:
            raise PlatformError(f"{lake.uri_of(key)} is gone: run the day again before the warehouse is made anew")
        with _on_disk(lake, key) as path:
            source = Source(key, manifests.sha256_of(lake, key), _rows(path), info.etag)
        # A day that no manifest was made for has the time of its stage for a version.
        version = manifests.version_of(number) if number else info.modified.isoformat()
        provenance = Provenance(metric.CODE_VERSION, run_id=run_id)
        loads = [PartitionLoad(day, version, (source,))]
        warehouse.replace_partitions(USER_BEHAVIOR_METRIC, loads, lake=lake, provenance=provenance)
    return len(days)
