"""A table in the lake is judged by the ruleset that its owners write."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.publication import Part
from movie_platform.pipelines.movies_dataset.ruleset_evaluation import judge, ruleset_files
from movie_platform.pipelines.movies_dataset.tables import RATINGS_MASTER


@pytest.mark.parametrize(
    ("rating", "broken"),
    [
        (0.45, ["rating_column_values_at_least_0_5"]),
        (0.5, []),
        (5.0, []),
        (5.05, ["rating_column_values_at_most_5_0"]),
    ],
)
def test_a_rating_is_half_a_star_at_least_and_five_at_most(tmp_path: Path, rating: float, broken: list[str]) -> None:
    rows = [
        {"movie_id": 1, "user_id": user, "rating": value, "timestamp": 1_425_941_529}
        for user, value in enumerate([3.0, rating])
    ]
    path = tmp_path / "ratings_master.parquet"
    pq.write_table(pa.Table.from_pylist(rows, RATINGS_MASTER.arrow_schema), path)
    parts = [Part(path.name, len(rows), path.stat().st_size)]
    judged = judge(open_store(tmp_path.as_uri()), parts, ruleset_files()["ratings_master"])
    assert [outcome.rule.name for outcome in judged.outcomes if not outcome.passed] == broken
