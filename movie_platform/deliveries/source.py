"""A source of deliveries: everything that sensor, reconciliation, commands, status and doctor need to know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from movie_platform.deliveries import manifests, receipts
from movie_platform.deliveries.columns import (
    ChangedColumn,
    DeliveredColumns,
    Expectation,
    changed_columns,
    recorded_columns,
)
from movie_platform.deliveries.delivery import Delivery, Listing
from movie_platform.deliveries.receipts import Standing
from movie_platform.lake import ObjectStore
from movie_platform.settings import Settings
from movie_platform.table import Table

if TYPE_CHECKING:
    from movie_platform.warehouse import Warehouse


class Shape(Protocol):
    """How a source's files become deliveries."""

    def listing(self, raw: ObjectStore, first: str, now: datetime, last: str = "") -> Listing:
        """Every delivery from the first to the last window or day, and the keys that are none."""
        ...

    def find(self, raw: ObjectStore, partition: str, now: datetime) -> Delivery | None:
        """What is there for one window or day now."""
        ...


@dataclass(frozen=True)
class Source:
    """One source. `owed_loads` says what a receipt of the lake promises and the warehouse's ledger does not show.

    `was_made` answers for lakes of versions before 0.2.0, which wrote no receipts: whether the lake's products were
    made from this very delivery.
    """

    name: str
    """Its folder in the lake's `deliveries/`, and the name of its job, sensor and schedule."""
    command: str
    """What the terminal calls it; its store on the raw side is the setting of this name."""
    title: str
    prefix: str
    partition: Literal["window", "day"]
    shape: Shape
    start: Callable[[Settings], str]
    """The first window or day that is a delivery."""
    raw_asset: str
    description: str
    assets: tuple[str, ...]
    made: tuple[str, ...]
    """Prefixes of what the lake makes of a delivery, each followed by the window or day."""
    owed_loads: "Callable[[ObjectStore, Warehouse, Mapping[str, Standing]], Mapping[str, str]]"
    load_all: "Callable[[Warehouse, ObjectStore, str], int]"
    """Loads what the lake has of every window or day, under a run's id, for a warehouse that is made anew; how many."""
    was_made: Callable[[ObjectStore, ObjectStore, Delivery], bool]
    is_waiting: Callable[[Delivery, datetime], bool] = lambda _delivery, _now: False
    archive: str = ""
    """The folder of its manifests, where it is not that of its receipts."""
    archives: tuple[tuple[str, str], ...] = ()
    """Folders of manifests, and of the lake's copies of what they name, each followed by the window or day; without a
    folder of copies a manifest names whole keys."""
    made_in_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the folder of further receipts the prefixes of what these speak of, which are among `made` too."""
    missed: Callable[[Mapping[str, Standing], datetime], Mapping[str, str]] = lambda _known, _now: {}
    """Windows or days that should have been processed although nothing was delivered for them."""
    asked_from: Callable[[Settings], str] = lambda _settings: ""
    """The first window or day that the sensor asks for, where that is not the first delivery."""
    due: Callable[[Settings], timedelta] = lambda _settings: timedelta(0)
    """How long after its beginning a window or day must be served; nothing where the source has no cadence."""
    is_served: Callable[[ObjectStore, str], bool] = lambda _lake, _partition: True
    """Whether a processed window or day is loaded, and not held back by its rules."""
    delivered: Table | None = None
    """The columns of its files, for the UI and for lineage tools."""
    standings: Callable[[ObjectStore, str, str], Mapping[str, Standing]] | None = None
    """Where a source keeps more than one kind of archive: its standings from a first to a last window or day."""
    expects: tuple[Expectation, ...] = ()
    """The columns that the files of each of its archives should have."""
    delivered_columns: Callable[[ObjectStore, Settings], DeliveredColumns] | None = None
    """Where manifests do not have the columns that were delivered: what has them."""

    def changed_columns(self, lake: ObjectStore, settings: Settings) -> list[ChangedColumn]:
        """The columns of its newest deliveries that are not as expected; where all are, a listing and an object of each
        archive are read."""
        read = self.delivered_columns
        return [
            change
            for expected in self.expects
            for change in changed_columns(
                expected, read(lake, settings) if read else recorded_columns(lake, expected.archive)
            )
        ]

    def standing_of_all(self, lake: ObjectStore, first: str = "", last: str = "") -> Mapping[str, Standing]:
        if self.standings:
            return self.standings(lake, first, last)
        return receipts.standings(lake, self.name, since=first, until=last)

    def owed(
        self,
        raw: ObjectStore,
        lake: ObjectStore,
        warehouse: "Warehouse | None",
        first: str,
        now: datetime,
        last: str = "",
        *,
        listing: Listing | None = None,
    ) -> dict[str, str]:
        """What is still to be done from the first to the last window or day, with the reason.

        It compares what is there: no marker, clock or memory takes part, so nothing that is owed can be forgotten. What
        the warehouse lacks is found only where it can be asked.
        """
        known = self.standing_of_all(lake, first, last)
        made = receipts.made_in(lake, self.made, since=first, until=last)
        delivered = (listing or self.shape.listing(raw, first, now, last)).deliveries
        owed: dict[str, str] = {}
        adopted = dict(known)
        for partition, delivery in delivered.items():
            standing, there = known.get(partition, Standing()), made.get(partition, receipts.made_of({}))
            if self.is_waiting(delivery, now) or delivery.fingerprint in standing.refused:
                continue
            if self.is_done(lake, delivery, standing, there):
                continue
            if standing == Standing() and self.was_made(raw, lake, delivery):
                adopted[partition] = self.adopt(lake, delivery, there)
            else:
                owed[partition] = "what was delivered is not processed"
        for partition, standing in known.items():
            there = made.get(partition, receipts.made_of({}))
            if partition not in delivered and not standing.refused and not _is_complete(standing, there):
                owed[partition] = "what is archived is not processed"
        owed |= {p: why for p, why in self.missed(known, now).items() if first <= p and (not last or p <= last)}
        if warehouse is not None:
            loads = self.owed_loads(lake, warehouse, adopted)
            owed |= {partition: why for partition, why in loads.items() if partition not in owed}
        return dict(sorted(owed.items()))

    def is_done(self, lake: ObjectStore, delivery: Delivery, standing: Standing, made: str | None = None) -> bool:
        """Whether what the lake holds was made from this delivery, of which files may have gone away since."""
        if standing.has_processed(delivery.fingerprint, made):
            return True
        if not standing.archived or not _is_complete(standing, made):
            return False
        manifest = manifests.latest(lake, self.archive or self.name, delivery.partition)
        return manifest is not None and manifest.covers(delivery)

    def adopt(self, lake: ObjectStore, delivery: Delivery, made: str) -> Standing:
        """Give a delivery that an earlier version processed its receipt."""
        receipt = receipts.Receipt(delivery.partition, 0, delivery.fingerprint, made)
        receipts.put(lake, self.name, receipt)
        return Standing(receipts=(receipt,))


def _is_complete(standing: Standing, made: str | None) -> bool:
    """Whether what is archived is processed, and its products are as they were written, where that is known."""
    if not standing.archived and not standing.receipts:
        return True
    return standing.is_processed and (made is None or any(receipt.made == made for receipt in standing.receipts))
