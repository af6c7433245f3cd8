"""User behavior as Dagster knows it."""

import dagster as dg

from movie_platform.orchestration.partitions import daily
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.orchestration.resources import opened
from movie_platform.orchestration.sensors import daily_sensor
from movie_platform.pipelines.user_behavior.assets import behavior_assets
from movie_platform.pipelines.user_behavior.purchases import purchase_source
from movie_platform.pipelines.user_behavior.schedules import nightly_metric
from movie_platform.pipelines.user_behavior.source import SOURCE
from movie_platform.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    days = daily(settings.behavior_start)
    return dg.Definitions(
        assets=behavior_assets(settings, days),
        sensors=[daily_sensor(SOURCE, settings, name="movie_review_arrivals")],
        schedules=[nightly_metric(days), reconciliation(SOURCE, settings, minute=7)],
        resources={
            "purchase_source": opened(
                lambda: purchase_source(settings), f"Where purchases come from: {settings.purchases_table}"
            )
        },
    )
