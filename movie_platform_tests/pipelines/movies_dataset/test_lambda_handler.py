"""An S3 event becomes a built delivery, once, however often it comes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from movie_platform.lake import open_store
from movie_platform.pipelines.movies_dataset.lambda_handler import handle
from movie_platform.pipelines.movies_dataset.loading import load_all
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of


def event(bucket: str, *keys: str) -> dict[str, Any]:
    named = [{"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}} for key in keys]
    return {"Records": [{"eventName": "ObjectCreated:Put", "s3": of} for of in named]}


def test_each_zip_of_an_event_is_built_once_and_other_keys_are_left_alone(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", f"{bucket}/raw side")
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", f"{bucket}/lake")
    name, raw = bucket.removeprefix("s3://"), open_store(f"{bucket}/raw side")
    days = ("2026-03-01", "2026-03-02", "2026-03-03")
    keys = [f"project-data/{day}/the-movies-dataset.zip" for day in days]
    archive = zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [movie(1, "Heat")]})
    raw.upload(keys[0], archive)
    raw.write(keys[1], b"no zip")
    raw.upload(keys[2], archive)
    sent = event(name, *(f"raw side/{key}" for key in (keys[0], keys[1], "project-data/notes.txt")))
    first = handle(sent)
    assert first["2026-03-01"] == "is built"
    assert "truncated or no zip" in first["2026-03-02"]
    assert set(first) == {"2026-03-01", "2026-03-02"}
    assert handle(sent)["2026-03-01"] == "is built already"
    assert handle(event("another-bucket", f"raw side/{keys[2]}")) == {}
    detail = {"bucket": {"name": name}, "object": {"key": f"raw side/{keys[0]}"}}
    from_event_bridge = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    assert handle(from_event_bridge) == {"2026-03-01": "is built already"}
    with pytest.raises(ValueError, match="Records"):
        handle({"hello": "world"})
    lake = open_store(f"{bucket}/lake")
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    assert SOURCE.owed(raw, lake, warehouse, days[0], datetime.now(UTC)).keys() >= {days[0], days[2]}
    load_all(warehouse, lake, run_id="test")
    assert days[0] not in SOURCE.owed(raw, lake, warehouse, days[0], datetime.now(UTC))
    assert lake.folders("movie_data_output/") == ["2026-03-01"]
    assert lake.info("movie_data_output/2026-03-01/answers/genre_budget_by_year.parquet")
