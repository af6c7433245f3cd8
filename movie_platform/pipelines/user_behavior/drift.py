"""Whether a day's share of positive reviews is what the days before it make likely.

A vendor that sends another language, a column that moved, or a film that everybody pans shows here first. Only days
that the same version of the same classifier judged are compared: another one has another share without any drift.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior.classification import classified_by, stage_key

DAYS = 28
FEWEST_DAYS = 7
"""Fewer days than these say nothing."""
DEVIATIONS = 4.0
SMALLEST = 0.03
"""A share that differs by less is no drift, however many reviews there are."""


@dataclass(frozen=True)
class DayShare:
    """How many of a day's classified reviews are positive."""

    reviews: int
    positive: int

    @property
    def share(self) -> float:
        return self.positive / self.reviews


@dataclass(frozen=True)
class Drift:
    """A day's share beside that of the days before."""

    today: DayShare | None
    before: tuple[DayShare, ...]

    @property
    def usual(self) -> float | None:
        """The median share of the days before; None where there are too few of them."""
        return statistics.median(day.share for day in self.before) if len(self.before) >= FEWEST_DAYS else None

    @property
    def allowed(self) -> float | None:
        """How far from the usual share a day may be: what chance allows for its number of reviews and what the days
        before differed among each other, whichever is more."""
        if self.usual is None or self.today is None:
            return None
        chance = math.sqrt(self.usual * (1 - self.usual) / self.today.reviews)
        # The median distance times 1.4826 is the standard deviation of a normal distribution, whatever one odd day did.
        spread = 1.4826 * statistics.median(abs(day.share - self.usual) for day in self.before)
        return max(SMALLEST, DEVIATIONS * max(chance, spread))

    @property
    def is_usual(self) -> bool:
        """False where the share differs by more than allowed; a day that nothing can be said of is as usual."""
        if self.usual is None or self.allowed is None or self.today is None:
            return True
        return abs(self.today.share - self.usual) <= self.allowed

    def __str__(self) -> str:
        if self.today is None:
            return "no review was classified"
        if self.usual is None or self.allowed is None:
            return (
                f"{self.today.share:.1%} positive; {len(self.before)} of the {DAYS} days before can be compared, "
                f"{FEWEST_DAYS} are needed"
            )
        return (
            f"{self.today.share:.1%} positive, usually {self.usual:.1%} (median of {len(self.before)} days); "
            f"up to {self.allowed:.1%} away is usual"
        )


def drift(lake: ObjectStore, day: date) -> Drift:
    """The day's staged reviews, compared with those of the 28 days before that the same classifier judged."""
    judged_by = classified_by(lake, day)
    if judged_by is None:
        return Drift(None, ())
    earlier = (day - timedelta(days=number) for number in range(1, DAYS + 1))
    return Drift(
        _share(lake, day), tuple(_share(lake, one) for one in earlier if classified_by(lake, one) == judged_by)
    )


def shares_as_metadata(found: Drift) -> dict[str, float]:
    """The numbers behind a drift check, as far as there are any."""
    values = {
        "share": found.today.share if found.today else None,
        "usual_share": found.usual,
        "allowed_difference": found.allowed,
        "days_compared": float(len(found.before)),
    }
    return {name: round(value, 4) for name, value in values.items() if value is not None}


def _share(lake: ObjectStore, day: date) -> DayShare:
    with lake.open(stage_key(day)) as file:
        positive: Sequence[bool] = pq.read_table(file, columns=["positive_review"])["positive_review"]
        return DayShare(len(positive), int(pc.sum(positive).as_py() or 0))
