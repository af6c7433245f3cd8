"""The sensor's tick, and the hourly job that finds what ticks lost."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetKey, DagsterEventType

from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, W, deliver, triplet


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def asked(platform: Platform, request: dg.RunRequest) -> list[str]:
    """The windows of a request, run as the daemon would."""
    start = request.tags.get("dagster/asset_partition_range_start", request.partition_key)
    end = request.tags.get("dagster/asset_partition_range_end", request.partition_key)
    windows = list(span(str(start), str(end)))
    platform.run(*windows)
    return windows


def test_a_tick_asks_for_new_windows_and_reports_their_arrival(platform: Platform) -> None:
    deliver(platform.raw, W)
    tick = platform.tick()
    (request,) = tick.run_requests
    assert request.partition_key == W
    assert request.run_key.startswith(f"imdb_feed/{W}/")
    event, _ = tick.asset_events
    assert (event.asset_key, event.partition) == (AssetKey("imdb_raw_triplet"), W)
    assert event.metadata["files (bytes)"].value.keys() == triplet().keys()
    assert event.metadata["files (bytes)"].value[f"{W}_type_A.csv"] == len(triplet()[f"{W}_type_A.csv"])
    assert event.metadata["delivered"].value
    version = event.tags["dagster/data_version"]
    deliver(platform.raw, W, triplet(people=[{"id": 10, "imdb_person_id": "nm1", "full_name": "Corrected"}]))
    corrected, _ = platform.tick(tick.cursor).asset_events
    assert corrected.tags["dagster/data_version"] != version


def test_many_windows_in_a_row_are_one_range_that_the_assets_can_run(platform: Platform) -> None:
    windows = list(span(W, shift(W, LENGTH * 12)))
    for window in windows:
        deliver(platform.raw, window)
    tick = platform.tick()
    (request,) = tick.run_requests
    assert asked(platform, request) == windows
    assert platform.statuses("imdb_movies", *windows) == {"MATERIALIZED": set(windows)}
    again = platform.tick(tick.cursor)
    assert again.run_requests == []
    assert again.skip_message == "No new windows."


def test_a_lost_cursor_asks_for_nothing_that_was_run(platform: Platform) -> None:
    deliver(platform.raw, W)
    deliver(platform.raw, NEXT, {**triplet(NEXT), f"{NEXT}_type_A.csv": b""})
    for request in platform.tick().run_requests:
        asked(platform, request)
    assert platform.tick(cursor=None).run_requests == []
    assert platform.tick(cursor="not ours").run_requests == []


def test_a_window_that_waits_is_why_a_tick_skips(platform: Platform) -> None:
    deliver(platform.raw, W, {f"{W}_type_A.csv": b"id\n"})
    tick = platform.tick()
    assert tick.run_requests == []
    assert tick.skip_message == f"{W} waits: its other files are waited for"


def test_misnamed_folders_never_crash_a_tick(platform: Platform) -> None:
    for name in ("x", "202601010005", "209901010000", "199901010000", "%41", "..x", "a b", "ü"):
        platform.raw.write(f"imdb_raw_data/{name}/file.csv", b"\xff\x00")
    platform.raw.write("imdb_raw_data/file.csv", b"")
    deliver(platform.raw, W)
    tick = platform.tick()
    assert [request.partition_key for request in tick.run_requests] == [W]


def test_misnamed_folders_are_named_in_one_event_until_others_come(platform: Platform) -> None:
    def observed(tick: Any) -> list[set[str]]:
        events = [event.metadata["rejected keys"] for event in tick.asset_events if "rejected keys" in event.metadata]
        return [{record.data["key"] for record in table.records} for table in events]

    deliver(platform.raw, W)
    platform.raw.write("imdb_raw_data/notes/x.csv", b"")
    first = platform.tick()
    assert observed(first) == [{"imdb_raw_data/notes"}]
    second = platform.tick(first.cursor)
    assert observed(second) == []
    platform.raw.write("imdb_raw_data/202601010005/x.csv", b"")
    assert observed(platform.tick(second.cursor)) == [{"imdb_raw_data/notes", "imdb_raw_data/202601010005"}]


def test_a_store_that_is_down_skips_the_tick_with_a_reason_and_keeps_the_cursor(
    platform: Platform, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = platform.tick(cursor='{"settled":"202601010000"}', raw=open_store("s3://no-such-bucket"))
    assert tick.run_requests == []
    assert tick.skip_message.startswith("Not now: s3://no-such-bucket/imdb_raw_data/ could not be reached")
    assert tick.cursor == '{"settled":"202601010000"}'


def test_a_store_that_does_not_answer_leaves_a_tick_within_its_minute(
    platform: Platform, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    began = time.monotonic()
    tick = platform.tick(raw=open_store("s3://bucket"))
    assert "could not be reached" in tick.skip_message
    assert time.monotonic() - began < 45


def test_the_hourly_job_finds_what_was_left_behind_and_the_sensor_asks_for_it(platform: Platform) -> None:
    deliver(platform.raw, NEXT)
    tick = platform.tick()
    for request in tick.run_requests:
        asked(platform, request)
    late = shift(W, LENGTH * 2)
    cursor = json.dumps({"settled": shift(W, LENGTH * 1000)})  # as if a week had passed since
    deliver(platform.raw, late)
    assert platform.tick(cursor).run_requests == []
    job = platform.definitions.resolve_job_def("imdb_feed_reconciliation")
    result = job.execute_in_process(
        instance=platform.instance, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    )
    assert result.success
    (output,) = [e for e in result.all_events if e.event_type == DagsterEventType.STEP_OUTPUT]
    metadata = output.step_output_data.metadata
    assert metadata["owed"].value == 1
    assert metadata["first"].value == {late: "what was delivered is not processed"}
    (request,) = platform.tick(cursor).run_requests
    assert request.partition_key == late


def test_the_hourly_job_works_while_the_warehouse_is_busy(platform: Platform) -> None:
    deliver(platform.raw, W)
    job = platform.definitions.resolve_job_def("imdb_feed_reconciliation")
    with held(platform.folder / "warehouse.duckdb.lock", "a load", Deadline.after(timedelta(seconds=1))):
        result = job.execute_in_process(
            instance=platform.instance, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        )
    assert result.success
    assert [request.partition_key for request in platform.tick().run_requests] == [W]
