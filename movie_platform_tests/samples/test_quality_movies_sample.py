"""The demonstration's days of rated movies show what they are there for."""

import csv
import io
from datetime import UTC, datetime, timedelta

from movie_platform.commands.demonstration import QUALITY_DAYS, QUALITY_DEFECTS
from movie_platform.quality.anomalies import judge
from movie_platform.quality.history import MetricPoint
from movie_platform.samples.quality_movies import DEFECTS, MovieCritic, defective

DRIFT = next(number for number, defect in enumerate(DEFECTS) if "anomaly" in defect)


def lowest_rating(content: bytes) -> float | None:
    """None where the file has no rows."""
    rows = csv.DictReader(io.StringIO(content.decode(errors="replace")))
    return min((float(rating) for row in rows if (rating := row.get("IMDB_Rating"))), default=None)


def test_the_day_that_drifts_is_an_anomaly_beside_the_days_before_and_no_other_day_is() -> None:
    assert len(QUALITY_DEFECTS) == QUALITY_DAYS
    first, known, anomalous = datetime(2026, 1, 1, tzinfo=UTC), [], []
    for number, defect in enumerate(QUALITY_DEFECTS[:-1]):  # the last day's ratings are not all numbers
        at = first + timedelta(days=number)
        value = lowest_rating(defective(MovieCritic().delivery(str(at.date())), defect)[1])
        if value is not None:
            if judge(value, at, known).anomalous:
                anomalous.append(defect)
            known.append(MetricPoint(at, value))
    assert anomalous == [DRIFT]
