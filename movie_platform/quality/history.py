"""What metrics were before: dynamic rules and anomaly detection ask it, and what is measured is added to it."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclass(frozen=True)
class MetricPoint:
    """The value of a metric at one evaluation."""

    at: datetime
    value: float


class MetricHistory(Protocol):
    """Metrics of data sets over time, as an evaluation asks for them; who keeps one adds what was measured."""

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        """The metric's points before a moment, oldest first; the `last` of them when a number is given."""


class NoHistory:
    """A past in which nothing happened."""

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        return ()


class InMemoryHistory:
    """A history that lives as long as its object. An evaluation recorded again, of the same data set and moment,
    replaces what it recorded before."""

    def __init__(self) -> None:
        self._evaluations: dict[str, dict[datetime, dict[str, float]]] = {}

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        evaluations = self._evaluations.get(dataset, {})
        moments = sorted(evaluations)
        earlier = moments[: bisect_left(moments, _utc(before))]
        points = [MetricPoint(at, evaluations[at][metric]) for at in earlier if metric in evaluations[at]]
        return points if last is None else points[-last:]

    def record(self, dataset: str, at: datetime, metrics: Mapping[str, float]) -> None:
        self._evaluations.setdefault(dataset, {})[_utc(at)] = dict(metrics)


HISTORY_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
"""The columns of a stored history: one row per data set, evaluation and metric."""


class ParquetHistory:
    """As `InMemoryHistory`, in one Parquet file; a write replaces the file whole. For one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def series(self, dataset: str, metric: str, *, before: datetime, last: int | None = None) -> Sequence[MetricPoint]:
        table = self._table()
        wanted = pc.and_(
            pc.and_(pc.equal(table["dataset"], dataset), pc.equal(table["metric"], metric)),
            pc.less(table["at"], pa.scalar(_utc(before), HISTORY_SCHEMA.field("at").type)),
        )
        found = table.filter(wanted).sort_by("at")
        points = [
            MetricPoint(at, value)
            for at, value in zip(found["at"].to_pylist(), found["value"].to_pylist(), strict=True)
        ]
        return points if last is None else points[-last:]

    def record(self, dataset: str, at: datetime, metrics: Mapping[str, float]) -> None:
        table = self._table()
        moment = pa.scalar(_utc(at), HISTORY_SCHEMA.field("at").type)
        same = pc.and_(pc.equal(table["dataset"], dataset), pc.equal(table["at"], moment))
        added = pa.table(
            {
                "dataset": [dataset] * len(metrics),
                "at": [_utc(at)] * len(metrics),
                "metric": list(metrics),
                "value": [float(value) for value in metrics.values()],
            },
            schema=HISTORY_SCHEMA,
        )
        whole = pa.concat_tables([table.filter(pc.invert(same)), added])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".writing")
        pq.write_table(whole, unfinished)
        unfinished.replace(self.path)

    def _table(self) -> pa.Table:
        return pq.read_table(self.path, schema=HISTORY_SCHEMA) if self.path.exists() else HISTORY_SCHEMA.empty_table()


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
