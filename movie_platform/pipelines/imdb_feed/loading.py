"""From clean files to the warehouse, any number of windows in one load."""

from collections.abc import Sequence

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.processing import CODE_VERSION, Provenance, clean_key
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS, IMDB_MOVIES
from movie_platform.warehouse import LatestPartition, LoadResult, PartitionLoad, Source, Warehouse, read_views
from movie_platform.warehouse import Provenance as LoadProvenance


def load(
    warehouse: Warehouse, lake: ObjectStore, windows: Sequence[Provenance], *, run_id: str, force: bool = False
) -> list[LoadResult]:
    """Replace the windows' rows, and recompute each movie that they touch."""
    if not windows:
        return []
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
    if any(result.outcome == "loaded" for result in results):
        warehouse.create_views(read_views("movie_platform.pipelines.imdb_feed"))
    return results
