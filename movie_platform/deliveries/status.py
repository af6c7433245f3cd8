"""Where every delivery of a source stands, by the raw side and the lake alone."""

from dataclasses import dataclass
from datetime import datetime

from movie_platform.deliveries import receipts, reconciled
from movie_platform.deliveries.delivery import Listing
from movie_platform.deliveries.receipts import Refusal, Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore


@dataclass(frozen=True)
class SourceStatus:
    """A refused day that serves an earlier version is among the processed ones too."""

    processed: tuple[str, ...]
    waiting: tuple[str, ...]
    """Delivered, and not processed yet."""
    refused: tuple[Refusal, ...]
    gone: tuple[str, ...]
    """Processed, and no longer on the raw side: the last whole delivery is served."""
    listing: Listing
    owed: tuple[str, ...]
    """What the last reconciliation found to be owed."""
    owed_at: str

    def as_json(self) -> dict[str, object]:
        return {
            "processed": list(self.processed),
            "waiting": list(self.waiting),
            "refused": [vars(refusal) for refusal in self.refused],
            "gone": list(self.gone),
            "rejected_keys": self.listing.rejected_keys,
            "rejected": self.listing.rejected,
            "owed": list(self.owed),
            "owed_at": self.owed_at,
        }


def status_of(
    source: Source, raw: ObjectStore, lake: ObjectStore, start: str, platform: str, now: datetime
) -> SourceStatus:
    known = source.standing_of_all(lake)
    listing = source.shape.listing(raw, start, now)
    waiting = [
        partition
        for partition, delivery in listing.deliveries.items()
        if delivery.fingerprint not in known.get(partition, Standing()).refused
        and not source.is_done(lake, delivery, known.get(partition, Standing()))
        and not (partition not in known and source.was_made(raw, lake, delivery))
    ]
    processed = [partition for partition, standing in known.items() if standing.receipts]
    report = reconciled.read(lake, source.name, platform)
    return SourceStatus(
        tuple(processed),
        tuple(waiting),
        tuple(refusal for folder in _folders(source) for refusal in receipts.refusals(lake, folder)),
        tuple(partition for partition in processed if _is_gone(known[partition], partition, listing)),
        listing,
        tuple(report.owed),
        report.time,
    )


def _folders(source: Source) -> list[str]:
    """Where notes of refused deliveries are."""
    return list(dict.fromkeys([source.name, *(of.archive for of in source.expects)]))


def _is_gone(standing: Standing, partition: str, listing: Listing) -> bool:
    was_delivered = any(receipt.fingerprint != receipts.NOTHING_DELIVERED for receipt in standing.receipts)
    return was_delivered and partition not in listing.deliveries
