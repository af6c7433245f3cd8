"""The pipeline as Dagster runs it: rules are checks, good days load, blocked and broken ones show why."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.lake import ObjectStore, open_store
from movie_platform.notify import Notice, Notifier
from movie_platform.orchestration.ruleset_checks import RULESET_PARSES
from movie_platform.pipelines.quality_movies.assets import REPLAY
from movie_platform.pipelines.quality_movies.checks import rule_checks
from movie_platform.quality import read_ruleset_file
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform_tests.pipelines.quality_movies.conftest import RATING, delivery, movie

DAY = "2026-03-01"
KEY = f"input_data/{DAY}/movies.csv"
EVALUATED = "quality_movies_evaluated"
ASSETS = (EVALUATED, "quality_movies_bad", "quality_rule_outcomes", "quality_movies_good", "quality_history")
ACCOUNT = {"rows_conserved", "records_readable", "rows_fit_table", "columns_present"}


class Pager:
    name = "pager"

    def __init__(self) -> None:
        self.heard: list[Notice] = []

    def send(self, notice: Notice) -> None:
        self.heard.append(notice)

    def examine(self) -> str:
        return "rings"


@dataclass
class Platform:
    settings: Settings
    rules: Path
    raw: ObjectStore
    lake: ObjectStore
    instance: dg.DagsterInstance
    pager: Pager

    def definitions(self) -> dg.Definitions:
        return build_defs(self.settings, resources={"notifier": Notifier([self.pager], ui="http://ui")})

    def run(self, day: str = DAY, *, tags: dict[str, str] | None = None, assets: Any = ASSETS) -> Any:
        job = self.definitions().resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=[dg.AssetKey(name) for name in assets],
            partition_key=day,
            instance=self.instance,
            tags=tags or {},
            raise_on_error=False,
        )

    def tick(self, cursor: str | None = None) -> Any:
        repository = self.definitions().get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources={"raw_quality": self.raw, "lake": self.lake, "notifier": Notifier([self.pager])},
        ) as context:
            return repository.get_sensor_def("quality_movies_arrivals").evaluate_tick(context)

    def ask(self, question: str) -> list[Any]:
        return open_warehouse(self.settings).query(question).to_pylist()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    rules = tmp_path / "rules.dqdl"
    rules.write_text(f"Rules = [ {RATING}, RowCount > 10 ]")
    settings = load_settings(
        raw_uri=(tmp_path / "raw").as_uri(),
        lake_uri=(tmp_path / "lake").as_uri(),
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
        quality_ruleset=str(rules),
    )
    with dg.instance_for_test() as instance:
        yield Platform(settings, rules, open_store(settings.raw_uri), open_store(settings.lake_uri), instance, Pager())


def checks(result: Any) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def materialized(result: Any) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def failure(result: Any) -> str:
    (event,) = result.get_step_failure_events()
    return str(event.step_failure_data.user_failure_data.description)


def test_a_day_with_bad_rows_is_a_success_that_shows_its_failed_checks(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    result = platform.run()
    assert result.success
    assert materialized(result) == set(ASSETS)
    found = checks(result)
    assert set(found) == {"imdb_rating_column_values_between_8_5_and_10_3", "row_count_above_10", *ACCOUNT}
    assert {name for name, check in found.items() if not check.passed} == {
        "imdb_rating_column_values_between_8_5_and_10_3",
        "row_count_above_10",
    }
    assert found["row_count_above_10"].severity == dg.AssetCheckSeverity.WARN
    assert found["rows_conserved"].description == "2 records = 1 good + 1 bad"
    assert platform.ask("SELECT series_title FROM movies.imdb_movies_rating") == [{"series_title": "Good"}]


def shown(platform: Platform) -> dict[str, tuple[bool, Any]]:
    """What the UI's badges say, and of which day."""
    keys = rule_checks(read_ruleset_file(platform.rules)).specs
    records = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key([of.key for of in keys])
    last = {key.name: record.evaluation for key, record in records.items()}
    return {name: (of.passed, of.metadata["day"].value) for name, of in last.items()}


@pytest.mark.parametrize("order", list(permutations(["2026-03-01", "2026-03-02", "2026-03-03"])))
def test_checks_are_of_the_newest_day_in_whichever_order_days_are_run(
    platform: Platform, order: tuple[str, ...]
) -> None:
    platform.rules.write_text(f'Rules = [ {RATING}, RowCount > 1 labels = ["action" = "block"] ]')
    for day, count in {"2026-03-01": 2, "2026-03-02": 1, "2026-03-03": 2}.items():
        platform.raw.write(f"input_data/{day}/movies.csv", delivery(*[movie("Good")] * count))
    for number, day in enumerate(order, start=1):
        platform.run(day)
        newest = max(order[:number])
        assert shown(platform)["row_count_above_1"] == (newest != "2026-03-02", newest)


def test_a_blocked_newest_day_fails_until_a_newer_one_or_a_correction_is_judged(platform: Platform) -> None:
    platform.rules.write_text(f'Rules = [ {RATING}, RowCount > 1 labels = ["action" = "block"] ]')
    platform.raw.write(KEY, delivery(movie("Alone")))
    platform.run()
    assert shown(platform)["row_count_above_1"] == (False, DAY)
    history = platform.instance.get_latest_materialization_event(dg.AssetKey("quality_rule_outcomes"))
    assert history is not None
    assert "row_count_above_1" in history.asset_materialization.metadata["failed"].value
    platform.raw.write(KEY, delivery(movie("Two"), movie("Of them")))
    platform.run()
    assert shown(platform)["row_count_above_1"] == (True, DAY)


def test_the_sensor_says_what_a_run_that_died_did_not(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(*[movie("Good")] * 11))
    platform.run()
    cursor = platform.tick().cursor
    wrong = dg.AssetCheckEvaluation(dg.AssetKey("quality_movies_evaluated"), "row_count_above_10", passed=False)
    platform.instance.report_runless_asset_event(wrong)
    (event,) = [of for of in platform.tick(cursor).asset_events if isinstance(of, dg.AssetCheckEvaluation)]
    assert (event.check_name, event.passed, event.metadata["day"].value) == ("row_count_above_10", True, DAY)


def test_a_blocked_day_writes_what_is_bad_and_loads_nothing(platform: Platform) -> None:
    platform.rules.write_text(f'Rules = [ {RATING}, RowCount > 10 labels = ["action" = "block"] ]')
    platform.raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    result = platform.run()
    assert not result.success
    assert "RowCount > 10" in failure(result)
    assert "nothing is loaded for the day" in failure(result)
    assert materialized(result) == set(ASSETS) - {"quality_movies_good"}
    (observed,) = platform.instance.fetch_observations(dg.AssetKey("quality_movies_good"), limit=9).records
    assert "RowCount > 10" in observed.asset_observation.metadata["reason"].value
    assert observed.partition_key == DAY
    assert checks(result)["row_count_above_10"].severity == dg.AssetCheckSeverity.ERROR
    assert platform.lake.info(f"bad-records/quality_movies/{DAY}.parquet")
    assert "NOT LOADED" in platform.pager.heard[0].subject


def test_a_file_that_cannot_be_read_fails_the_check_for_that_and_judges_nothing_else(platform: Platform) -> None:
    platform.raw.write(KEY, b"")
    result = platform.run()
    assert "not even a header" in failure(result)
    assert materialized(result) == {"quality_rule_outcomes"}
    assert {name: check.passed for name, check in checks(result).items()} == {"records_readable": False}


def test_a_day_without_a_delivery_is_neither_made_nor_failed(platform: Platform) -> None:
    result = platform.run()
    assert result.success
    assert materialized(result) == set()
    assert platform.pager.heard == []


def test_editing_the_file_changes_the_checks_and_nothing_else(platform: Platform) -> None:
    def shown() -> tuple[set[str], set[str]]:
        definitions = platform.definitions()
        specs = definitions.resolve_asset_graph().asset_check_keys
        names = {key.name for key in specs if key.asset_key == dg.AssetKey(EVALUATED)}
        return names, {spec.key.to_user_string() for spec in definitions.resolve_all_asset_specs()}

    before, assets_before = shown()
    platform.rules.write_text(f'Rules = [ {RATING}, IsComplete "genre" ]')
    after, assets_after = shown()
    assert after - before == {"genre_is_complete"}
    assert before - after == {"row_count_above_10"}
    assert assets_before == assets_after


def test_a_file_that_does_not_parse_is_one_failing_check_and_the_location_loads(platform: Platform) -> None:
    platform.rules.write_text("Rules = [ RowCount > ]")
    dg.Definitions.validate_loadable(platform.definitions())
    platform.raw.write(KEY, delivery(movie("Good")))
    result = platform.run()
    assert not result.success
    assert "line 1, column" in failure(result)
    assert not checks(result)[RULESET_PARSES].passed
    assert set(checks(result)) == {RULESET_PARSES}, "what was not judged is not evaluated"
    assert platform.lake.info(f"rule_outcome/{DAY}.json") is None


def test_an_evaluation_is_told_once_until_it_comes_out_otherwise(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    for _ in range(2):
        platform.run()
    (notice,) = platform.pager.heard
    assert notice.subject == f"RULES NOT PASSED: quality_movies {DAY}: 2 of 2 rules not passed, score 0 %"
    assert "1 of 2 rows" in notice.body
    assert "http://ui/runs/" in notice.body
    platform.raw.write(KEY, delivery(movie("Good"), movie("Better")))
    platform.run()
    assert len(platform.pager.heard) == 2


def test_a_replay_releases_and_loads_what_passes_now(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("A"), movie("B", "8.2"), movie("C", "7.0")))
    platform.run()
    platform.rules.write_text('Rules = [ ColumnValues "imdb_rating" > 8 ]')
    assert platform.run(tags={REPLAY: "true"}).success
    titles = [row["series_title"] for row in platform.ask("SELECT * FROM movies.imdb_movies_rating ORDER BY 2")]
    assert titles == ["A", "B"]


def test_the_load_can_be_repeated_by_itself(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("Good")))
    platform.run()
    (event,) = platform.run(assets=["quality_movies_good"]).get_asset_materialization_events()
    assert event.materialization.metadata["load"].value == "skipped"


def test_some_of_the_assets_can_be_run_alone(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    assert materialized(platform.run(assets=["quality_movies_bad"])) == {"quality_movies_bad"}


class TestSensor:
    def test_a_delivery_is_reported_and_asked_for_once(self, platform: Platform) -> None:
        platform.raw.write(KEY, delivery(movie("Good")))
        first = platform.tick()
        assert [request.partition_key for request in first.run_requests or []] == [DAY]
        assert {str(event.partition) for event in first.asset_events} == {DAY}
        second = platform.tick(first.cursor)
        assert not second.run_requests
        assert not second.asset_events

    def test_while_the_ruleset_is_broken_deliveries_wait_and_one_check_fails(self, platform: Platform) -> None:
        platform.raw.write(KEY, delivery(movie("Good")))
        good = platform.rules.read_text()
        platform.rules.write_text("Rules = [")
        first = platform.tick()
        assert not first.run_requests
        (event,) = first.asset_events
        assert isinstance(event, dg.AssetCheckEvaluation)
        assert (event.check_name, event.passed) == (RULESET_PARSES, False)
        (notice,) = platform.pager.heard
        assert notice.subject.startswith("RULESET UNREADABLE: quality_movies: ")
        second = platform.tick(first.cursor)
        assert not second.asset_events
        assert len(platform.pager.heard) == 1
        platform.rules.write_text(good)
        third = platform.tick(second.cursor)
        assert [request.partition_key for request in third.run_requests or []] == [DAY]

    def test_a_raw_side_that_is_away_moves_nothing(self, platform: Platform, aws: str) -> None:
        platform.raw = open_store("s3://a-bucket-that-is-not-there")
        result = platform.tick('{"seen": {}, "older": "", "checked": "", "told": ""}')
        assert not result.run_requests
        assert json.loads(str(result.cursor)) == {"seen": {}, "older": "", "checked": "", "told": ""}


def test_a_day_that_was_judged_while_the_warehouse_was_away_is_loaded_in_the_end(platform: Platform) -> None:
    platform.raw.write(KEY, delivery(movie("Good")))
    platform.run(assets=ASSETS[:3])
    before = platform.tick()
    assert not before.run_requests
    job = platform.definitions().resolve_job_def("quality_movies_reconciliation")
    assert job.execute_in_process(instance=platform.instance).success
    (request,) = platform.tick(before.cursor).run_requests or []
    assert request.partition_key == DAY
    assert platform.run(str(request.partition_key)).success
    assert platform.ask("SELECT series_title FROM movies.imdb_movies_rating") == [{"series_title": "Good"}]


def test_on_s3_with_a_catalog_the_whole_day_is_loaded_and_registered(platform: Platform, bucket: str) -> None:
    import boto3

    changes = {"raw_uri": f"{bucket}/raw", "lake_uri": f"{bucket}/lake", "catalog_database": "movies_of_a_test"}
    platform.settings = platform.settings.model_copy(update=changes)
    open_store(f"{bucket}/raw").write(KEY, delivery(movie("Good"), movie("Bad", "8.0")))
    assert platform.run().success
    assert platform.ask("SELECT series_title FROM movies.imdb_movies_rating") == [{"series_title": "Good"}]
    tables = boto3.client("glue").get_tables(DatabaseName="movies_of_a_test")["TableList"]
    assert {table["Name"] for table in tables} == {
        "quality_movies_input_data",
        "quality_movies_bad_records",
        "quality_movies_rule_outcome",
    }


def test_a_catalog_that_is_away_holds_back_no_rows(
    platform: Platform, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    changes = {"lake_uri": f"{bucket}/lake", "catalog_database": "movies_of_a_test"}
    platform.settings = platform.settings.model_copy(update=changes)
    platform.raw.write(KEY, delivery(movie("Good")))
    assert platform.run().success


@pytest.mark.parametrize(("name", "count"), [("rating", 4), ("recommended", 42), ("recommended+rating", 43)])
def test_the_shipped_rulesets_become_checks(platform: Platform, name: str, count: int) -> None:
    definitions = build_defs(platform.settings.model_copy(update={"quality_ruleset": name}))
    keys = definitions.resolve_asset_graph().asset_check_keys
    rules = [key for key in keys if key.asset_key == dg.AssetKey(EVALUATED) and key.name not in ACCOUNT]
    assert len(rules) == count
