"""A day's metric: the stages of both sources -> rows per customer in the lake -> the warehouse."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.lake.parquet import put_parquet
from movie_platform.pipelines.user_behavior import classification, metric, purchases
from movie_platform.pipelines.user_behavior.metric import IN_METRIC, Fate, MetricAccount
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC
from movie_platform.quality import Evaluation, RulesetFile, evaluate, open_files
from movie_platform.warehouse import LoadResult, PartitionLoad, Provenance, Source, Warehouse

COPY_BYTES = 8 * 2**20


@dataclass(frozen=True)
class DayMetric:
    """What a day's metric is, and where all purchases and reviews of the day went."""

    day: date
    version: str
    """When the newer one of both stages was written: a metric made of newer stages is newer."""
    account: MetricAccount
    unaccounted: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str

    @property
    def key(self) -> str:
        return metric.stage_key(self.day)


def build(lake: ObjectStore, day: date) -> DayMetric:
    """Write the day's metric to the lake. Without staged reviews, or without purchases, it has no rows."""
    version = _version(lake, day)  # before the stages are read: one replaced meanwhile makes a newer metric
    with tempfile.TemporaryDirectory(prefix="movie-platform-metric-") as name, DuckDBEngine() as engine:
        folder = Path(name)
        bought = _fetched(lake, purchases.stage_key(day), folder / "purchases.parquet")
        if bought is None:
            raise PlatformError(f"the purchases of {day} are not staged: materialize user_purchases for that day first")
        judged = _fetched(lake, classification.stage_key(day), folder / "reviews.parquet")
        if judged is None:
            judged = folder / "reviews.parquet"
            pq.write_table(MOVIE_REVIEW.arrow_schema.empty_table(), judged)
        sums = metric.by_customer(engine.parquet([bought]), engine.parquet([judged]))
        customers = engine.stage("customers", sums)
        account = metric.account(engine, customers)
        engine.write(metric.metric(customers, day), folder / "metric", "parquet", USER_BEHAVIOR_METRIC.arrow_schema)
        written = put_parquet(lake, metric.stage_key(day), USER_BEHAVIOR_METRIC, folder / "metric")
        unaccounted = [
            *metric.unconserved(account, purchases=_rows(bought), reviews=_rows(judged), amount=_amount(bought)),
            *_unlike(folder / "metric", account[IN_METRIC]),
        ]
    return DayMetric(day, version, account, tuple(unaccounted), written.rows, written.bytes, written.sha256)


def load(warehouse: Warehouse, lake: ObjectStore, made: DayMetric, *, run_id: str, force: bool = False) -> LoadResult:
    """Replace the day's rows of the metric."""
    source = Source(made.key, made.sha256, made.rows)
    return warehouse.replace_partitions(
        USER_BEHAVIOR_METRIC,
        [PartitionLoad(made.day.isoformat(), made.version, (source,))],
        lake=lake,
        provenance=Provenance(metric.CODE_VERSION, run_id=run_id),
        force=force,
    )[0]


def judge(lake: ObjectStore, made: DayMetric, rules: RulesetFile) -> Evaluation:
    """The day's metric, judged by its rules."""
    with _on_disk(lake, made.key) as path:
        return evaluate(open_files({path.name: path}), rules.rules)


def _version(lake: ObjectStore, day: date) -> str:
    stages = [lake.info(key) for key in (purchases.stage_key(day), classification.stage_key(day))]
    written = [info.modified for info in stages if info]
    if not written:
        raise PlatformError(f"the purchases of {day} are not staged: materialize user_purchases for that day first")
    return max(written).astimezone(UTC).isoformat(timespec="microseconds")


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
    if lake.info(key) is None:
        return None
    if local := lake.local_path(key):
        return local
    with lake.open(key) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, COPY_BYTES)
    return target


@contextmanager
def _on_disk(lake: ObjectStore, key: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="movie-platform-metric-") as name:
        path = _fetched(lake, key, Path(name) / "user_behavior_metric.parquet")
        assert path is not None, "it was written just before"
        yield path
