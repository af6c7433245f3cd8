"""Everything Dagster knows of the platform, put together."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import dagster as dg

from movie_platform.monitoring.definitions import monitoring_definitions
from movie_platform.orchestration import platform_resources
from movie_platform.orchestration.run_notices import run_sensors
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.report.definitions import report_definitions
from movie_platform.settings import Settings, load_settings


def build_defs(
    settings: Settings | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    pipelines: Sequence[str] = PIPELINES,
) -> dg.Definitions:
    """The platform under the given settings (the environment's by default); `resources` replaces some of its own."""
    settings = settings or load_settings()
    parts = [import_module(f"{pipeline}.definitions").definitions(settings) for pipeline in pipelines]
    parts.append(report_definitions(settings, pipelines))
    parts.append(monitoring_definitions(settings, pipelines))
    shared = platform_resources(settings, [source_of(pipeline).command for pipeline in pipelines])
    own = {name: resource for part in parts for name, resource in (part.resources or {}).items()}
    whole = dg.Definitions(sensors=run_sensors(), executor=dg.in_process_executor)
    merged = dg.Definitions.merge(*(_without_resources(part) for part in parts), whole)
    return dg.Definitions.merge(merged, dg.Definitions(resources={**shared, **own, **(resources or {})}))


def _without_resources(part: dg.Definitions) -> dg.Definitions:
    return dg.Definitions(
        assets=part.assets,
        asset_checks=part.asset_checks,
        sensors=part.sensors,
        schedules=part.schedules,
        jobs=part.jobs,
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
