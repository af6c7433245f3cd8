"""What came of a day is a sentence, with the way out where the metric has no row."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import open_store
from movie_platform.pipelines.user_behavior import classification, metric, purchases
from movie_platform.pipelines.user_behavior.metric import WAYS_OUT
from movie_platform.pipelines.user_behavior.outcome import DayOutcome, outcome_of

DAY = date(2026, 1, 5)


@pytest.mark.parametrize(
    ("rows", "full", "sentence"),
    [
        ((3, 4, 1), False, "2026-01-05: 1 row in the metric"),
        ((3, 4, 2), False, "2026-01-05: 2 rows in the metric"),
        ((0, 4, 0), False, f"2026-01-05: 0 rows in the metric: no purchase was made on that day. {WAYS_OUT}"),
        ((3, None, 0), False, "2026-01-05: 0 rows in the metric: no review was delivered for that day"),
        ((3, 4, 0), False, f"2026-01-05: 0 rows in the metric: nobody who bought on that day has a review. {WAYS_OUT}"),
        ((3, 4, 0), True, "2026-01-05: 0 rows in the metric: nobody who bought on that day has a review"),
        ((3, 4, None), False, "2026-01-05: 0 rows in the metric: it was not built"),
    ],
)
def test_a_day_says_what_came_of_it(rows: tuple[int | None, ...], full: bool, sentence: str) -> None:
    assert DayOutcome(DAY, *rows).sentence(full=full) == sentence


def test_rows_are_counted_in_what_lies_in_the_lake(tmp_path: Path) -> None:
    lake = open_store(tmp_path.as_uri())
    for key, rows in ((purchases.stage_key(DAY), 3), (metric.stage_key(DAY), 0)):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"x": list(range(rows))}), sink)
        lake.write(key, sink.getvalue().to_pybytes())
    assert lake.info(classification.stage_key(DAY)) is None
    assert outcome_of(lake, DAY) == DayOutcome(DAY, purchases=3, reviews=None, metric=0)
