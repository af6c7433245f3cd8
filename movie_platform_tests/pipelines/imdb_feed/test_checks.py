"""The feed's checks say how all that was delivered stands, after any runs in any order."""

import random
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.lake import ObjectStore
from movie_platform.orchestration.corrections import of_newest
from movie_platform.pipelines.imdb_feed import checks, processing, summaries, transforms
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, A, C, W, deliver, movie, triplet

DAY = LENGTH * 144
WINDOWS = list(span(W, shift(W, LENGTH * 3)))
BAD_RATING, BAD_TITLE = triplet(movies=[movie(1), movie(2, imdb_rating=11)]), triplet(NEXT, movies=[movie(1, title="")])


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def broken(window: str) -> dict[str, bytes]:
    return {**triplet(window), f"{window}_type_C.csv": b""}


def failed(platform: Platform) -> set[str]:
    assert None not in platform.shown().values()
    return {name for name, passed in platform.shown().items() if not passed}


def table(evaluation: dg.AssetCheckEvaluation | None, name: str) -> list[dict[str, Any]]:
    assert evaluation is not None
    value = evaluation.metadata[name]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def says(evaluations: list[dg.AssetCheckEvaluation]) -> dict[str, tuple[Any, ...]]:
    return {of.check_name: (of.passed, of.description, dict(of.metadata)) for of in evaluations}


def test_a_refused_window_fails_its_rule_until_it_is_mended_whatever_else_runs(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    deliver(platform.raw, NEXT)
    platform.run(W)
    assert failed(platform) == {"has_rows"}
    platform.run(NEXT)
    assert failed(platform) == {"has_rows"}, "a good window's run says nothing else of the refused one"
    (row,) = table(platform.evaluations()["has_rows"], "refused windows")
    assert (row["window"], row["file"], row["reason"]) == (W, C, f"{C} is empty")
    assert row["what to do"] == "deliver the file again; it is tried by itself"
    assert row["since"]
    deliver(platform.raw, W)
    platform.run(W)
    assert failed(platform) == set()


def test_a_row_rule_names_window_file_record_and_value(platform: Platform) -> None:
    deliver(platform.raw, W, BAD_RATING)
    deliver(platform.raw, NEXT)
    platform.run(W)
    platform.run(NEXT)
    assert failed(platform) == {"imdb_rating_between_0_and_10"}
    evaluation = platform.evaluations()["imdb_rating_between_0_and_10"]
    assert evaluation is not None
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    (row,) = table(evaluation, "newest")
    assert (row["window"], row["file"], row["record"], row["value"]) == (W, A, 2, "imdb_rating: 11")
    assert row["since"]
    deliver(platform.raw, W)
    platform.run(W)
    assert failed(platform) == set()


def test_only_the_look_back_of_the_newest_window_is_judged(tmp_path: Path) -> None:
    platform = Platform(tmp_path, feed_lookback="10m")
    deliver(platform.raw, W, BAD_RATING)
    deliver(platform.raw, NEXT, BAD_TITLE)
    platform.run(W, NEXT)
    assert failed(platform) == {"imdb_rating_between_0_and_10", "title_not_null"}
    third = shift(NEXT, LENGTH)
    deliver(platform.raw, third)
    platform.run(third)
    assert failed(platform) == {"title_not_null"}
    platform.run(W)
    assert failed(platform) == {"title_not_null"}, "a backfill of an old window does not bring back what it broke"


@pytest.mark.parametrize("seed", range(3))
def test_runs_and_corrections_in_any_order_end_with_what_the_lake_says(tmp_path: Path, seed: int) -> None:
    platform, choice = Platform(tmp_path), random.Random(seed)
    for _ in range(6):
        window = choice.choice(WINDOWS)
        movies = [movie(1), movie(2, imdb_rating=choice.choice([5, 11]), title=choice.choice(["", "A title"]))]
        deliver(platform.raw, window, choice.choice([broken(window), triplet(window, movies=movies)]))
        platform.run(window)
        shown = [of for of in platform.evaluations().values() if of]
        # From the lake alone, by a platform that remembers nothing.
        platform.lake.delete([summaries.KEY])
        assert says(shown) == says(checks.evaluations(platform.lake, platform.settings.feed_lookback))


def test_a_window_that_does_not_conserve_its_rows_fails_the_account(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(platform.raw, W)
    deliver(platform.raw, NEXT)
    monkeypatch.setattr(transforms.CleanWindow, "conserved", property(lambda of: of.window != W))
    platform.run(W, NEXT)
    assert failed(platform) == {"rows_conserved"}
    assert {row["window"] for row in table(platform.evaluations()["rows_conserved"], "windows")} == {W}


def test_entries_of_the_summary_that_another_run_overwrote_are_read_again(lake: ObjectStore, raw: ObjectStore) -> None:
    for window in WINDOWS:
        deliver(raw, window, BAD_RATING if window == W else None)
        processing.process(raw, lake, window)
    whole = summaries.look_back(lake, DAY)
    assert list(whole) == WINDOWS
    kept = lake.read(summaries.KEY)
    for lost in (b"{}", b"no JSON", b'{"202601010000": ["of another version", {}]}', b'[["a list"]]'):
        lake.write(summaries.KEY, lost)
        assert summaries.look_back(lake, DAY) == whole
        assert lake.read(summaries.KEY) == kept


def test_a_lake_that_lost_its_newest_windows_is_judged_by_what_is_left(lake: ObjectStore, raw: ObjectStore) -> None:
    for window in (W, shift(W, DAY * 3)):
        deliver(raw, window)
        processing.process(raw, lake, window)
    assert list(summaries.look_back(lake, DAY)) == [shift(W, DAY * 3)]
    lake.delete([info.key for info in lake.objects(f"deliveries/imdb_feed/{shift(W, DAY * 3)}/")])
    assert list(summaries.look_back(lake, DAY)) == [W]


def test_receipts_of_earlier_versions_have_no_account_and_break_nothing(lake: ObjectStore, raw: ObjectStore) -> None:
    deliver(raw, W)
    processing.process(raw, lake, W)
    (receipt,) = [info.key for info in lake.objects(f"deliveries/imdb_feed/{W}/") if info.key.endswith(".receipt")]
    lake.write(receipt, b"")
    conserved = {of.check_name: of for of in checks.evaluations(lake, DAY)}["rows_conserved"]
    assert conserved.passed
    assert "1 of them have no account" in (conserved.description or "")


def test_the_sensor_evaluates_what_a_lost_run_left_out_and_says_it_once(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    processing.process(platform.raw, platform.lake, W)  # and its run died
    tick = platform.tick()
    reported = [event for event in tick.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert [event.check_name for event in reported if not event.passed] == ["has_rows"]
    for event in reported:
        platform.instance.report_runless_asset_event(event)
    assert failed(platform) == {"has_rows"}
    for _ in range(2):
        tick = platform.tick(tick.cursor)
        assert [event for event in tick.asset_events if isinstance(event, dg.AssetCheckEvaluation)] == []


def test_the_sensor_evaluates_what_a_run_planned_and_never_came_to(platform: Platform) -> None:
    deliver(platform.raw, W)
    platform.run(W)
    cursor = platform.tick().cursor
    job = platform.definitions.resolve_implicit_global_asset_job_def()
    checked = job.get_subset(asset_selection=set(), asset_check_selection=set(checks.KEYS))
    run = platform.instance.create_run_for_job(checked)
    platform.instance.report_run_canceling(run)
    tick = platform.tick(cursor)
    assert tick.asset_events == [], "a run under way is waited for"
    platform.instance.report_run_failed(run)
    reported = platform.tick(tick.cursor).asset_events
    assert len(reported) == len(checks.KEYS)
    for event in reported:
        platform.instance.report_runless_asset_event(event)
    assert failed(platform) == set()


def test_the_sensor_corrects_an_evaluation_that_was_overtaken(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    platform.run(W)
    late = [of for of in platform.evaluations().values() if of]
    deliver(platform.raw, W)
    platform.run(W)
    cursor = platform.tick().cursor
    for evaluation in of_newest(platform.instance, late):  # read before the correction, logged after it
        platform.instance.report_runless_asset_event(evaluation)
    assert failed(platform) == {"has_rows"}
    reported = [event for event in platform.tick(cursor).asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    for event in reported:
        platform.instance.report_runless_asset_event(event)
    assert "has_rows" in {event.check_name for event in reported}
    assert failed(platform) == set()


def test_the_sensor_shows_again_what_a_materialization_by_hand_hid(platform: Platform) -> None:
    deliver(platform.raw, W)
    platform.run(W)
    platform.instance.report_runless_asset_event(dg.AssetMaterialization("imdb_clean", partition=W))
    assert platform.shown()["rows_conserved"] is None
    for event in platform.tick().asset_events:
        platform.instance.report_runless_asset_event(event)
    assert platform.shown()["rows_conserved"]


def test_a_platform_without_data_reports_no_evaluation(platform: Platform) -> None:
    assert platform.tick().asset_events == []


def test_the_checks_can_be_run_by_themselves(platform: Platform) -> None:
    deliver(platform.raw, W, broken(W))
    processing.process(platform.raw, platform.lake, W)
    job = platform.definitions.resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection=set(), asset_check_selection=set(checks.KEYS))
    assert subset.execute_in_process(instance=platform.instance).success
    assert failed(platform) == {"has_rows"}


def test_a_run_plans_no_check_for_each_of_its_windows(platform: Platform) -> None:
    for window in WINDOWS:
        deliver(platform.raw, window)
    platform.run(*WINDOWS)
    (run,) = platform.instance.get_runs()
    kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    logged = [entry.get_dagster_event().event_type for entry in platform.instance.all_logs(run.run_id, of_type=kinds)]
    assert logged == [dg.DagsterEventType.ASSET_CHECK_EVALUATION] * 10
