"""From a judged day to the warehouse: its good rows, and what its evaluation measured."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pyarrow.parquet as pq

from movie_platform.deliveries import Manifest, ManifestFile, manifests, receipts, until_undisturbed
from movie_platform.deliveries.receipts import Standing
from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.archive import NAME
from movie_platform.pipelines.quality_movies.day_records import (
    DayRecord,
    GoodVersion,
    put_receipt,
    put_record,
    record_key,
    record_of,
    staged_key,
)
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

Load = Callable[[DayRecord], LoadResult]


def load_good(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str, force: bool = False
) -> LoadResult:
    """Replace the day's rows; the table of the newest day follows, whichever day this is."""
    if not record.is_loaded:
        raise PlatformError(f"{record.day} is {record.state}, and nothing of it is loaded: {record.reason}")
    return _load_version(warehouse, lake, record, record.version, run_id=run_id, force=force)


def load_good_before(warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str) -> LoadResult | None:
    """Load the good version before a blocked or unreadable one, where its own run did not come to it.

    None where there is none that is still staged.
    """
    if record.is_loaded or record.good_before is None:
        return None
    return _load_version(warehouse, lake, record, record.good_before.version, run_id=run_id)


def _load_version(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, version: str, *, run_id: str, force: bool = False
) -> LoadResult:
    etag = _etag(lake, staged_key(record.day))
    _must_hold(lake, record)

    def load(current: DayRecord) -> LoadResult:
        return warehouse.replace_partitions(
            DELIVERIES,
            [_good(current, etag)],
            lake=lake,
            provenance=_provenance(_loadable(current), run_id),
            derived=[LatestPartition(IMDB_MOVIES_RATING)],
            force=force,
        )[0]

    # Only the newest version passes a ledger that is ahead of the lake.
    is_newest = version == record.version
    result = _loaded(warehouse, lake, record, DELIVERIES, load) if is_newest else load(record)
    if result.outcome == "refused":
        return result
    # After a skipped load too: the one before it may have ended just short of the views.
    refreshed = warehouse.create_views(read_views("movie_platform.pipelines.quality_movies"))
    return replace(result, refreshed=tuple(refreshed))


def load_history(
    warehouse: Warehouse, lake: ObjectStore, record: DayRecord, *, run_id: str, force: bool = False
) -> LoadResult:
    """Replace what the day's evaluation measured."""
    etag = _etag(lake, history_key(DATASET, record.day))

    def load(current: DayRecord) -> LoadResult:
        return warehouse.replace_partitions(
            QUALITY_HISTORY, [_measured(current, etag)], lake=lake, provenance=_provenance(current, run_id), force=force
        )[0]

    return _loaded(warehouse, lake, record, QUALITY_HISTORY, load)


def _loaded(warehouse: Warehouse, lake: ObjectStore, record: DayRecord, table: Table, load: Load) -> LoadResult:
    """Load the record; where the ledger is ahead of the lake, which was emptied or restored, the lake passes it.

    Good rows and metrics are loaded side by side: where the other one's load has given the same record a number above
    its own ledger, that number counts here too.
    """

    def attempt() -> LoadResult:
        result, current = load(record), record
        while result.outcome == "refused":
            newest = record_of(lake, record.day)
            if newest is None or replace(newest, version=record.version) != record:
                break  # of another delivery, whose run loads it
            if newest.version == current.version:
                last = warehouse.ledger(table, result.partition)[-1].version
                newest = renumbered(lake, current, above=manifests.sequence_of(last))
            result, current = load(newest), newest
        return result

    return until_undisturbed(attempt, record.day)


def renumbered(lake: ObjectStore, record: DayRecord, *, above: int) -> DayRecord:
    """The same day under a sequence above the ledger's, since it is what is delivered now."""
    before = manifests.latest(lake, NAME, record.day)
    files = (
        before.files
        if before
        else {key: ManifestFile(facts.etag, facts.sha256, facts.size) for key, facts in record.files.items()}
    )
    manifest: Manifest = manifests.publish(
        lake, NAME, record.day, files, after=before, above=above, delivered_at=record.delivered_at
    )
    newer = replace(record, version=manifest.version)
    standing = receipts.standing(lake, NAME, record.day)
    fingerprint = standing.receipts[0].fingerprint if standing.receipts else receipts.NOTHING_DELIVERED
    put_receipt(lake, newer, {record_key(record.day): put_record(lake, newer)}, fingerprint)
    return newer


def owed_loads(lake: ObjectStore, warehouse: Warehouse, known: Mapping[str, Standing]) -> dict[str, str]:
    """Judged days whose good rows or metrics the warehouse's ledger does not show."""
    good, measured = _last_loads(warehouse, DELIVERIES), _last_loads(warehouse, QUALITY_HISTORY)

    def is_owed(load: PartitionLoad, last: Mapping[str, LedgerRow], record: DayRecord) -> bool:
        decision = decide(load, last.get(load.partition), _provenance(record), force=False)
        return decision.outcome != "skipped"

    def owed() -> Iterator[tuple[str, str]]:
        for day, standing in known.items():
            record = record_of(lake, day) if standing.receipts else None
            if record is None:
                continue
            version = record.loadable
            if record.is_loaded and is_owed(_good(record), good, record):
                yield day, "its good rows are not loaded"
            elif version and not record.is_loaded and _is_missing(version, good.get(day)):
                yield day, f"the good rows of its version {version.version} are not loaded, and a later one is blocked"
            elif record.state != "unreadable" and is_owed(_measured(record), measured, record):
                yield day, "what its evaluation measured is not loaded"

    return dict(owed())


def _is_missing(version: GoodVersion, last: LedgerRow | None) -> bool:
    """Whether the warehouse has nothing of a day as new as this version."""
    return last is None or last.version < version.version


def _loadable(record: DayRecord) -> GoodVersion:
    version = record.loadable
    if version is None:
        raise PlatformError(f"{record.day} is {record.state}, and no good version of it is staged: {record.reason}")
    return version


def _good(record: DayRecord, etag: str = "") -> PartitionLoad:
    version = _loadable(record)
    source = Source(staged_key(record.day), version.good_digest, version.good, etag)
    return PartitionLoad(record.day, version.version, (source,))


def _measured(record: DayRecord, etag: str = "") -> PartitionLoad:
    source = Source(history_key(DATASET, record.day), record.result_id, record.metrics, etag)
    return PartitionLoad(f"{DATASET}/{record.day}", record.version, (source,))


def _etag(lake: ObjectStore, key: str) -> str:
    """Of an object that a load goes by: replaced while it is read, it is not loaded."""
    info = lake.info(key)
    return info.etag if info else ""


def _must_hold(lake: ObjectStore, record: DayRecord) -> None:
    """`WorldUnavailable` where another run's rows are staged than those that the record speaks of."""
    with lake.open(staged_key(record.day)) as file:
        described = (pq.read_metadata(file).metadata or {}).get(b"movie_platform", b"{}")
    made_from, wanted = json.loads(described), _loadable(record)
    if (made_from.get("digest"), made_from.get("rules_digest")) != (wanted.digest, wanted.rules_digest):
        raise WorldUnavailable(
            f"{lake.uri_of(staged_key(record.day))} is being written by another run; {record.day} is loaded by the next"
        )


def _provenance(record: DayRecord | GoodVersion, run_id: str = "") -> Provenance:
    return Provenance(record.code_version, record.rules_digest, run_id)


def _last_loads(warehouse: Warehouse, table: Table) -> dict[str, LedgerRow]:
    return {row.partition: row for row in warehouse.ledger(table)}


def judged(lake: ObjectStore, day: str) -> DayRecord:
    """The day's record, which a load goes by."""
    record = record_of(lake, day)
    if record is None:
        raise PlatformError(f"{day} was not judged: materialize quality_movies_evaluated for it first")
    return record


def load_all(warehouse: Warehouse, lake: ObjectStore, *, run_id: str) -> int:
    """Load the good rows and the metrics of every judged day; how many days."""
    days = [day for day, standing in receipts.standings(lake, NAME).items() if standing.receipts]
    for day in days:
        record = judged(lake, day)
        if record.is_loaded:
            load_good(warehouse, lake, record, run_id=run_id)
        if record.state != "unreadable":
            load_history(warehouse, lake, record, run_id=run_id)
    return len(days)
