"""The stages and the metric of a day in formats besides Parquet."""

import csv
import io
import json
from datetime import date
from pathlib import Path

from movie_platform.deliveries.verification import verified
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior import metric_build
from movie_platform.pipelines.user_behavior.further_formats import further
from movie_platform_tests.deliveries.sources import DAY, Behavior, subject_of


def rows(lake: ObjectStore, key: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(lake.read(key).decode())))


def test_stages_and_metric_are_csv_and_json_too_where_asked_for_and_gone_where_not(
    store: ObjectStore, tmp_path: Path
) -> None:
    subject = subject_of(Behavior, (tmp_path / "raw").as_uri(), store.uri, tmp_path)
    lake, day = subject.lake, date.fromisoformat(DAY)
    subject.deliver(2)
    subject.run()
    assert further(lake, day) == {}

    metric_build.build(lake, day, ("parquet", "csv", "json"))
    names = ("movie_review", "user_behavior_metric", "user_purchase")
    assert sorted(further(lake, day)) == [
        f"stage_{kind}/{name}/{DAY}/{name}.{kind}" for kind in ("csv", "json") for name in names
    ]
    (found,) = rows(lake, f"stage_csv/user_behavior_metric/{DAY}/user_behavior_metric.csv")
    assert (found["customerid"], found["review_count"]) == ("1", "2")
    assert [row["cid"] for row in rows(lake, f"stage_csv/movie_review/{DAY}/movie_review.csv")] == ["1", "1"]
    (bought,) = lake.read(f"stage_json/user_purchase/{DAY}/user_purchase.json").splitlines()
    assert json.loads(bought)["customer_id"] == 1
    assert verified(lake, Behavior.source).damaged == []
    assert subject.owed() == {}

    metric_build.build(lake, day, ("parquet", "csv"))
    assert {key.partition("/")[0] for key in further(lake, day)} == {"stage_csv"}
    metric_build.build(lake, day)
    assert further(lake, day) == {}
    assert verified(lake, Behavior.source).damaged == []


def test_a_copy_that_is_gone_is_found_and_made_anew(store: ObjectStore, tmp_path: Path) -> None:
    subject = subject_of(Behavior, (tmp_path / "raw").as_uri(), store.uri, tmp_path)
    subject.deliver(1)
    subject.run()
    metric_build.build(subject.lake, date.fromisoformat(DAY), ("parquet", "csv"))
    subject.lake.delete([f"stage_csv/user_purchase/{DAY}/user_purchase.csv"])
    assert list(subject.owed()) == [DAY]
    assert len(verified(subject.lake, Behavior.source).damaged) == 1
