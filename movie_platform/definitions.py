"""Everything Dagster knows of the platform, put together."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

# How Dagster hands a run's process what the code server found; it exports neither yet.
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

from movie_platform.feed_start import FeedStart
from movie_platform.monitoring.definitions import monitoring_definitions
from movie_platform.orchestration import platform_resources
from movie_platform.orchestration.asset_details import detailed
from movie_platform.orchestration.run_notices import run_sensors
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.report.definitions import report_definitions
from movie_platform.settings import Settings, load_settings

_FEED_START = "movie_platform/feed_start"


def build_defs(
    settings: Settings | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    pipelines: Sequence[str] = PIPELINES,
) -> dg.Definitions:
    """The platform under the given settings (the environment's by default); `resources` replaces some of its own."""
    settings = settings or load_settings()
    report = report_definitions(settings, pipelines)
    parts = [_detailed(import_module(f"{pipeline}.definitions"), settings, pipeline) for pipeline in pipelines]
    parts.append(_copy(report, assets=detailed(report.assets or (), settings, "platform", Path(__file__))))
    parts.append(monitoring_definitions(settings, pipelines))
    shared = platform_resources(settings, [source_of(pipeline).command for pipeline in pipelines])
    own = {name: resource for part in parts for name, resource in (part.resources or {}).items()}
    whole = dg.Definitions(sensors=run_sensors(), executor=dg.in_process_executor)
    merged = dg.Definitions.merge(*(_copy(part, resources=None) for part in parts), whole)
    return dg.Definitions.merge(merged, dg.Definitions(resources={**shared, **own, **(resources or {})}))


def _detailed(module: ModuleType, settings: Settings, pipeline: str) -> dg.Definitions:
    part: dg.Definitions = module.definitions(settings)
    defined_in = Path(str(module.__file__))
    return _copy(part, assets=detailed(part.assets or (), settings, source_of(pipeline).name, defined_in))


def _copy(part: dg.Definitions, **changes: Any) -> dg.Definitions:
    fields = ("assets", "asset_checks", "sensors", "schedules", "jobs", "resources")
    return dg.Definitions(**{**{name: getattr(part, name) for name in fields}, **changes})


@dg.definitions
def defs() -> dg.Definitions:
    """A run has the feed's windows of the code server that planned it, wherever a rolling start has moved since."""
    settings, loading = load_settings(), DefinitionsLoadContext.get()
    if loading.load_type is DefinitionsLoadType.INITIALIZATION:
        if settings.feed_start.is_rolling:
            loading.add_to_pending_reconstruction_metadata(_FEED_START, str(settings.feed_start))
    elif planned := loading.reconstruction_metadata.get(_FEED_START):
        settings = settings.model_copy(update={"feed_start": FeedStart(planned, is_rolling=True)})
    return build_defs(settings)
