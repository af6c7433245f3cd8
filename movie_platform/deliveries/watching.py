"""What a sensor asks for: deliveries that nothing was made of yet, and what is owed for earlier ones.

What was taken up is read from the lake's receipts, so a scan needs little memory: the deliveries that it asked for and
that are not done yet. Lost or unreadable, that memory is empty, and the same request is made under the same key, which
Dagster answers with the run that it has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from movie_platform.deliveries import reconciled
from movie_platform.deliveries.delivery import Delivery, Listing, fingerprint_of
from movie_platform.deliveries.receipts import Standing, made_in, made_of
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore

ASKED_AT_MOST = 20
"""Days that one scan asks for; the next scan goes on."""
REMEMBERED = 400
"""Deliveries that are remembered as asked for and not done."""


@dataclass(frozen=True)
class Place:
    """Where and when a scan happens: the source's first day, this platform's name, and the moment."""

    start: str
    platform: str
    now: datetime


@dataclass(frozen=True)
class Cursor:
    """What a scan remembers for the next one."""

    asked: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the deliveries that were asked for and are not processed, by day."""
    owed: str = ""
    """`<time of the report>/<how many of its partitions were taken up>`."""
    rejected: str = ""
    """A digest of the rejected keys that were last reported."""
    problem: str = ""
    """The problem with the rules that was last reported, for sources that are judged by a file of rules."""
    judged: str = ""
    """A digest of what the checks were last compared with."""

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """A cursor that cannot be read, or that another version wrote, is a lost one: the lake knows what is done."""
        try:
            found = json.loads(text or "{}")
            cursor = cls(**{name: found[name] for name in vars(cls()) if name in found})
            texts = (*cursor.asked, *cursor.asked.values(), cursor.owed, cursor.rejected, cursor.problem, cursor.judged)
        except (ValueError, TypeError, AttributeError):
            return cls()
        return cursor if all(isinstance(text, str) for text in texts) else cls()

    def __str__(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))


@dataclass(frozen=True)
class Request:
    """Windows that follow each other, or a day, for one run. An equal key is an equal request."""

    partitions: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class ScanResult:
    """What one scan found. `rejected_is_news` says that other keys are rejected than were last reported."""

    arrived: tuple[Delivery, ...]
    requests: tuple[Request, ...]
    listing: Listing
    rejected_is_news: bool
    new_cursor: Cursor


def scan(source: Source, raw: ObjectStore, lake: ObjectStore, cursor: Cursor, place: Place) -> ScanResult:
    """One bounded look at a daily source: what is new, what is owed, and what is no delivery."""
    listing = source.shape.listing(raw, place.start, place.now)
    known = source.standing_of_all(lake)
    asked: dict[str, str] = {}
    arrived: list[Delivery] = []
    for day, delivery in listing.deliveries.items():
        standing = known.get(day, Standing())
        if delivery.fingerprint in standing.refused or source.is_done(lake, delivery, standing):
            continue
        if cursor.asked.get(day) == delivery.fingerprint:
            asked[day] = delivery.fingerprint
        elif len(arrived) < ASKED_AT_MOST:
            if standing == Standing() and source.was_made(raw, lake, delivery):
                source.adopt(lake, delivery, made_in(lake, source.made).get(day, made_of({})))
                continue
            arrived.append(delivery)
            asked[day] = delivery.fingerprint
    requests = [_request(source, delivery, known.get(delivery.partition, Standing())) for delivery in arrived]
    left_behind, taken = _owed(lake, source, place.platform, cursor.owed, known)
    requests += [request for request in left_behind if request.partitions[0] not in {r.partitions[0] for r in requests}]
    rejected = fingerprint_of(listing.rejected_keys) if listing.rejected else ""
    new_cursor = replace(
        cursor, asked=dict(sorted(asked.items())[-REMEMBERED:]), owed=taken, rejected=rejected, problem=""
    )
    return ScanResult(tuple(arrived), tuple(requests), listing, rejected != cursor.rejected, new_cursor)


def _request(source: Source, delivery: Delivery, standing: Standing) -> Request:
    # With how far the day had come: content that comes back after other content is another request.
    after = max(standing.archived, standing.sequence)
    return Request((delivery.partition,), f"{source.name}/{delivery.partition}/{delivery.fingerprint}/{after}")


def _owed(
    lake: ObjectStore, source: Source, platform: str, taken: str, known: Mapping[str, Standing]
) -> tuple[list[Request], str]:
    """The next days of the last report, each by itself, and how far it is taken up now."""
    report = reconciled.read(lake, source.name, platform)
    due, taken = report.next(taken, ASKED_AT_MOST)
    still = [day for day, come in due.items() if reconciled.is_still_owed(known.get(day, Standing()), come)]
    return [Request((day,), f"{source.name}/{day}/owed {report.time}") for day in still], taken
