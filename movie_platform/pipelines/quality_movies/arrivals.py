"""Which days have something new: the sensor's thinking, without the sensor.

A look lists the raw side whole, a few thousand files for years of days. What was seen is remembered file by file, so a
file that is replaced, or comes late for any day, is noticed, and one that goes away is not. Should the memory be lost,
or not reach back to a day, what the lake says of that day takes its place.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.quality_movies import deliveries
from movie_platform.pipelines.quality_movies.day_records import judged_days, record_of
from movie_platform.pipelines.quality_movies.deliveries import Delivery

RECONCILIATION = "reconciliation/quality_movies.json"
DAYS_REMEMBERED = 400
LOOK_AT_MOST = 100
"""Days that one look takes up; the next look goes on where it stopped."""


@dataclass(frozen=True)
class Cursor:
    """What a look remembers for the next one; it does not grow with the years."""

    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Prints of the files that were taken up, by day, of the newest days."""
    older: str = ""
    """Print of everything before those days, as it was when it was found to be settled."""
    checked: str = ""
    """The hour in which days were last looked for that nothing came of."""
    compared: str = ""
    """The day up to which records were compared with what was delivered; empty where the next look begins anew."""
    told: str = ""
    """The trouble with the ruleset that was last told of."""

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        if not text:
            return cls()
        fields = json.loads(text)
        return cls(**{**fields, "seen": {day: tuple(prints) for day, prints in fields["seen"].items()}})

    def __str__(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))


@dataclass(frozen=True)
class Request:
    """A day to be judged. An equal key is an equal request."""

    day: str
    key: str


@dataclass(frozen=True)
class Look:
    """What one look found."""

    arrived: tuple[Delivery, ...]
    requests: tuple[Request, ...]
    strange: Mapping[str, str]
    cursor: Cursor


def with_told(cursor: Cursor, trouble: str) -> Cursor:
    """The cursor once people were told of a ruleset that cannot be read; empty where it can."""
    return replace(cursor, told=trouble)


def look(raw: ObjectStore, lake: ObjectStore, cursor: Cursor, start: date, now: datetime) -> Look:
    """One bounded look at the raw side."""
    listing = deliveries.look(raw, start, now)
    days = listing.days
    remembered = sorted(days)[-DAYS_REMEMBERED:]
    floor = remembered[0] if remembered else ""
    older = _print_of_all(delivery for day, delivery in days.items() if day < floor)
    watched = [day for day in days if day >= floor or older != cursor.older]
    seen = dict(cursor.seen)
    arrived: list[Delivery] = []
    complete = True
    for day in watched:
        prints = _prints(days[day])
        if set(prints) <= set(seen.get(day, ())):
            seen[day] = prints
            continue
        if not _is_judged(lake, days[day]):
            if len(arrived) == LOOK_AT_MOST:
                complete = False
                break
            arrived.append(days[day])
        seen[day] = prints
    requests = [_request(delivery) for delivery in arrived]
    taken = replace(
        cursor,
        seen={day: prints for day, prints in seen.items() if day >= floor and day in days} if complete else seen,
        older=older if complete else cursor.older,
    )
    if complete and not arrived:
        left_behind, taken = _left_behind(lake, days, taken, start, now)
        requests += left_behind
    return Look(tuple(arrived), tuple(requests), listing.strange, taken)


def _request(delivery: Delivery, attempt: str = "") -> Request:
    # With the time it came: content that comes a second time, after other content, is another request.
    return Request(delivery.day, f"quality_movies/{delivery.day}/{delivery.fingerprint}/{delivery.version}{attempt}")


def _is_judged(lake: ObjectStore, delivery: Delivery) -> bool:
    record = record_of(lake, delivery.day)
    return record is not None and record.is_made_from(delivery)


def note_not_loaded(lake: ObjectStore, days: Sequence[str], now: datetime) -> None:
    """Leave word for the sensor of judged days that the warehouse lacks."""
    lake.write(RECONCILIATION, json.dumps({"time": now.astimezone(UTC).isoformat(), "days": list(days)}).encode())


def _not_loaded(lake: ObjectStore, start: date, now: datetime) -> list[Request]:
    """The next of the days that the warehouse lacks. What is lost with this look, the next comparison finds again."""
    try:
        noted = json.loads(lake.read(RECONCILIATION))
        time, days = str(noted["time"]), list(noted["days"])
    except ObjectMissing:
        return []
    except (ValueError, TypeError, KeyError):  # not written by this platform: the next comparison will be
        return []
    taken, rest = days[:LOOK_AT_MOST], days[LOOK_AT_MOST:]
    if rest:
        lake.write(RECONCILIATION, json.dumps({"time": time, "days": rest}).encode())
    else:
        lake.delete([RECONCILIATION])
    first, last = start.isoformat(), now.astimezone(UTC).date().isoformat()
    return [Request(day, f"quality_movies/{day}/not loaded {time}") for day in taken if first <= day <= last]


def _left_behind(
    lake: ObjectStore, days: Mapping[str, Delivery], cursor: Cursor, start: date, now: datetime
) -> tuple[list[Request], Cursor]:
    """Once an hour, days that have no record, or one of another delivery, and those that the warehouse lacks.

    Their runs did not get so far, or ended after the run of a newer delivery.
    Only so many records are opened in an hour; the next hour goes on with the days behind them.
    """
    hour = now.astimezone(UTC).strftime("%Y-%m-%dT%H")
    if cursor.checked == hour:
        return [], cursor
    if not cursor.checked:  # a run that was asked for just now is given the rest of its hour
        return [], replace(cursor, checked=hour)
    judged = set(judged_days(lake))
    missing = sorted(set(days) - judged)[:LOOK_AT_MOST]
    compared = sorted(day for day in judged & set(days) if day > cursor.compared)[:LOOK_AT_MOST]
    missing += [day for day in compared if not _is_judged(lake, days[day])]
    taken = replace(cursor, checked=hour, compared=compared[-1] if len(compared) == LOOK_AT_MOST else "")
    again = [_request(days[day], f" again {hour}") for day in missing]
    return again + [request for request in _not_loaded(lake, start, now) if request.day not in missing], taken


def _prints(delivery: Delivery) -> tuple[str, ...]:
    return tuple(sorted(_print(info) for info in delivery.files.values()))


def _print(info: ObjectInfo) -> str:
    return hashlib.blake2b(f"{info.key}\t{info.etag}".encode(), digest_size=6).hexdigest()


def _print_of_all(found: Iterable[Delivery]) -> str:
    text = "\n".join(f"{delivery.day}\t{delivery.fingerprint}" for delivery in found)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if text else ""
