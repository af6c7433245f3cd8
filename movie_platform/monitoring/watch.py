"""Which troubles are open: each is notified when it begins, once a day while it lasts, and when it is over.

The memory of it is the cursor of the sensor that watches, so that a lake that is away is notified once too. What is
open is written to the lake as well, for those who have no access to Dagster.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.monitoring.troubles import Trouble
from movie_platform.notify import Notifier, TroubleNotice

FOLDER = "notifications/watch/"
REMIND_AFTER = timedelta(days=1)
WRITTEN_EVERY = timedelta(minutes=10)
SECONDS = 20.0
"""After so long no further notice is begun in this tick: the next one goes on."""

_log = logging.getLogger("movie_platform.notify")


@dataclass(frozen=True)
class Open:
    """A trouble that was seen, and who was notified of it when."""

    trouble: Trouble
    began: str = ""
    """When its beginning was first notified; empty where nobody was reached yet."""
    reminded: str = ""
    by: tuple[str, ...] = ()
    """The channels that took the newest of its notices."""
    is_over: bool = False


@dataclass(frozen=True)
class Memory:
    """What the watch remembers from tick to tick."""

    began: str = ""
    """When the watch looked first."""
    open: Mapping[str, Open] = field(default_factory=dict)
    written: str = ""
    """When the lake's record was last written."""

    @classmethod
    def parse(cls, text: str | None) -> "Memory":
        """A memory that cannot be read is lost: what is open then is notified again, once."""
        try:
            found = json.loads(text or "{}")
            moments = {name: str(found.get(name, "")) for name in ("began", "written")}
            for moment in filter(None, moments.values()):
                datetime.fromisoformat(moment)
            return cls(**moments, open={key: _open_of(of) for key, of in found.get("open", {}).items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def __str__(self) -> str:
        return json.dumps(asdict(self), default=datetime.isoformat, separators=(",", ":"))


@dataclass(frozen=True)
class Found:
    """What is wrong now, and of which kinds of trouble that is known."""

    troubles: tuple[Trouble, ...]
    looked_for: frozenset[str]
    """Words of the kinds that could be looked for; troubles of other kinds stay as they are."""


def notified(
    memory: Memory,
    found: Found,
    notifier: Notifier,
    now: datetime,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Memory:
    """Notify what is new, what still lasts after a day, and what is over; a channel that failed is tried again with the
    next tick."""
    end = clock() + SECONDS
    standing: dict[str, Open] = {}
    for key, known in _standing(memory, found).items():
        after = _sent(known, notifier, now) if clock() <= end else known
        if after is not None:
            standing[key] = after
    return replace(memory, began=memory.began or now.isoformat(), open=standing)


def _standing(memory: Memory, found: Found) -> dict[str, Open]:
    """Every trouble that is open or whose end was not notified yet."""
    now_open = {trouble.key: trouble for trouble in found.troubles}
    standing: dict[str, Open] = {}
    for key, known in memory.open.items():
        if key in now_open and known.is_over:
            standing[key] = Open(now_open[key])  # it came back before its end was notified
        elif key in now_open:
            standing[key] = replace(known, trouble=replace(now_open[key], since=known.trouble.since))
        elif known.trouble.word in found.looked_for and not known.is_over:
            standing[key] = replace(known, is_over=True, by=())
        else:
            standing[key] = known
    return {**standing, **{key: Open(trouble) for key, trouble in now_open.items() if key not in standing}}


def _sent(known: Open, notifier: Notifier, now: datetime) -> Open | None:
    """The trouble after its notice, if one is due; None where it is over and all who should know do."""
    if known.is_over:
        if not known.began:
            return None
        delivered = notifier.notify(_notice(known, "over", notifier, now), already=known.by, attempts=1)
        return None if delivered.everywhere else replace(known, by=(*known.by, *delivered.by))
    last = known.reminded or known.began
    if last and now - datetime.fromisoformat(last) >= REMIND_AFTER:
        known = replace(known, reminded=now.isoformat(), by=())
    state: Literal["began", "lasts"] = "lasts" if known.reminded else "began"
    delivered = notifier.notify(_notice(known, state, notifier, now), already=known.by, attempts=1)
    began = known.began or (now.isoformat() if delivered.by or delivered.everywhere else "")
    return replace(known, began=began, by=(*known.by, *delivered.by))


def _notice(known: Open, state: Literal["began", "lasts", "over"], notifier: Notifier, now: datetime) -> TroubleNotice:
    of = known.trouble
    link = notifier.link_to(of.page) if of.page else ""
    return TroubleNotice(of.word, of.name, of.topic, state, of.reason, of.to_do, of.since, now, link)


def recorded(memory: Memory, before: Memory, lake: ObjectStore, platform: str, now: datetime) -> Memory:
    """Write what is open for whoever reads the lake: when it changed, and every ten minutes as a sign of life."""
    is_due = not memory.written or now - datetime.fromisoformat(memory.written) >= WRITTEN_EVERY
    if not is_due and _troubles(memory) == _troubles(before):
        return memory
    troubles = [asdict(trouble) for trouble in _troubles(memory)]
    record = {"at": now.astimezone(UTC).isoformat(timespec="seconds"), "open": troubles}
    try:
        lake.write(key_of(platform), json.dumps(record, default=datetime.isoformat).encode())
    except PlatformError as error:
        _log.warning("what is open could not be written to the lake: %s", error)
        return replace(memory, written="")
    return replace(memory, written=now.isoformat())


def _troubles(memory: Memory) -> list[Trouble]:
    return [of.trouble for of in memory.open.values() if not of.is_over]


def key_of(platform: str) -> str:
    return f"{FOLDER}{platform}.json"


@dataclass(frozen=True)
class Record:
    """What the watch last found, as the lake has it; empty where it never looked."""

    at: datetime | None = None
    open: tuple[Trouble, ...] = ()

    def line(self, now: datetime) -> str:
        """When the watch last looked, and whether it still does."""
        if self.at is None:
            return "nobody has looked yet: Dagster's sensor platform_watch does, once the daemon runs"
        late = now - self.at > 2 * WRITTEN_EVERY
        warning = "; it looks every minute: is Dagster's daemon running?" if late else ""
        return f"as the sensor platform_watch found at {self.at:%Y-%m-%d %H:%M} UTC{warning}"

    def as_json(self) -> dict[str, object]:
        troubles = [{**asdict(trouble), "since": trouble.since.isoformat()} for trouble in self.open]
        return {"at": self.at.isoformat() if self.at else "", "open": troubles}


def read(lake: ObjectStore, platform: str) -> Record:
    try:
        found = json.loads(lake.read(key_of(platform)))
        return Record(datetime.fromisoformat(found["at"]), tuple(_trouble_of(one) for one in found["open"]))
    except (ObjectMissing, ValueError, TypeError, KeyError):  # of another version; the next tick writes it anew
        return Record()


def _open_of(found: dict[str, Any]) -> Open:
    return Open(**{**found, "trouble": _trouble_of(found["trouble"]), "by": tuple(found["by"])})


def _trouble_of(found: dict[str, Any]) -> Trouble:
    return Trouble(**{**found, "since": datetime.fromisoformat(found["since"])})
