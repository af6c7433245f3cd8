"""The quality movies as Dagster knows them."""

import dagster as dg

from movie_platform.orchestration.events import raw_asset
from movie_platform.orchestration.partitions import daily
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.orchestration.sensors import daily_sensor
from movie_platform.pipelines.quality_movies.assets import GROUP, good_movies, judged_movies, measured_movies
from movie_platform.pipelines.quality_movies.checks import day_checks, rule_checks
from movie_platform.pipelines.quality_movies.rulesets import ruleset_in_use
from movie_platform.pipelines.quality_movies.source import SOURCE
from movie_platform.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    days = daily(settings.quality_start)
    rules = ruleset_in_use(settings)
    checks = day_checks(rules)

    def broken_rules() -> tuple[str, dg.AssetCheckEvaluation] | None:
        evaluation = rule_checks(rules).broken()
        return (f"{rules.name} cannot be read: {rules.problem}", evaluation) if evaluation else None

    return dg.Definitions(
        assets=[
            raw_asset(SOURCE, days, GROUP),
            judged_movies(days, rules, settings.quality_nulls),
            good_movies(days),
            measured_movies(days),
        ],
        asset_checks=[checks.definition()],
        sensors=[daily_sensor(SOURCE, settings, checks=[checks], broken_rules=broken_rules)],
        schedules=[reconciliation(SOURCE, settings, minute=37)],
    )
