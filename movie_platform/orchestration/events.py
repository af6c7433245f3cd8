"""What Dagster records of the platform's work: arrivals, loads, and one mapping of our errors to its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from movie_platform.deliveries import Delivery, Listing
from movie_platform.deliveries.source import Source
from movie_platform.errors import InputRefused, LoadRefused, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.table_metadata import SCHEMA, column_schema, described, form
from movie_platform.printable import printable

if TYPE_CHECKING:
    from movie_platform.warehouse import LoadResult

OWNERS = ["team:data-engineering"]
PLATFORM_FAULT = "a fault of the platform"
"""In a failure's metadata: whether it is the platform's, and not the data's own."""
UNREACHABLE = "something outside could not be reached"
"""In a failure's metadata: whether something outside that could not be reached is the reason."""
RETRIES, RETRY_AFTER_SECONDS = 3, 10
_VERSION = "dagster/data_version"


def refused(message: str, **metadata: Any) -> dg.Failure:
    """The failure of a run whose data is refused: it is not tried again as it is."""
    return dg.Failure(message, metadata={**metadata, PLATFORM_FAULT: False}, allow_retries=False)


DELIVER_AGAIN = "deliver the files again; they are run by themselves"


def observe_refusal(context: dg.AssetExecutionContext, reason: str, **facts: Any) -> None:
    """Say on the day's page of each of the step's assets why it is not there: the UI shows nothing else of it there."""
    for asset in sorted(context.selected_asset_keys):
        metadata = form(reason=reason, **facts)
        context.log_event(
            dg.AssetObservation(asset, partition=context.partition_key, description=reason, metadata=metadata)
        )


@contextmanager
def errors_for_dagster(context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Refused data fails the step for good, an unreachable world is tried again, and everything else fails loudly.

    With the context of a day's assets, why its data is refused is observed for each of them.
    """
    try:
        yield
    except InputRefused as error:
        if context:
            observe_refusal(context, str(error), rule=error.rule, what_next=DELIVER_AGAIN)
        raise refused(str(error), rule=error.rule) from None
    except LoadRefused as error:
        if context:
            observe_refusal(context, str(error))  # it says itself what to do
        raise refused(str(error)) from None
    except WorldUnavailable as error:
        raise dg.RetryRequested(RETRIES, RETRY_AFTER_SECONDS) from error


def raw_asset(source: Source, partitions: dg.PartitionsDefinition, group: str) -> dg.AssetSpec:
    """What is delivered, as an external asset whose materializations are the arrivals."""
    return dg.AssetSpec(
        source.raw_asset,
        description=f"{source.description} The sensor reports each arrival.",
        partitions_def=partitions,
        group_name=group,
        owners=OWNERS,
        kinds={"csv"},
        metadata=described(source.delivered, in_warehouse=False) if source.delivered else None,
    )


def arrival_events(
    source: Source, delivered: Iterable[Delivery], raw: ObjectStore
) -> list[dg.AssetMaterialization | dg.AssetObservation]:
    """Deliveries as events of their external asset; the newest has its columns, and is observed too.

    Lineage shows as the latest event of an external asset its last observation, and no materialization.
    """
    events = [_arrival(source, delivery, raw) for delivery in sorted(delivered, key=lambda of: of.partition)]
    if not events:
        return []
    *earlier, newest = events
    seen = dg.AssetObservation(newest.asset_key, partition=newest.partition, metadata=newest.metadata, tags=newest.tags)
    if source.delivered:
        newest = newest.with_metadata({**newest.metadata, SCHEMA: column_schema(source.delivered)})
    return [*earlier, newest, seen]


def _arrival(source: Source, delivery: Delivery, raw: ObjectStore) -> dg.AssetMaterialization:
    """Its version changes with the files' content."""
    infos = list(delivery.files.values())
    folder = infos[0].key.rpartition("/")[0] if len({i.key.rpartition("/")[0] for i in infos}) == 1 else source.prefix
    return dg.AssetMaterialization(
        source.raw_asset,
        partition=delivery.partition,
        metadata={
            "dagster/uri": raw.uri_of(infos[0].key if len(infos) == 1 else f"{folder.rstrip('/')}/"),
            "delivered": delivery.delivered_at,
            "files (bytes)": {printable(name): info.size for name, info in delivery.files.items()},
        },
        tags={_VERSION: delivery.fingerprint},
    )


def report_arrivals(
    source: Source, delivered: Sequence[Delivery], raw: ObjectStore, instance: dg.DagsterInstance
) -> None:
    """Report arrivals whose data version the UI does not know yet."""
    known = _known_versions(source, [delivery.partition for delivery in delivered], instance)
    not_reported = [delivery for delivery in delivered if known.get(delivery.partition) != delivery.fingerprint]
    for event in arrival_events(source, not_reported, raw):
        instance.report_runless_asset_event(event)


def rejected_keys(source: Source, listing: Listing) -> dg.AssetObservation:
    """Keys of the raw side that are no delivery, with the reason of each, as an event of the external asset."""
    named = len(listing.rejected_keys)
    return dg.AssetObservation(
        source.raw_asset,
        description=f"{listing.rejected} keys below {source.prefix} are no delivery"
        + (f"; {named} of them are named" if named < listing.rejected else ""),
        metadata={
            "rejected": listing.rejected,
            "rejected keys": dg.MetadataValue.table(
                [dg.TableRecord({"key": key, "reason": why}) for key, why in listing.rejected_keys.items()],
                dg.TableSchema([dg.TableColumn("key"), dg.TableColumn("reason")]),
            ),
        },
    )


def load_metadata(result: "LoadResult") -> dict[str, Any]:
    """What came of a load, for the materialization of what was loaded."""
    metadata: dict[str, Any] = {"load": result.outcome, "version": result.version}
    if result.rows_before:
        metadata["rows before"] = result.rows_before
    if result.refreshed:
        metadata["refreshed"] = ", ".join(result.refreshed)
    return {**metadata, "reason": result.reason} if result.reason else metadata


def versions(version: str, code_version: str, made_from: Mapping[dg.AssetKey, str]) -> dict[str, str]:
    """Tags by which Dagster knows whether an asset is in step with what it was made from."""
    inputs = {f"dagster/input_data_version/{key.to_user_string()}": used for key, used in made_from.items()}
    return {_VERSION: version, "dagster/code_version": code_version, **inputs}


def _known_versions(source: Source, partitions: Iterable[str], instance: dg.DagsterInstance) -> dict[str, str]:
    """By partition, the version of the arrival that was last reported."""
    wanted = list(partitions)
    if not wanted:
        return {}
    found = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(source.raw_asset), dg.DagsterEventType.ASSET_MATERIALIZATION, [_VERSION], wanted
    )
    return {partition: tags[_VERSION] for partition, tags in found.items()}
