"""User behavior as Dagster knows it."""

import dagster as dg

from movie_platform.orchestration.partitions import daily
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.orchestration.resources import opened
from movie_platform.orchestration.sensors import daily_sensor
from movie_platform.pipelines.user_behavior.assets import behavior_assets
from movie_platform.pipelines.user_behavior.checks import every_check
from movie_platform.pipelines.user_behavior.purchase_sources import purchase_source
from movie_platform.pipelines.user_behavior.rulesets import metric_ruleset
from movie_platform.pipelines.user_behavior.schedules import nightly_metric
from movie_platform.pipelines.user_behavior.source import SOURCE
from movie_platform.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    days, rules = daily(settings.behavior_start), metric_ruleset()
    checks = list(every_check(rules).values())
    return dg.Definitions(
        assets=behavior_assets(settings, days, rules),
        asset_checks=[of.definition() for of in checks],
        sensors=[daily_sensor(SOURCE, settings, checks=checks, name="movie_review_arrivals")],
        schedules=[nightly_metric(days), reconciliation(SOURCE, settings, minute=7)],
        resources={
            "purchase_source": opened(
                lambda: purchase_source(settings), f"Where purchases come from: {settings.purchases_table}"
            )
        },
    )
