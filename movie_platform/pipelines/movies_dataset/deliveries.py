"""Which zips lie on the raw side, each with the day that it belongs to."""

import re
from dataclasses import dataclass
from datetime import UTC, date

from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectInfo, ObjectStore

PREFIX = "project-data/"
NAME = "the-movies-dataset.zip"
_KEY = re.compile(rf"{PREFIX}(?:(\d{{4}}-\d{{2}}-\d{{2}})/)?{re.escape(NAME)}")


@dataclass(frozen=True)
class Delivery:
    """A zip and its day: the one in its key, or that of its arrival where the key has none."""

    day: date
    info: ObjectInfo

    @property
    def fingerprint(self) -> str:
        return self.info.etag

    @property
    def version(self) -> str:
        """Sorts by day, and within a day by arrival, so that a replaced delivery is newer than what it replaces."""
        return f"{self.day} {self.info.modified.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def find_deliveries(raw: ObjectStore) -> dict[date, Delivery]:
    """Every delivery by its day, in order; of two for one day, the one that came last."""
    found: dict[date, Delivery] = {}
    for info in raw.objects(PREFIX):
        match = _KEY.fullmatch(info.key)
        day = info.day(match[1]) if match else None
        if day and (day not in found or found[day].info.modified < info.modified):
            found[day] = Delivery(day, info)
    return dict(sorted(found.items()))


def find_delivery(raw: ObjectStore, day: date) -> Delivery:
    """The delivery of a day, or `InputRefused` where nothing was delivered for it."""
    delivery = find_deliveries(raw).get(day)
    if delivery is None:
        raise InputRefused(
            f"{raw.uri} has no delivery for {day}: neither {PREFIX}{day}/{NAME}, nor {PREFIX}{NAME} of that day",
            rule="delivered",
        )
    return delivery
