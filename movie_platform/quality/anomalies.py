"""Whether a metric is out of line with its own past, judged by medians, which a few odd days do not move."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from movie_platform.quality.history import MetricPoint

ENOUGH = 5
"""With fewer earlier values nothing is called an anomaly."""
WINDOW = 60
"""How many earlier values are looked at."""
LIMIT = 3.5
"""How many robust standard deviations away from the expected value is an anomaly."""
FLOOR = 0.01
"""A spread below this share of the expected value counts as this: a constant past does not condemn one row more."""
SEASONS = 3
"""A weekly rhythm counts only when each weekday asked for has been seen this often."""
_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Verdict:
    """What was expected of a metric, and whether its value is an anomaly."""

    anomalous: bool
    expected: float | None
    low: float | None
    high: float | None
    method: str


def judge(value: float, at: datetime, past: Sequence[MetricPoint]) -> Verdict:
    """Judges a metric's value against the points before it.

    With daily points of at least three weeks, the same weekday's values are the measure when they fit the past clearly
    better than all days together.
    """
    points = [point for point in past if math.isfinite(point.value)][-WINDOW:]
    if len(points) < ENOUGH:
        return Verdict(False, None, None, None, f"{len(points)} of the {ENOUGH} earlier values that a judgement needs")
    values = [point.value for point in points]
    center = statistics.median(values)
    spread = _spread([v - center for v in values])
    method = f"median of {len(values)} earlier values"
    season = _weekday_fit(points, at)
    if season is not None and season[1] < 0.5 * spread:
        center, spread = season
        method = "median of the same weekday"
    reach = LIMIT * max(spread, FLOOR * abs(center), 1e-12)
    return Verdict(not center - reach <= value <= center + reach, center, center - reach, center + reach, method)


def _spread(deviations: Sequence[float]) -> float:
    middle = statistics.median([abs(deviation) for deviation in deviations])
    if middle > 0:
        return _TO_DEVIATION * middle
    # More than half of the values are equal: the mean deviation still sees the others.
    return 1.2533 * math.fsum(abs(deviation) for deviation in deviations) / len(deviations)


def _weekday_fit(points: Sequence[MetricPoint], at: datetime) -> tuple[float, float] | None:
    """The expected value and spread by weekday; None when the points are not daily or too few."""
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(points)]
    if statistics.median(gap / timedelta(days=1) for gap in gaps) != 1.0:
        return None
    per_day: dict[int, list[float]] = {}
    for point in points:
        per_day.setdefault(point.at.weekday(), []).append(point.value)
    if len(per_day) < 2 or len(per_day.get(at.weekday(), [])) < SEASONS or len(points) < 7 * SEASONS:
        return None
    centers = {day: statistics.median(values) for day, values in per_day.items()}
    residuals = [value - centers[day] for day, values in per_day.items() for value in values]
    return centers[at.weekday()], _spread(residuals)
