"""What evaluations measured, kept in the lake: one object a data set and day."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.tables import QUALITY_HISTORY

if TYPE_CHECKING:
    from movie_platform.quality.history import MetricPoint

DAYS_AT_MOST = 400
"""How far back a rule can look."""


def moment_of(day: str) -> datetime:
    """The moment that a day's evaluation stands for, whenever it happens: the end of the day, in UTC.

    So a day that is judged again, or late, looks back on the days before it and on no other.
    """
    return datetime.combine(date.fromisoformat(day), time.max, UTC)


def history_key(dataset: str, day: str) -> str:
    return f"quality_history/{dataset}/{day}.parquet"


class LakeHistory:
    """A metric history whose evaluations are days. What it read it keeps, so it is for one evaluation."""

    def __init__(self, lake: ObjectStore) -> None:
        self._lake = lake
        self._days: dict[str, list[str]] = {}
        self._read: dict[str, dict[str, float]] = {}

    def series(
        self, dataset: str, metric: str, *, before: datetime, last: int | None = None
    ) -> "Sequence[MetricPoint]":
        from movie_platform.quality.history import MetricPoint

        earlier = [day for day in self._known(dataset) if moment_of(day) < before][-DAYS_AT_MOST:]
        points = (
            MetricPoint(moment_of(day), metrics[metric])
            for day in reversed(earlier)
            if metric in (metrics := self._metrics(dataset, day))
        )
        return list(islice(points, last))[::-1]

    def record(self, dataset: str, at: datetime, metrics: Mapping[str, float]) -> str:
        """Keep what a day's evaluation measured; the etag of its object."""
        import pyarrow.parquet

        day = at.astimezone(UTC).date().isoformat()
        rows = {
            "dataset": [dataset] * len(metrics),
            "at": [moment_of(day)] * len(metrics),
            "metric": list(metrics),
            "value": [float(value) for value in metrics.values()],
            "evaluation": [f"{dataset}/{day}"] * len(metrics),
        }
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(pa.table(rows, schema=QUALITY_HISTORY.arrow_schema), buffer, compression="zstd")
        return self._lake.write(history_key(dataset, day), buffer.getvalue())

    def _known(self, dataset: str) -> list[str]:
        if dataset not in self._days:
            prefix = f"quality_history/{dataset}/"
            listed = self._lake.objects(prefix)
            self._days[dataset] = [info.key.removeprefix(prefix).removesuffix(".parquet") for info in listed]
        return self._days[dataset]

    def _metrics(self, dataset: str, day: str) -> dict[str, float]:
        import pyarrow.parquet

        key = history_key(dataset, day)
        if key not in self._read:
            table = pyarrow.parquet.read_table(io.BytesIO(self._lake.read(key)), columns=["metric", "value"])
            self._read[key] = dict(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True))
        return self._read[key]
