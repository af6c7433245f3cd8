"""The data set as Dagster runs it: the newest delivery serves, whatever the order; what is wrong shows where it is."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.lake import open_store
from movie_platform.orchestration import events
from movie_platform.orchestration.events import DELIVER_AGAIN
from movie_platform.orchestration.runs import RunOutcome, run_partitions
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.settings import load_settings
from movie_platform.warehouse import FORCE, open_warehouse
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.pipelines.movies_dataset.zips import Row, movie, zip_of

TABLE_NAMES = [table.name for table in TABLES]
ANSWERS = [question.view for question in QUESTIONS]
GENRES = "[{'id': 35, 'name': 'Comedy'}]"
FILES: dict[str, list[Row]] = {
    "movies_metadata.csv": [movie(862, "Toy Story", genres=GENRES, budget="30", revenue="373", popularity="21.9")],
    "keywords.csv": [(862, "[{'id': 931, 'name': 'jealousy'}]"), (5, "[]")],
    "credits.csv": [("[]", "[]", 862)],
    "links.csv": [(1, "0114709", "862")],
    "ratings.csv": [(1, 1, 4.5, 1425941529), (1, 7, 0.5, 1425941530)],
}


class Platform:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = load_settings(
            raw_uri=(folder / "raw").as_uri(),
            lake_uri=(folder / "lake").as_uri(),
            warehouse=f"duckdb:///{folder}/warehouse.duckdb",
            dagster_home=folder / "dagster",
            **settings,
        )
        self.folder = folder
        self.raw, self.lake = open_store(self.settings.raw_uri), open_store(self.settings.lake_uri)
        self.definitions = build_defs(self.settings)
        self.instance = dg.DagsterInstance.ephemeral()

    def deliver(self, day: str | None = None, files: Mapping[str, Sequence[Row]] | None = None) -> Path:
        folder = self.folder / "raw" / "project-data" / (day or "")
        folder.mkdir(parents=True, exist_ok=True)
        return zip_of(folder / "the-movies-dataset.zip", files if files is not None else FILES)

    def run(self, day: str, *, answers: bool = False, **tags: str) -> RunOutcome:
        selection = [*TABLE_NAMES, *(ANSWERS if answers else [])]
        return run_partitions(self.definitions, selection, [day], self.instance, tags)

    def tick(self, cursor: str | None = None) -> Any:
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources={"raw_dataset": self.raw, "lake": self.lake},
        ) as context:
            return repository.get_sensor_def("movies_dataset_arrivals").evaluate_tick(context)

    def titles(self) -> list[str]:
        found = open_warehouse(self.settings).query("SELECT title FROM movies_master ORDER BY id")
        return list(found.column(0).to_pylist())

    def metadata(self, asset: str) -> Mapping[str, Any]:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}

    def checks(self, asset: str) -> dict[str, tuple[bool, str]]:
        """The last evaluation of each check of an asset: whether it passed, and what it says."""
        found: dict[str, tuple[bool, str]] = {}
        kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION}
        for run in self.instance.get_runs():
            for entry in reversed(self.instance.all_logs(run.run_id, of_type=kinds)):
                event = entry.get_dagster_event().asset_check_evaluation_data
                if event.asset_key == dg.AssetKey(asset):
                    found.setdefault(event.check_name, (event.passed, event.description or ""))
        return found


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_a_delivery_becomes_eight_tables_nine_answers_and_their_checks(platform: Platform) -> None:
    platform.deliver("2026-03-01")
    assert platform.run("2026-03-01", answers=True).succeeded
    assert platform.titles() == ["Toy Story"]
    folder = "movie_data_output/2026-03-01/"
    objects = {info.key.removeprefix(folder) for info in platform.lake.objects(folder)}
    answers = {f"answers/{name}.parquet" for name in ANSWERS}
    assert objects == {"errors.jsonl", "report.json", *answers, *(f"{name}.parquet" for name in TABLE_NAMES)}

    ratings = platform.metadata("ratings_master")
    assert ratings["dagster/partition_row_count"] == 2
    assert ratings["load"] == "loaded"
    assert ratings["dagster/column_lineage"].deps_by_column["user_id"] == [
        dg.TableColumnDep(dg.AssetKey("the_movies_dataset"), "ratings.csv: userId")
    ]
    profit = platform.metadata("genre_profit_by_year")
    assert profit["dagster/row_count"] == 1
    assert profit["chart"].startswith("![What profit has each genre had per year?](data:image/png;base64,")
    assert profit["the largest"].records[0].data == {
        "genre": "Comedy",
        "release_year": 1995,
        "total_profit": 343,
        "profit_as_published": 343,
        "movies": 1,
        "movies_known": 1,
        "movies_unknown": 0,
    }
    checks = platform.checks("ratings_master")
    assert checks["rows_conserved"] == (True, "2 records = 2 out + 0 merged + 0 rejected")
    assert checks["movies_known"] == (False, "1 of 2 rows are of movies that movies_master does not have")
    assert all(passed for name, (passed, _) in checks.items() if name != "movies_known")
    movies = platform.checks("movies_master")
    assert movies["amounts_plausible"] == (False, "2 are not: budget 30 of Toy Story, revenue 373 of Toy Story")
    assert all(passed for name, (passed, _) in movies.items() if name != "amounts_plausible")


@pytest.mark.parametrize("days", [("2026-03-01", "2026-03-02"), ("2026-03-02", "2026-03-01")])
def test_the_warehouse_ends_with_the_newest_delivery_whatever_the_order(
    platform: Platform, days: tuple[str, str]
) -> None:
    platform.deliver("2026-03-01", {"movies_metadata.csv": [movie(1, "Old")]})
    platform.deliver("2026-03-02", {"movies_metadata.csv": [movie(1, "New")]})
    for day in (*days, *days):
        assert platform.run(day).succeeded
    assert platform.titles() == ["New"]
    for day in days:
        assert platform.lake.info(f"movie_data_output/{day}/movies_master.parquet")


def test_a_delivery_that_takes_most_rows_out_of_one_table_is_refused_whole_unless_forced(platform: Platform) -> None:
    rated = {**FILES, "ratings.csv": [(1, number, 4.5, 1425941529) for number in range(10)]}
    platform.deliver("2026-03-01", rated)
    assert platform.run("2026-03-01").succeeded
    before = platform.titles()
    few = {
        **rated,
        "movies_metadata.csv": [movie(1, "New"), movie(2, "New too")],
        "ratings.csv": rated["ratings.csv"][:2],
    }
    platform.deliver("2026-03-02", few)
    outcome = platform.run("2026-03-02")
    assert (outcome.succeeded, outcome.platform_fault) == (False, False)
    assert "ratings_master holds 10 rows and this load would leave 2" in outcome.message
    assert platform.titles() == before
    assert platform.checks("ratings_master")["rows_conserved"][0]
    assert platform.run("2026-03-02", **{FORCE: "true"}).succeeded
    assert platform.titles() == ["New", "New too"]


def test_a_missing_file_skips_its_tables_with_a_warning_and_leaves_nothing_stale(platform: Platform) -> None:
    platform.deliver("2026-03-01")
    assert platform.run("2026-03-01").succeeded
    platform.deliver("2026-03-01", {name: rows for name, rows in FILES.items() if name != "keywords.csv"})
    assert platform.run("2026-03-01").succeeded
    assert platform.checks("keywords_master")["source_file_present"] == (
        False,
        "keywords.csv is not in the zip: skipped",
    )
    assert platform.lake.info("movie_data_output/2026-03-01/keywords_master.parquet") is None
    assert platform.lake.info("rejects/movies_dataset/2026-03-01/keywords.parquet") is None
    assert platform.lake.info("movie_data_output/2026-03-01/links_master.parquet")


def test_nothing_said_of_skipped_tables_is_more_than_a_warning(platform: Platform) -> None:
    platform.deliver("2026-03-01", {"movies_metadata.csv": FILES["movies_metadata.csv"]})
    assert platform.run("2026-03-01").succeeded
    (run,) = platform.instance.get_runs()
    entries = platform.instance.all_logs(run.run_id, of_type={dg.DagsterEventType.ASSET_CHECK_EVALUATION})
    failed = [e for entry in entries if not (e := entry.get_dagster_event().asset_check_evaluation_data).passed]
    assert {e.severity for e in failed} == {dg.AssetCheckSeverity.WARN}
    skipped = {e.check_name: e.description for e in failed if e.asset_key == dg.AssetKey("keywords_master")}
    assert skipped == {"source_file_present": "keywords.csv is not in the zip: skipped"}


def test_a_refused_zip_fails_the_run_with_its_reason_and_leaves_the_last_build(platform: Platform) -> None:
    path = platform.deliver("2026-03-01")
    assert platform.run("2026-03-01").succeeded
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("links.csv", "movieId,imdbId,tmdbId\n")
    outcome = platform.run("2026-03-01")
    assert (outcome.succeeded, outcome.platform_fault) == (False, False)
    assert "holds no movies_metadata.csv, and nothing can be built without it" in outcome.message
    for asset in ("movies_master", "links_master"):
        (observed,) = platform.instance.fetch_observations(dg.AssetKey(asset), limit=9).records
        assert "holds no movies_metadata.csv" in observed.asset_observation.metadata["reason"].value
        assert observed.asset_observation.metadata["what next"].value == DELIVER_AGAIN
    assert platform.titles() == ["Toy Story"]
    assert platform.lake.info("movie_data_output/2026-03-01/report.json")


def test_a_day_without_a_delivery_says_so(platform: Platform) -> None:
    outcome = platform.run("2026-03-05")
    assert (outcome.succeeded, outcome.platform_fault) == (False, False)
    assert "has no delivery for 2026-03-05" in outcome.message


def test_broken_rules_show_as_failed_checks(platform: Platform) -> None:
    files = {**FILES, "ratings.csv": [(1, 1, 7.5, 1425941529)], "movies_metadata.csv": [movie(862, genres="[{'i")]}
    platform.deliver("2026-03-01", files)
    assert platform.run("2026-03-01").succeeded
    failed = [name for name, (passed, _) in platform.checks("ratings_master").items() if not passed]
    assert len(failed) == 1
    assert "rating" in failed[0]
    assert platform.checks("movies_master")["cells_readable"] == (False, "set to null: 1 in genres")


def test_the_sensor_asks_for_new_and_replaced_deliveries_once(platform: Platform) -> None:
    assert platform.tick().skip_message == "Nothing new."
    platform.deliver("2026-03-01")
    undated = platform.deliver()
    os.utime(undated, (1_772_700_000, 1_772_700_000))  # 2026-03-05
    tick = platform.tick()
    assert [request.partition_key for request in tick.run_requests] == ["2026-03-01", "2026-03-05"]
    arrived = [event.partition for event in tick.asset_events if isinstance(event, dg.AssetMaterialization)]
    assert arrived == ["2026-03-01", "2026-03-05"]
    assert platform.tick(tick.cursor).run_requests == []
    platform.deliver("2026-03-01", {"movies_metadata.csv": [movie(1, "Replaced")]})
    (again,) = platform.tick(tick.cursor).run_requests
    assert again.partition_key == "2026-03-01"
    assert again.run_key != tick.run_requests[0].run_key


def test_what_is_beside_a_delivery_is_none_and_is_named(platform: Platform) -> None:
    name = "the-movies-dataset.zip"
    keys = ("notes.txt", "2026-03-01/other.zip", f"yesterday/{name}", f"2026-13-01/{name}", f"2026-03-01/a/{name}")
    for key in keys:
        platform.raw.write(f"project-data/{key}", b"x")
    tick = platform.tick()
    assert tick.run_requests == []
    assert tick.skip_message == "Nothing new. 5 keys are no delivery."
    (event,) = tick.asset_events
    assert {record.data["key"] for record in event.metadata["rejected keys"].records} == {
        f"project-data/{key}" for key in keys
    }
    assert platform.tick(tick.cursor).asset_events == []


def test_a_delivery_whose_run_met_a_busy_warehouse_is_loaded_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of its run: what the ledger does not show is owed."""
    monkeypatch.setattr(events, "RETRY_AFTER_SECONDS", 0)
    platform = Platform(tmp_path, warehouse_wait="0.2")
    platform.deliver("2026-03-01")
    asked = platform.tick()
    with held(tmp_path / "warehouse.duckdb.lock", "a report", Deadline.after(timedelta(seconds=1))):
        assert platform.run("2026-03-01").platform_fault
    assert platform.tick(asked.cursor).run_requests == []
    job = platform.definitions.resolve_job_def("movies_dataset_reconciliation")
    assert job.execute_in_process(instance=platform.instance).success
    (request,) = platform.tick(asked.cursor).run_requests
    assert request.partition_key == "2026-03-01"
    assert platform.run("2026-03-01").succeeded
    assert platform.titles() == ["Toy Story"]
    assert job.execute_in_process(instance=platform.instance).success
    assert platform.tick(asked.cursor).run_requests == []
