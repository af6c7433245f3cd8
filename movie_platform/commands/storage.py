"""Lake and warehouse in the terminal: make the warehouse anew, and compare the lake with its manifests."""

from collections.abc import Sequence

import click

from movie_platform.commands.terminal import err, out, safe
from movie_platform.deliveries.verification import verified
from movie_platform.errors import SettingsError
from movie_platform.lake import open_store
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.settings import load_settings

RUN_ID = "movie-platform warehouse rebuild"


@click.group("warehouse")
def warehouse() -> None:
    """The warehouse as a whole."""


@warehouse.command("rebuild")
@click.option("--without", multiple=True, metavar="TABLE", help="Do without a table that the lake does not hold.")
def rebuild_warehouse(without: Sequence[str]) -> None:
    """Make the embedded warehouse's file anew from the lake. The old file stays beside it under another name.

    Tables that the lake does not hold, such as sample purchases, are taken over from the old file, or from its
    published copy where the old one is damaged; without either, the command refuses and names them.
    """
    from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
    from movie_platform.warehouse import Warehouse, open_warehouse
    from movie_platform.warehouse.duckdb import DuckDBWarehouse
    from movie_platform.warehouse.duckdb.rebuilding import rebuild

    settings = load_settings()
    current = open_warehouse(settings)
    if not isinstance(current, DuckDBWarehouse):
        raise SettingsError(
            f"MOVIE_PLATFORM_WAREHOUSE is {settings.warehouse}, and only the embedded warehouse is a file that can be "
            "made anew: drop the tables there, `loads` included, and run each source again"
        )
    lake = open_store(settings.lake_uri, settings.s3_waits)

    def load(into: Warehouse) -> None:
        for pipeline in PIPELINES:
            source = source_of(pipeline)
            count = source.load_all(into, lake, RUN_ID)
            out.print(safe(f"{source.title}: {count} {source.partition}s loaded"))

    purchases = [USER_PURCHASE.qualified_name] if settings.purchases == "warehouse" else []
    done = rebuild(current, load, not_from_lake=purchases, without=without)
    for table in done.carried_over:
        out.print(safe(f"{table}: taken over from the old file"))
    out.print(safe(f"{current.path} is made anew" + (f"; the old file is {done.kept_as}" if done.kept_as else "")))


@click.group("lake")
def lake() -> None:
    """The lake as a whole."""


@lake.command("verify")
def verify_lake() -> None:
    """Compare every object of the lake with the manifest or receipt that names it; end with 1 where one differs."""
    settings = load_settings()
    store = open_store(settings.lake_uri, settings.s3_waits)
    objects, damaged = 0, 0
    for pipeline in PIPELINES:
        found = verified(store, source_of(pipeline))
        objects += found.objects
        for problem in found.damaged:
            err.print(safe(problem))
        damaged += len(found.damaged)
    out.print(safe(f"{objects} objects compared, {damaged} problems"))
    if damaged:
        raise SystemExit(1)
