"""The report that a reconciliation leaves for the sensor: what is owed, and which keys are no delivery."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from movie_platform.deliveries.delivery import Listing
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore

FOLDER = "reconciliation/"


@dataclass(frozen=True)
class Report:
    """What the last reconciliation found."""

    time: str = ""
    """Empty where there is no report, or none that can be read: the next reconciliation makes it anew."""
    owed: Mapping[str, str] = field(default_factory=dict)
    """By window or day how far it had come then, to see whether it was run since."""
    rejected: Listing = field(default_factory=Listing)
    """The keys that are no delivery: a scan of the newest windows alone does not see them."""
    since: Mapping[str, str] = field(default_factory=dict)
    """Of each window or day that is owed, also where a run of it is under way, the time of the first report in a row
    that had it."""

    def next(self, taken: str, at_most: int) -> tuple[dict[str, str], str]:
        """The windows or days behind what was taken up, and how far the report is taken up with them."""
        time, _, count = taken.partition("/")
        position = int(count) if time == self.time and count.isdecimal() else 0
        due = dict(islice(self.owed.items(), position, position + at_most))
        return due, f"{self.time}/{position + len(due)}" if self.time else ""


def is_still_owed(standing: Standing, reported: str) -> bool:
    """Whether the window or day was neither processed nor refused since the report, which says how far it had come."""
    return _come(standing) == reported


def key_of(source: str, platform: str) -> str:
    """Each platform has a report of its own: two on one lake may owe their warehouses different loads."""
    return f"{FOLDER}{source}/{platform}.json"


def write(
    lake: ObjectStore,
    source: Source,
    platform: str,
    owed: Iterable[str],
    now: datetime,
    rejected: Listing | None = None,
    *,
    under_way: Iterable[str] = (),
) -> None:
    """Leave what is owed, and which keys are no delivery; the earlier report is replaced.

    What is `under_way` is owed too, and not for the sensor to ask for.
    """
    partitions = sorted(owed)
    known = source.standing_of_all(lake, partitions[0], partitions[-1]) if partitions else {}
    rejected = rejected or Listing()
    time = now.astimezone(UTC).isoformat(timespec="microseconds")
    before = read(lake, source.name, platform).since
    report = {
        "time": time,
        "owed": {partition: _come(known.get(partition, Standing())) for partition in partitions},
        "since": {partition: before.get(partition, time) for partition in sorted({*partitions, *under_way})},
        "rejected": rejected.rejected,
        "rejected_keys": rejected.rejected_keys,
    }
    lake.write(key_of(source.name, platform), json.dumps(report).encode())


def read(lake: ObjectStore, source: str, platform: str) -> Report:
    try:
        report = json.loads(lake.read(key_of(source, platform)))
        owed = {str(partition): str(come) for partition, come in report["owed"].items()}
        named = {str(key): str(why) for key, why in report["rejected_keys"].items()}
        rejected = Listing(rejected_keys=named, rejected=max(int(report["rejected"]), len(named)))
        # Reports of earlier versions lack it; what is owed then counts from the next report on.
        since = {str(partition): str(time) for partition, time in report.get("since", {}).items()}
        return Report(str(report["time"]), owed, rejected, since)
    except (ObjectMissing, ValueError, TypeError, KeyError, AttributeError):
        return Report()


def _come(standing: Standing) -> str:
    return " ".join([*(receipt.name for receipt in standing.receipts), *sorted(standing.refused)])
