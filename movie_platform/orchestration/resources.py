"""Stores, warehouse and progress as resources. Each is opened by the run or tick that uses it, never at load."""

from collections.abc import Callable
from typing import Any, Literal

import dagster as dg

from movie_platform.lake import open_store
from movie_platform.notify import open_notifier, read_routes
from movie_platform.orchestration.bulk import bulk_of
from movie_platform.progress import LogProgress
from movie_platform.settings import Settings
from movie_platform.warehouse import open_warehouse
from movie_platform.warehouse.catalog import open_catalog

Source = Literal["feed", "dataset", "quality", "behavior"]


def platform_resources(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """`raw_<source>` for each source and the shared rooms, as the settings name them; without a catalog it is None."""
    sources: tuple[Source, ...] = ("feed", "dataset", "quality", "behavior")
    raw = {f"raw_{source}": _store(settings.source_uri(source)) for source in sources}
    routes = read_routes(settings.notify_rules, settings.notify)  # at load: a wrong rule stops the start
    return {
        **raw,
        "lake": _store(settings.lake_uri, sweep=True),
        "warehouse": _opened(lambda: open_warehouse(settings), f"The warehouse at {settings.warehouse}"),
        "catalog": _opened(
            lambda: open_catalog(settings, open_store(settings.lake_uri)),
            f"The Glue catalog's database {settings.catalog_database or '(none is set)'}",
        ),
        "notifier": _opened(
            lambda: open_notifier(settings.notify, ui=settings.ui_uri, addresses=settings.notify_urls, routes=routes),
            f"Who hears: {', '.join(settings.notify)}",
        ),
        "bulk": _opened(lambda: bulk_of(settings), f"Where bulk work is done: {settings.engine}"),
        "purchase_source": _opened(
            lambda: _purchase_source(settings), f"Where purchases come from: {settings.purchases_table}"
        ),
        "progress": _opened(LogProgress, "How far a run is, in its log"),
    }


def _purchase_source(settings: Settings) -> Any:
    from movie_platform.pipelines.user_behavior.purchases import purchase_source

    return purchase_source(settings)


def _store(uri: str, *, sweep: bool = False) -> dg.ResourceDefinition:
    def open_swept() -> Any:
        store = open_store(uri)
        if sweep:
            store.sweep()
        return store

    return _opened(open_swept, f"Objects below {uri}")


def _opened(how: Callable[[], Any], description: str) -> dg.ResourceDefinition:
    return dg.ResourceDefinition(lambda _: how(), description=description)
