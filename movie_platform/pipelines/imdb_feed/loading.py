"""From clean files to the warehouse, any number of windows in one load."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.arrivals import Loaded
from movie_platform.pipelines.imdb_feed.processing import CODE_VERSION, Provenance, clean_key, provenances
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS, IMDB_MOVIES
from movie_platform.warehouse import LatestPartition, LoadResult, PartitionLoad, Source, Warehouse, read_views
from movie_platform.warehouse import Provenance as LoadProvenance

REPLACED = "its clean file is no longer the one that this run made or found; the next run loads what lies there then"


@dataclass(frozen=True)
class Loads:
    """What came of each window's load; `failed` says why some are not in the warehouse."""

    results: tuple[LoadResult, ...] = ()
    failed: tuple[tuple[Provenance, str], ...] = ()


def load(
    warehouse: Warehouse, lake: ObjectStore, windows: Sequence[Provenance], *, run_id: str, force: bool = False
) -> Loads:
    """Replace the windows' rows, and recompute each movie that they touch.

    All windows go in one transaction. Where that fails for what a window holds, each is loaded by itself, so that one
    window does not keep the others out. A window whose clean file another run replaced since is not loaded: the ledger
    would say of one delivery's rows, for ever, that they are another's.
    """
    if not windows:
        return Loads()
    try:
        found = provenances(lake, [made.window for made in windows])
        kept = [made for made, lying in zip(windows, found, strict=True) if lying and lying.digest == made.digest]
        results = _load(warehouse, lake, kept, run_id=run_id, force=force) if kept else []
        replaced = {made.window for made in windows} - {made.window for made in kept}
        return Loads(tuple(results), tuple((made, REPLACED) for made in windows if made.window in replaced))
    except WorldUnavailable as error:
        return Loads(failed=tuple((made, str(error)) for made in windows))
    except Exception as error:
        if not isinstance(error, PlatformError):
            logging.getLogger(__name__).exception("%d windows could not be loaded", len(windows))
        if len(windows) == 1:
            return Loads(failed=((windows[0], f"{type(error).__name__}: {error}"),))
    alone = [load(warehouse, lake, [made], run_id=run_id, force=force) for made in windows]
    return Loads(
        tuple(result for loads in alone for result in loads.results),
        tuple(failure for loads in alone for failure in loads.failed),
    )


def _load(
    warehouse: Warehouse, lake: ObjectStore, windows: Sequence[Provenance], *, run_id: str, force: bool
) -> list[LoadResult]:
    results = warehouse.replace_partitions(
        IMDB_MOVIE_WINDOWS,
        [
            PartitionLoad(made.window, made.version, (Source(clean_key(made.window), made.digest, made.clean_rows),))
            for made in windows
        ],
        lake=lake,
        provenance=LoadProvenance(CODE_VERSION, run_id=run_id),
        derived=[LatestPartition(IMDB_MOVIES, key=("movie_id",))],
        force=force,
    )
    # After a skipped load too: the one before it may have ended just short of them.
    if any(result.outcome != "refused" for result in results):
        warehouse.create_views(read_views("movie_platform.pipelines.imdb_feed"))
    return results


def last_loads(warehouse: Warehouse) -> dict[str, Loaded]:
    """The last committed load of each window."""
    return {
        row.partition: Loaded(row.source_digests, row.version, row.ended)
        for row in warehouse.ledger(IMDB_MOVIE_WINDOWS)
    }
