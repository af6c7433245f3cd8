"""From a judged day to the warehouse: its good rows, and what its evaluation measured."""

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.days import DayRecord, record_of, staged_key
from movie_platform.pipelines.quality_movies.history import history_key
from movie_platform.pipelines.quality_movies.tables import DATASET, DELIVERIES, IMDB_MOVIES_RATING, QUALITY_HISTORY
from movie_platform.warehouse import (
    LatestPartition,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    Warehouse,
    read_views,
)


def load_good(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str, force: bool = False
) -> LoadResult:
    """Replace the day's rows; the table of the newest day follows, whichever day this is."""
    if not record.is_loaded:
        raise PlatformError(f"{record.day} is {record.state}, and nothing of it is loaded: {record.reason}")
    result = warehouse.replace_partitions(
        DELIVERIES,
        [PartitionLoad(record.day, record.version, (Source(staged_key(record.day), record.good_digest, record.good),))],
        lake=lake,
        provenance=Provenance(record.code_version, record.rules_digest, run_id),
        derived=[LatestPartition(IMDB_MOVIES_RATING)],
        force=force,
    )[0]
    if result.outcome != "refused":  # after a skipped one too: the load before it may have ended just short of them
        warehouse.create_views(read_views("movie_platform.pipelines.quality_movies"))
    return result


def load_history(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str, force: bool = False
) -> LoadResult:
    """Replace what the day's evaluation measured."""
    return warehouse.replace_partitions(
        QUALITY_HISTORY,
        [
            PartitionLoad(
                f"{DATASET}/{record.day}",
                record.version,
                (Source(history_key(DATASET, record.day), record.result_id, record.metrics),),
            )
        ],
        lake=lake,
        provenance=Provenance(record.code_version, record.rules_digest, run_id),
        force=force,
    )[0]


def judged(lake: ObjectStore, day: str) -> DayRecord:
    """The day's record, which a load goes by."""
    record = record_of(lake, day)
    if record is None:
        raise PlatformError(f"{day} was not judged: materialize quality_movies_evaluated for it first")
    return record
