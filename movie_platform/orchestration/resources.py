"""Stores, warehouse and progress as resources. Each is opened by the run or tick that uses it, never at load."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg

from movie_platform.lake import open_store
from movie_platform.notify import open_notifier, read_routes
from movie_platform.orchestration.bulk import bulk_of
from movie_platform.progress import LogProgress
from movie_platform.settings import Settings
from movie_platform.waits import Waits


def platform_resources(settings: Settings, sources: Iterable[str]) -> dict[str, dg.ResourceDefinition]:
    """`raw_<source>` for each source and the shared rooms, as the settings name them; without a catalog it is None."""
    raw = {f"raw_{source}": _store(settings.source_uri(source), settings.s3_waits) for source in sources}
    routes = read_routes(settings.notify_rules, settings.notify)  # at load: a wrong rule stops the start
    return {
        **raw,
        "lake": _store(settings.lake_uri, settings.s3_waits, sweep=True),
        "warehouse": opened(lambda: _warehouse(settings), f"The warehouse at {settings.warehouse}"),
        "catalog": opened(
            lambda: _catalog(settings),
            f"The Glue catalog's database {settings.catalog_database or '(none is set)'}",
        ),
        "notifier": opened(
            lambda: open_notifier(
                settings.notify,
                ui=settings.ui_uri,
                addresses=settings.notify_urls,
                routes=routes,
                waits=settings.aws_waits,
            ),
            f"Who hears: {', '.join(settings.notify)}",
        ),
        "bulk": opened(lambda: bulk_of(settings), f"Where bulk work is done: {settings.engine}"),
        "progress": opened(LogProgress, "How far a run is, in its log"),
    }


def _warehouse(settings: Settings) -> Any:
    from movie_platform.warehouse import open_warehouse

    return open_warehouse(settings)


def _catalog(settings: Settings) -> Any:
    from movie_platform.warehouse.catalog import open_catalog

    return open_catalog(settings, open_store(settings.lake_uri, settings.s3_waits))


def _store(uri: str, waits: Waits, *, sweep: bool = False) -> dg.ResourceDefinition:
    def open_swept() -> Any:
        store = open_store(uri, waits)
        if sweep:
            store.sweep()
        return store

    return opened(open_swept, f"Objects below {uri}")


def opened(how: Callable[[], Any], description: str) -> dg.ResourceDefinition:
    """A resource that is opened by the run or tick that uses it."""
    return dg.ResourceDefinition(lambda _: how(), description=description)
