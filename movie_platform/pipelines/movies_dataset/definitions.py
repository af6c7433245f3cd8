"""The Movies Dataset as Dagster knows it."""

import dagster as dg

from movie_platform.orchestration.events import raw_asset
from movie_platform.orchestration.partitions import daily
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.orchestration.sensors import daily_sensor
from movie_platform.pipelines.movies_dataset.assets import GROUP, dataset_answers, dataset_tables
from movie_platform.pipelines.movies_dataset.checks import day_checks, ruleset_checks
from movie_platform.pipelines.movies_dataset.ruleset_evaluation import ruleset_files
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    days = daily(settings.dataset_start)
    checks = day_checks(ruleset_checks(ruleset_files()))
    return dg.Definitions(
        assets=[raw_asset(SOURCE, days, GROUP), dataset_tables(days, settings), dataset_answers()],
        asset_checks=[checks.definition()],
        sensors=[daily_sensor(SOURCE, settings, checks=[checks])],
        schedules=[reconciliation(SOURCE, settings, minute=47)],
    )
