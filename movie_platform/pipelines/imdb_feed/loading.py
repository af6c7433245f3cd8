"""From clean files to the warehouse, any number of windows in one load."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from movie_platform.deliveries import manifests
from movie_platform.deliveries.receipts import Standing
from movie_platform.errors import PlatformError, WarehouseDamaged, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.deliveries import NAME
from movie_platform.pipelines.imdb_feed.processing import (
    CODE_VERSION,
    Provenance,
    clean_key,
    processed_windows,
    provenances,
    renumbered,
)
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS, IMDB_MOVIES
from movie_platform.warehouse import LatestPartition, LoadResult, PartitionLoad, Source, Warehouse, read_views
from movie_platform.warehouse import Provenance as LoadProvenance

GONE = "its clean file, which this run made or found, is not there any more; it is made again by itself"


LOADED_TOGETHER = 500
"""Windows of one transaction where all are loaded anew."""


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
    window does not keep the others out. A window whose clean file another run replaced since is that run's to load, and
    the reconciliation's should it get lost: the ledger would say of one delivery's rows that they are another's.
    """
    kept: list[Provenance] = []
    failed: list[tuple[Provenance, str]] = []
    found = provenances(lake, [made.window for made in windows])
    for made, clean in zip(windows, found, strict=True):
        if isinstance(clean, PlatformError):
            failed.append((made, str(clean)))
        elif clean is None:
            failed.append((made, GONE))
        elif (clean.digest, clean.version) == (made.digest, made.version):
            kept.append(clean)
    loads = _load_together(warehouse, lake, kept, run_id=run_id, force=force)
    return Loads(loads.results, (*failed, *loads.failed))


def _load_together(
    warehouse: Warehouse, lake: ObjectStore, windows: Sequence[Provenance], *, run_id: str, force: bool
) -> Loads:
    if not windows:
        return Loads()
    try:
        results = _load(warehouse, lake, windows, run_id=run_id, force=force)
        return Loads(tuple(_passed_ledger(warehouse, lake, windows, results, run_id=run_id, force=force)))
    except (WorldUnavailable, WarehouseDamaged) as error:
        return Loads(failed=tuple((made, str(error)) for made in windows))
    except Exception as error:
        if not isinstance(error, PlatformError):
            logging.getLogger(__name__).exception("%d windows could not be loaded", len(windows))
        if len(windows) == 1:
            return Loads(failed=((windows[0], f"{type(error).__name__}: {error}"),))
    alone = [_load_together(warehouse, lake, [made], run_id=run_id, force=force) for made in windows]
    return Loads(
        tuple(result for loads in alone for result in loads.results),
        tuple(failure for loads in alone for failure in loads.failed),
    )


def _passed_ledger(
    warehouse: Warehouse,
    lake: ObjectStore,
    windows: Sequence[Provenance],
    results: Sequence[LoadResult],
    *,
    run_id: str,
    force: bool,
) -> list[LoadResult]:
    """The results, once more for windows of which the ledger knows a higher sequence than the lake.

    The lake was emptied or restored: what it has is what is delivered now, so it takes a sequence above the ledger's. A
    window that another run archived meanwhile is that run's to load.
    """
    made = {of.window: of for of in windows}
    behind = [
        result.partition
        for result in results
        if result.outcome == "refused"
        and manifests.latest_sequence(lake, NAME, result.partition) == made[result.partition].sequence
    ]
    if not behind:
        return list(results)
    versions = {row.partition: row.version for row in warehouse.ledger(IMDB_MOVIE_WINDOWS)}
    raised = [renumbered(lake, window, above=manifests.sequence_of(versions[window])) for window in behind]
    again = _load(warehouse, lake, [of for of in raised if of], run_id=run_id, force=force)
    by_window = {result.partition: result for result in again}
    return [by_window.get(result.partition, result) for result in results]


def _load(
    warehouse: Warehouse, lake: ObjectStore, windows: Sequence[Provenance], *, run_id: str, force: bool
) -> list[LoadResult]:
    results = warehouse.replace_partitions(
        IMDB_MOVIE_WINDOWS,
        [PartitionLoad(made.window, made.version, (_source(made),)) for made in windows],
        lake=lake,
        provenance=LoadProvenance(CODE_VERSION, run_id=run_id),
        derived=[LatestPartition(IMDB_MOVIES, key=("movie_id",))],
        force=force,
    )
    # After a skipped load too: the one before it may have ended just short of them.
    if any(result.outcome != "refused" for result in results):
        warehouse.create_views(read_views("movie_platform.pipelines.imdb_feed"))
    return results


def _source(made: Provenance) -> Source:
    return Source(clean_key(made.window), made.digest, made.clean_rows, made.etag)


def owed_loads(lake: ObjectStore, warehouse: Warehouse, known: Mapping[str, Standing]) -> dict[str, str]:
    """Processed windows of which the warehouse's ledger does not show this very sequence.

    A window that a version without sequence numbers processed is loaded where the ledger has any row of it.
    """
    last = {row.partition: row.version for row in warehouse.ledger(IMDB_MOVIE_WINDOWS)}
    return {
        window: "its rows are not loaded"
        for window, standing in known.items()
        if standing.receipts and (window not in last or manifests.sequence_of(last[window]) != standing.sequence)
    }


def load_all(warehouse: Warehouse, lake: ObjectStore, *, run_id: str) -> int:
    """Load every window that the lake has a clean file of; how many. A `PlatformError` names one that cannot be."""
    windows = processed_windows(lake)
    for start in range(0, len(windows), LOADED_TOGETHER):
        made, together = [], windows[start : start + LOADED_TOGETHER]
        for window, found in zip(together, provenances(lake, together), strict=True):
            if not isinstance(found, Provenance):
                raise PlatformError(f"{lake.uri_of(clean_key(window))} cannot be loaded: {found or 'it is damaged'}")
            made.append(found)
        loads = load(warehouse, lake, made, run_id=run_id)
        for failed, reason in loads.failed:
            raise PlatformError(f"{lake.uri_of(clean_key(failed.window))} cannot be loaded: {reason}")
    return len(windows)
