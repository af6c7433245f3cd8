"""A day's reviews to classify in bulk, and runs that have a job done."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from movie_platform.lake import ObjectStore
from movie_platform.orchestration.bulk import Bulk, bulk_of
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.classification import JOB
from movie_platform.samples import user_behavior as samples
from movie_platform.settings import Settings, load_settings

DAY = date(2026, 1, 5)
BULK_JOBS = "movie_platform_tests.orchestration.bulk_jobs"
SMALL = {"spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"}


def settings_of(lake: ObjectStore, engine: str, **spark_conf: str) -> Settings:
    return load_settings(lake_uri=lake.uri, engine=engine, spark_conf=SMALL | spark_conf)


def deliver(lake: ObjectStore, count: int, *, name: str = "movie_review.csv", **options: Any) -> None:
    lake.write(f"{reviews.raw_prefix(DAY)}{name}", samples.reviews(DAY, count, **options).content)


def classify(lake: ObjectStore, classifier: str) -> dict[str, Any]:
    """The parameters of the job that classifies the day's reviews."""
    return {"lake": lake.uri, "day": DAY.isoformat(), "classifier": classifier}


def run(settings: Settings, parameters: Mapping[str, Any], job: str = JOB) -> tuple[dict[str, Any], list[str]]:
    return run_on(bulk_of(settings), job, parameters)


def run_on(bulk: Bulk, job: str, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A job's result and what the run's log says, from a run of its own; raises what the job raised."""
    results: list[dict[str, Any]] = []
    failures: list[BaseException] = []

    @dg.asset
    def bulk_work(context: dg.AssetExecutionContext) -> None:
        try:
            results.append(bulk.run(context, job, asked))
        except BaseException as error:
            failures.append(error)
            raise

    with dg.DagsterInstance.ephemeral() as instance:
        outcome = dg.materialize([bulk_work], instance=instance, raise_on_error=False)
        logged = [entry.user_message for entry in instance.all_logs(outcome.run_id)]
    if failures:
        raise failures[0]
    return results[0], logged


CANCELLABLE = """
import sys
import dagster as dg
from movie_platform.orchestration.bulk import bulk_of
from movie_platform.settings import load_settings

job, engine, lake_uri = sys.argv[1:]
settings = load_settings(engine=engine, lake_uri=lake_uri, spark_conf={"spark.executor.memory": "512m"})

@dg.asset
def bulk_work(context: dg.AssetExecutionContext) -> None:
    bulk_of(settings).run(context, job, {})

dg.materialize([bulk_work])
"""
"""A program with one run that has a job done: its process is what a test interrupts."""
