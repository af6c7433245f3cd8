"""From a judged day to the warehouse: its good rows, and what its evaluation measured."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.day_records import DayRecord, judged_days, record_of, staged_key
from movie_platform.pipelines.quality_movies.history import history_key
from movie_platform.pipelines.quality_movies.tables import DATASET, DELIVERIES, IMDB_MOVIES_RATING, QUALITY_HISTORY
from movie_platform.table import Table
from movie_platform.warehouse import (
    LatestPartition,
    LedgerRow,
    LoadResult,
    PartitionLoad,
    Provenance,
    Source,
    Warehouse,
    read_views,
)
from movie_platform.warehouse.loads import decide

UNDER_WAY = timedelta(hours=1)
"""The run that judged a day may still be about to load it."""


def load_good(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str, force: bool = False
) -> LoadResult:
    """Replace the day's rows; the table of the newest day follows, whichever day this is."""
    if not record.is_loaded:
        raise PlatformError(f"{record.day} is {record.state}, and nothing of it is loaded: {record.reason}")
    result = warehouse.replace_partitions(
        DELIVERIES,
        [_good(record)],
        lake=lake,
        provenance=_provenance(record, run_id),
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
        [_measured(record)],
        lake=lake,
        provenance=_provenance(record, run_id),
        force=force,
    )[0]


def days_not_loaded(warehouse: Warehouse, lake: ObjectStore, now: datetime) -> list[str]:
    """Judged days whose good rows or metrics a load would still bring: none was committed since they were judged."""
    good, measured = _last_loads(warehouse, DELIVERIES), _last_loads(warehouse, QUALITY_HISTORY)

    def is_owed(load: PartitionLoad, last: Mapping[str, LedgerRow], record: DayRecord) -> bool:
        return decide(load, last.get(load.partition), _provenance(record), force=False).outcome == "loaded"

    records = (record_of(lake, day) for day in judged_days(lake, before=now - UNDER_WAY))
    return [
        record.day
        for record in records
        if record
        and (
            (record.is_loaded and is_owed(_good(record), good, record))
            or (record.state != "unreadable" and is_owed(_measured(record), measured, record))
        )
    ]


def _good(record: DayRecord) -> PartitionLoad:
    return PartitionLoad(record.day, record.version, (Source(staged_key(record.day), record.good_digest, record.good),))


def _measured(record: DayRecord) -> PartitionLoad:
    source = Source(history_key(DATASET, record.day), record.result_id, record.metrics)
    return PartitionLoad(f"{DATASET}/{record.day}", record.version, (source,))


def _provenance(record: DayRecord, run_id: str = "") -> Provenance:
    return Provenance(record.code_version, record.rules_digest, run_id)


def _last_loads(warehouse: Warehouse, table: Table) -> dict[str, LedgerRow]:
    return {row.partition: row for row in warehouse.ledger(table)}


def judged(lake: ObjectStore, day: str) -> DayRecord:
    """The day's record, which a load goes by."""
    record = record_of(lake, day)
    if record is None:
        raise PlatformError(f"{day} was not judged: materialize quality_movies_evaluated for it first")
    return record
