"""The watch as Dagster knows it."""

from collections.abc import Sequence

import dagster as dg

from movie_platform.monitoring.checks import delivery_checks
from movie_platform.monitoring.sensors import watch_sensor
from movie_platform.orchestration.lineage import lineage_sensor
from movie_platform.pipelines import source_of
from movie_platform.settings import Settings


def monitoring_definitions(settings: Settings, pipelines: Sequence[str]) -> dg.Definitions:
    sources = [source_of(pipeline) for pipeline in pipelines]
    sensors = [watch_sensor(settings, sources), *([lineage_sensor(settings)] if settings.lineage else [])]
    return dg.Definitions(asset_checks=[delivery_checks(settings, sources)], sensors=sensors)
