"""How far each source is served, and when its next window or day counts as overdue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from movie_platform.deliveries import receipts
from movie_platform.deliveries.receipts import NOTHING_DELIVERED, Standing
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, start_of
from movie_platform.settings import Settings

LOOKED_BACK = (timedelta(days=1), timedelta(days=16), timedelta(days=256))
"""How far the newest window or day is looked for, one after the other, before everything is listed."""

State = Literal["nothing yet", "no cadence", "fresh", "overdue"]


@dataclass(frozen=True)
class Freshness:
    """Where a source stands, from the lake's records alone."""

    source: str
    title: str
    partition: Literal["window", "day"]
    newest: str
    """The newest window or day of which a delivery is served; empty where none is. It goes by the time that the window
    or day is of, so that an old one that is run today changes nothing."""
    ended: datetime | None
    """When the newest window or day was over."""
    due: datetime | None
    """From when on the next one is overdue; None where nothing is served yet, or no cadence is set."""

    def is_overdue(self, now: datetime) -> bool:
        return self.due is not None and now > self.due

    def state(self, now: datetime) -> State:
        if not self.newest:
            return "nothing yet"
        if self.due is None:
            return "no cadence"
        return "overdue" if self.is_overdue(now) else "fresh"

    @property
    def shown(self) -> str:
        """The newest window or day, for people."""
        return f"{start_of(self.newest):%Y-%m-%d %H:%M}" if self.newest and self.partition == "window" else self.newest

    def as_json(self, now: datetime) -> dict[str, str]:
        return {"state": self.state(now), "newest": self.newest, "due": self.due.isoformat() if self.due else ""}


def freshness_of_all(lake: ObjectStore, settings: Settings, now: datetime) -> list[Freshness]:
    """Every source of the platform, in its order."""
    return [freshness_of(source_of(pipeline), lake, settings, now) for pipeline in PIPELINES]


def freshness_of(source: Source, lake: ObjectStore, settings: Settings, now: datetime) -> Freshness:
    """Where the source stands. It costs a listing of the newest days, and of more only where these hold nothing."""
    newest = _newest(source, lake, now)
    length = LENGTH if source.partition == "window" else timedelta(days=1)
    ended = _begin_of(source, newest) + length if newest else None
    after = source.due(settings)
    return Freshness(
        source.name, source.title, source.partition, newest, ended, ended + after if ended and after else None
    )


def delivered_since(source: Source, lake: ObjectStore, partition: str) -> dict[str, bool]:
    """The windows or days after this one that the lake knows of, and whether each is refused: what came and is not
    served. From listings alone."""
    if source.partition == "window":  # whose refusals are markers of their own
        found = dict.fromkeys(receipts.standings(lake, source.name, since=partition), False)
        found |= dict.fromkeys(refusals.windows(lake, since=partition), True)
    else:
        found = {day: bool(of.refused) for day, of in source.standing_of_all(lake, partition).items()}
    return {one: is_refused for one, is_refused in sorted(found.items()) if one > partition}


def _newest(source: Source, lake: ObjectStore, now: datetime) -> str:
    for back in (*LOOKED_BACK, None):
        known = receipts.standings(lake, source.name, since=_key(source, now - back) if back else "")
        for partition in sorted(known, reverse=True):
            if _has_delivery(known, partition) and source.is_served(lake, partition):
                return partition
    return ""


def _has_delivery(known: Mapping[str, Standing], partition: str) -> bool:
    return any(receipt.fingerprint != NOTHING_DELIVERED for receipt in known[partition].receipts)


def _begin_of(source: Source, partition: str) -> datetime:
    if source.partition == "window":
        return start_of(partition)
    return datetime.fromisoformat(partition).replace(tzinfo=UTC)


def _key(source: Source, moment: datetime) -> str:
    return key_of(moment) if source.partition == "window" else moment.astimezone(UTC).date().isoformat()
