"""The feed in Dagster: every window stands for itself, whichever run it was part of."""

import random
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from movie_platform.lake import open_store
from movie_platform.orchestration.table_metadata import LINEAGE, SCHEMA
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.tables import IMDB_CLEAN
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.pipelines.imdb_feed.platform import ALL, Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import (
    NEXT,
    C,
    W,
    deliver,
    everything,
    movie,
    pair,
    products,
    triplet,
)

THIRD = shift(NEXT, LENGTH)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def broken(window: str) -> dict[str, bytes]:
    return {**triplet(window), f"{window}_type_C.csv": b""}


def held_by_another(platform: Platform):
    path = platform.folder / "warehouse.duckdb.lock"
    return held(path, "a report", Deadline.after(timedelta(seconds=1)))


def test_a_window_becomes_files_rows_and_events(platform: Platform) -> None:
    deliver(platform.raw, W)
    assert platform.run(W).succeeded
    for asset in ALL:
        assert platform.statuses(asset, W, NEXT) == {"MATERIALIZED": {W}}
    assert platform.titles() == platform.titles("imdb_movie_windows") == [(W, 1, "Movie 1"), (W, 2, "Movie 2")]
    (archived,) = platform.materializations("imdb_archive", W)
    columns = {SCHEMA, LINEAGE}
    assert archived.keys() == {"dagster/partition_row_count", "rules that hold", *columns}
    assert archived["rules that hold"] == "three_files, has_rows, utf8, header, records"
    (cleaned,) = platform.materializations("imdb_clean", W)
    assert cleaned["dagster/uri"] == platform.lake.uri_of(f"clean_files/{W}.parquet")
    assert cleaned["dagster/partition_row_count"] == 2
    assert cleaned.keys() == {"dagster/uri", "dagster/partition_row_count", *columns}


def test_of_a_run_only_the_newest_window_names_its_columns(platform: Platform) -> None:
    for window in (W, NEXT):
        deliver(platform.raw, window)
    assert platform.run(W, NEXT).succeeded
    for asset in ALL:
        found = {w: platform.materializations(asset, w)[0].keys() & {SCHEMA, LINEAGE} for w in (W, NEXT)}
        assert found == {W: set(), NEXT: {SCHEMA, LINEAGE}}, asset


def test_after_a_range_no_page_waits_for_dagster_to_find_out_which_windows_are_there(platform: Platform) -> None:
    for window in (W, NEXT):
        deliver(platform.raw, window)
    assert platform.run(W, NEXT).succeeded
    for record in platform.instance.get_asset_records([dg.AssetKey(asset) for asset in ALL]):
        kept = record.asset_entry.cached_status
        windows = platform.definitions.resolve_assets_def("imdb_clean").partitions_def
        assert set(kept.deserialize_materialized_partition_subsets(windows).get_partition_keys()) == {W, NEXT}


def test_warehouse_tables_have_the_clean_columns_and_the_window(platform: Platform) -> None:
    deliver(platform.raw, W)
    platform.run(W)
    for table in ("main.imdb_movies", "main.imdb_movie_windows"):
        found = platform.warehouse.query(f"SELECT * FROM {table}").column_names
        assert found == [*IMDB_CLEAN.column_names, "window"]


def test_a_refused_window_fails_alone_in_a_run_of_one(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    outcome = platform.run(W)
    assert not outcome.succeeded
    assert not outcome.platform_fault
    assert f"{C} is empty" in outcome.message
    for asset in ALL:
        assert platform.statuses(asset, W) == {"FAILED": {W}}
    for asset in ALL:
        assert platform.observations(asset, W) == [f"has_rows: {C} is empty"]
    assert {name for name, passed in platform.shown().items() if not passed} == {"has_rows"}


def test_the_page_of_a_refused_window_names_file_record_line_reason_and_what_next(platform: Platform) -> None:
    deliver(platform.raw, W, {**triplet(W), C: triplet(W)[C].replace(b"Person 20", b"Andr\xe9")})
    platform.run(W)
    (observed,) = platform.observed("imdb_clean", W)
    shown = {name: value.value for name, value in observed.metadata.items()}
    assert "is not UTF-8" in str(shown.pop("reason"))
    assert shown == {
        "file": C,
        "record": "2",
        "line": "3",
        "attempts": 1,
        "served meanwhile": "nothing",
        "what next": refusals.DELIVER_AGAIN,
    }


def test_in_a_range_the_good_windows_are_there_and_the_refused_ones_show_as_failed(platform: Platform) -> None:
    windows = list(span(W, shift(W, LENGTH * 4)))
    for window in windows:
        deliver(platform.raw, window, broken(window) if window == NEXT else None)
    outcome = platform.run(*windows)
    assert not outcome.succeeded
    assert not outcome.platform_fault
    good = {*windows} - {NEXT}
    for asset in ALL:
        assert platform.statuses(asset, *windows) == {"MATERIALIZED": good, "FAILED": {NEXT}}
    assert {row.partition for row in platform.ledger()} == good
    assert len(platform.shown()) == 10
    assert {name for name, passed in platform.shown().items() if not passed} == {"has_rows"}


def test_a_failed_window_stays_failed_until_it_is_good(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    deliver(platform.raw, NEXT)
    platform.run(W, NEXT)
    platform.run(NEXT)
    assert platform.statuses("imdb_clean", W, NEXT) == {"MATERIALIZED": {NEXT}, "FAILED": {W}}
    deliver(platform.raw, W)
    assert platform.run(W).succeeded
    assert platform.statuses("imdb_clean", W, NEXT) == {"MATERIALIZED": {W, NEXT}}
    assert platform.shown()["has_rows"]
    assert platform.lake.read("unprocessed.log") == b""


def test_a_corrected_delivery_replaces_its_window_everywhere(platform: Platform) -> None:
    for window in (W, NEXT):
        deliver(platform.raw, window)
    platform.run(W, NEXT)
    deliver(platform.raw, NEXT, triplet(NEXT, movies=[movie(2, title="Corrected")]))
    assert platform.run(NEXT).succeeded
    # The first movie is no longer in its highest window, so the window before shows again.
    assert platform.titles() == [(W, 1, "Movie 1"), (NEXT, 2, "Corrected")]
    assert [row.outcome for row in platform.ledger()] == ["loaded", "loaded", "loaded"]


def test_an_older_window_loaded_later_never_overwrites_a_newer_one(platform: Platform) -> None:
    deliver(platform.raw, NEXT, triplet(NEXT, movies=[movie(1, title="Newer")]))
    platform.run(NEXT)
    deliver(platform.raw, W)
    platform.run(W)
    assert platform.titles() == [(W, 2, "Movie 2"), (NEXT, 1, "Newer")]


def test_a_broken_delivery_of_a_good_window_leaves_what_is_served(platform: Platform) -> None:
    deliver(platform.raw, W)
    platform.run(W)
    before = platform.titles()
    deliver(platform.raw, W, broken(W))
    assert not platform.run(W).succeeded
    assert platform.statuses("imdb_movies", W) == {"FAILED": {W}}
    assert platform.titles() == before


def test_the_same_content_is_loaded_once(platform: Platform) -> None:
    deliver(platform.raw, W)
    platform.run(W)
    platform.run(W)
    assert len(platform.ledger()) == 1
    again = platform.materializations("imdb_movies", W)[0]
    assert again["load"] == "skipped"
    assert "brought the same content" in again["reason"]


def test_one_asset_alone_can_be_made_again(platform: Platform) -> None:
    deliver(platform.raw, W)
    assert platform.run(W, assets=["imdb_archive"]).succeeded
    assert [key.split("/")[0] for key in everything(platform.lake)] == [
        *["archive"] * 3,
        "deliveries",
        "unprocessed.log",
    ]
    assert platform.statuses("imdb_clean", W) == {}
    assert platform.run(W, assets=["imdb_clean"]).succeeded
    assert platform.ledger() == []
    assert platform.run(W, assets=["imdb_movies"]).succeeded
    assert len(platform.titles()) == 2
    for asset in ALL:
        assert platform.statuses(asset, W) == {"MATERIALIZED": {W}}


def test_a_run_without_deliveries_succeeds_and_materializes_nothing(platform: Platform) -> None:
    assert platform.run(W, NEXT).succeeded
    for asset in ALL:
        assert "MATERIALIZED" not in platform.statuses(asset, W, NEXT)
    assert platform.run(W, assets=["imdb_clean"]).succeeded
    assert platform.run(W, assets=["imdb_movies"]).succeeded


def test_a_warehouse_that_is_busy_fails_the_run_as_ours_and_the_next_run_loads(platform: Platform) -> None:
    deliver(platform.raw, W)
    with held_by_another(platform):
        outcome = platform.run(W)
    assert outcome.platform_fault
    assert "busy" in outcome.message
    assert platform.statuses("imdb_movies", W) == {"FAILED": {W}}
    assert platform.statuses("imdb_clean", W) == {"MATERIALIZED": {W}}
    assert len(platform.materializations("imdb_archive", W)) == len(platform.materializations("imdb_clean", W)) == 1
    refusal = refusals.get(platform.lake, W)
    assert refusal is not None
    assert refusal.transient
    assert "in the lake and not in the warehouse" in platform.lake.read("unprocessed.log").decode()
    assert platform.run(W).succeeded
    assert len(platform.titles()) == 2
    assert platform.lake.read("unprocessed.log") == b""


def test_a_version_that_could_not_be_loaded_is_loaded_by_the_run_that_refuses_the_next_one(platform: Platform) -> None:
    deliver(platform.raw, W)
    with held_by_another(platform):
        platform.run(W)
    deliver(platform.raw, W, broken(W))
    with held_by_another(platform):
        outcome = platform.run(W)
    assert outcome.platform_fault
    assert outcome.message.startswith("1 of 1 windows are refused")
    assert outcome.message.endswith("What next: it is tried again within the hour")
    refusal = refusals.get(platform.lake, W)
    assert refusal is not None
    assert refusal.transient, "so it is tried again within the hour"
    assert refusal.rules == ("has_rows", "in_warehouse")
    assert f"{C} is empty; the served version's rows are in the lake and not in the warehouse" in refusal.reason
    outcome = platform.run(W)
    assert not outcome.platform_fault
    assert outcome.message.endswith("What next: deliver the file again; it is tried by itself")
    assert len(platform.titles()) == 2
    refusal = refusals.get(platform.lake, W)
    assert refusal is not None
    assert (refusal.transient, refusal.rules) == (False, ("has_rows",))


def test_a_load_made_by_hand_takes_the_window_off_the_log(platform: Platform) -> None:
    deliver(platform.raw, W)
    with held_by_another(platform):
        platform.run(W)
    assert platform.run(W, assets=["imdb_movies"]).succeeded
    assert platform.lake.read("unprocessed.log") == b""


def test_one_window_that_cannot_be_loaded_never_holds_back_another(platform: Platform) -> None:
    for window in (W, NEXT, THIRD):
        deliver(platform.raw, window)
    platform.run(W, NEXT, THIRD, assets=["imdb_archive", "imdb_clean"])
    key = f"clean_files/{NEXT}.parquet"
    platform.lake.write(key, platform.lake.read(key).replace(b'"clean_rows": 2', b'"clean_rows": 9'))
    outcome = platform.run(W, NEXT, THIRD, assets=["imdb_movies"])
    assert outcome.platform_fault
    assert {window for window, _, _ in platform.titles("imdb_movie_windows")} == {W, THIRD}


def test_movies_are_what_the_windows_imply_after_any_sequence_of_loads_and_corrections(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    choice = random.Random(7)
    windows = list(span(W, shift(W, LENGTH * 5)))
    for step in range(8):
        chosen = sorted(choice.sample(windows, choice.randint(1, 3)))
        for window in chosen:
            movies = [movie(n, title=f"step {step}") for n in choice.sample(range(1, 7), choice.randint(1, 4))]
            pairs = [pair(n, choice.choice([10, 20])) for n in range(1, 7)]
            deliver(platform.raw, window, triplet(window, movies=movies, pairs=pairs))
            platform.run(window)
        implied = platform.warehouse.query(
            'SELECT * FROM imdb_movie_windows w WHERE "window" = '
            '(SELECT max("window") FROM imdb_movie_windows o WHERE o.movie_id = w.movie_id) ORDER BY ALL'
        )
        assert platform.warehouse.query("SELECT * FROM imdb_movies ORDER BY ALL").equals(implied)
        assert implied.num_rows > 0


def test_the_feed_runs_on_s3_as_on_disk(bucket: str, tmp_path: Path) -> None:
    on_s3 = Platform(tmp_path / "s3", raw=bucket + "/raw", lake=bucket + "/lake")
    on_disk = Platform(tmp_path / "disk")
    for platform in (on_s3, on_disk):
        deliver(platform.raw, W)
        deliver(platform.raw, NEXT, broken(NEXT))
        assert not platform.run(W, NEXT).succeeded
    assert products(open_store(bucket + "/lake")).keys() == products(on_disk.lake).keys()
    assert on_s3.titles() == on_disk.titles()


def test_a_backfill_of_the_ui_runs_in_ranges_of_bounded_size(platform: Platform) -> None:
    policy = platform.definitions.resolve_assets_def("imdb_movies").backfill_policy
    assert policy == dg.BackfillPolicy.multi_run(500)
