"""What came of a day: the rows of its metric, and where there are none, why."""

from dataclasses import dataclass
from datetime import date

import pyarrow.parquet as pq

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior import classification, metric, purchases


@dataclass(frozen=True)
class DayOutcome:
    """Rows of a day's stages and of its metric; `None` where the object is not there."""

    day: date
    purchases: int | None
    reviews: int | None
    metric: int | None

    @property
    def reason(self) -> str:
        """Why the metric has no row; empty where it has one."""
        if self.metric is None:
            return "it was not built"
        return metric.why_empty(self.purchases or 0, self.reviews or 0, self.metric)

    def sentence(self, *, full: bool) -> str:
        """For people; names the ways out where purchases of other days would give rows."""
        if self.metric:
            return f"{self.day}: {self.metric:,} {'row' if self.metric == 1 else 'rows'} in the metric"
        would_help = not full and self.metric == 0 and bool(self.reviews)
        way_out = f". {metric.WAYS_OUT}" if would_help else ""
        return f"{self.day}: 0 rows in the metric: {self.reason}{way_out}"


def outcome_of(lake: ObjectStore, day: date) -> DayOutcome:
    """What the lake holds for the day now."""

    def rows(key: str) -> int | None:
        try:
            with lake.open(key) as file:
                return int(pq.read_metadata(file).num_rows)
        except ObjectMissing:
            return None

    return DayOutcome(
        day, rows(purchases.stage_key(day)), rows(classification.stage_key(day)), rows(metric.stage_key(day))
    )
