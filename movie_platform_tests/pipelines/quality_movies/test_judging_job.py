"""A day that is judged on Spark leaves the same in the lake, and shows the same in its run, as one judged here."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.engine.jobs import Result, run_job
from movie_platform.engine.spark import SparkEngine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.progress import LogProgress
from movie_platform.samples.quality_movies import MovieCritic
from movie_platform.settings import load_settings
from movie_platform_tests.pipelines.quality_movies.conftest import RATING

DAY = "2026-03-01"
ASSETS = [dg.AssetKey(name) for name in ("quality_movies_evaluated", "quality_movies_bad", "quality_rule_outcomes")]
RULES = f"""Rules = [
    {RATING}, IsUnique "poster_link", IsComplete "series_title", RowCount > last(2),
    (Mean "meta_score" > 99) or (ColumnLength "gross" > 3 where "meta_score > 50")
]"""


class SparkHere:
    """Spark's session of the tests, asked as a driver elsewhere is: all that goes over is JSON."""

    engine = "spark"

    def __init__(self, spark: Any) -> None:
        self._spark = spark

    def run(self, context: Any, job: str, parameters: Mapping[str, Any]) -> Result:
        with SparkEngine(self._spark) as engine:
            result = run_job(job, json.loads(json.dumps(parameters)), engine, LogProgress())
        found: Result = json.loads(json.dumps(result))
        return found


def run(folder: Path, rules: str, bulk: Any = None, content: bytes | None = None) -> tuple[Any, ObjectStore]:
    """A day's run in a world of its own."""
    (folder / "rules.dqdl").write_text(rules)
    settings = load_settings(
        raw_uri=(folder / "raw").as_uri(),
        lake_uri=(folder / "lake").as_uri(),
        warehouse=f"duckdb:///{folder}/warehouse.duckdb",
        quality_ruleset=str(folder / "rules.dqdl"),
    )
    if content is not None:
        open_store(settings.raw_uri).write(f"input_data/{DAY}/movies.csv", content)
    definitions = build_defs(settings, resources={"bulk": bulk} if bulk else {})
    with dg.instance_for_test() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=ASSETS, partition_key=DAY, instance=instance, raise_on_error=False
        )
    return result, open_store(settings.lake_uri)


def shown(result: Any) -> Iterator[tuple[Any, ...]]:
    for check in result.get_asset_check_evaluations():
        yield check.check_name, check.passed, check.description, check.metadata
    for event in result.get_asset_materialization_events():
        materialized = event.step_materialization_data.materialization
        yield materialized.asset_key, materialized.metadata.get("state"), materialized.metadata.get("observations")


def products(lake: ObjectStore) -> dict[str, bytes]:
    """What is made of a delivery; records and receipts hold times and etags."""
    prefixes = ("stage/", "bad-records/", "rule_outcome/", "quality_history/")
    return {info.key: lake.read(info.key) for prefix in prefixes for info in lake.objects(prefix)}


def test_a_day_is_the_same_judged_here_and_on_spark(spark: Any, tmp_path: Path) -> None:
    content = MovieCritic(rows=300).delivery(DAY) + b'"torn, record\n'
    runs = []
    for name, bulk in (("here", None), ("spark", SparkHere(spark))):
        folder = tmp_path / name
        folder.mkdir()
        runs.append(run(folder, RULES, bulk, content))
    (here, lake_here), (there, lake_there) = runs

    assert here.success
    assert there.success
    left = products(lake_here)
    assert set(left) == set(products(lake_there))
    for key, data in products(lake_there).items():
        if not key.endswith(".parquet"):  # whose metadata names the version, which is a time
            assert data == left[key], key
    assert {key for key in left if key.startswith("bad-records/")}
    assert list(shown(there)) == list(shown(here))


def test_what_was_not_delivered_or_cannot_be_read_is_so_on_spark_too(spark: Any, tmp_path: Path) -> None:
    for name, content in (("nothing", None), ("unreadable", b"")):
        folder = tmp_path / name
        folder.mkdir()
        here, there = (run(folder, f"Rules = [ {RATING} ]", bulk, content)[0] for bulk in (None, SparkHere(spark)))
        assert there.success == here.success
        assert list(shown(there)) == list(shown(here))


def test_a_day_whose_rules_spark_cannot_judge_by_is_judged_in_the_run(tmp_path: Path) -> None:
    class NoDriver:
        engine = "spark"

    rules = 'Rules = [ CustomSql "select count(*) from primary" > 1 ]'
    result, lake = run(tmp_path, rules, NoDriver(), MovieCritic(rows=3).delivery(DAY))

    assert result.success
    assert any(key.startswith("rule_outcome/") for key in products(lake))


@pytest.mark.soak
def test_a_day_is_judged_by_a_driver_of_its_own(java: None, tmp_path: Path) -> None:
    from movie_platform.orchestration.bulk import SubprocessSpark

    settings = load_settings(lake_uri=(tmp_path / "lake").as_uri(), spark_conf={"spark.ui.enabled": "false"})
    result, lake = run(tmp_path, RULES, SubprocessSpark("local[1]", settings), MovieCritic(rows=300).delivery(DAY))
    assert result.success
    assert products(lake)
