"""What counts as a trouble that no run and no delivery says: silence, sensors that fail, daemons that stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from movie_platform.deliveries import reconciled
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.monitoring.freshness import Freshness, delivered_since
from movie_platform.notify.advice import RUNBOOK

OWED_TOO_LONG = timedelta(minutes=50)
"""Between the first and the last report that has it: reports are an hour apart, less what a schedule is late."""
SILENT_AFTER = timedelta(minutes=10)
"""A daemon that lives writes a heartbeat every half minute, also where one round of it takes minutes."""
NAMED = 5

OVERDUE, FAILING, SILENT, OWED = "OVERDUE", "FAILING", "SILENT", "OWED"


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong now; `word` and `name` together say which."""

    word: str
    name: str
    topic: Literal["freshness", "platform"]
    since: datetime
    reason: str
    to_do: str
    page: str = ""
    """Of the UI, where people see it."""

    @property
    def key(self) -> str:
        return f"{self.word} {self.name}"


def overdue(source: Source, found: Freshness, lake: ObjectStore, now: datetime) -> Iterator[Trouble]:
    """That the source's next window or day is not served though it is due."""
    if found.due is None or not found.is_overdue(now):
        return
    came = delivered_since(source, lake, found.newest)
    refused = [partition for partition, is_refused in came.items() if is_refused]
    if refused:
        why = f"{len(refused)} {source.partition}s after it came and are refused, the last of them {refused[-1]}"
    elif came:
        why = f"{len(came)} {source.partition}s after it came and are not served, the last of them {max(came)}"
    else:
        why = "nothing that came after it was taken up"
    yield Trouble(
        OVERDUE,
        found.title,
        "freshness",
        found.due,
        f"the newest {source.partition} that is served is {found.shown}; {why}",
        f"`movie-platform status` says whether anything is on the raw side, below {source.prefix}. If nothing is, ask "
        f"whoever delivers. {RUNBOOK}: A source is overdue",
        f"assets/{source.raw_asset}",
    )


def owed_for_long(source: Source, report: reconciled.Report) -> Iterator[Trouble]:
    """That something was owed in reports an hour apart, for which runs were asked meanwhile."""
    if not report.time:
        return
    read = datetime.fromisoformat(report.time)
    owed_since = {partition: datetime.fromisoformat(time) for partition, time in report.since.items()}
    late = {partition: since for partition, since in owed_since.items() if read - since >= OWED_TOO_LONG}
    if not late:
        return
    named = ", ".join(sorted(late)[:NAMED]) + (" and more" if len(late) > NAMED else "")
    yield Trouble(
        OWED,
        source.title,
        "platform",
        min(late.values()),
        f"{len(late)} {source.partition}s were delivered and are not processed or not loaded for more than an hour: "
        f"{named}",
        f"see the newest runs of {source.assets[-1]}: do they fail, wait or not start? "
        f"{RUNBOOK}: A load is owed for more than an hour",
        "runs",
    )


def failing(what: str, since: datetime, ticks: int, reason: str) -> Trouble:
    """That a sensor or schedule keeps failing."""
    return Trouble(
        FAILING,
        what,
        "platform",
        since,
        f"none of its last {ticks} ticks succeeded: {reason}",
        "no delivery is lost, but none is taken up by it meanwhile. The reason names what cannot be reached; "
        f"`movie-platform doctor` tries it from here. {RUNBOOK}: A sensor or schedule keeps failing",
        "automation",
    )


def silent(daemon: str, heartbeat: datetime | None, began: datetime, now: datetime) -> Iterator[Trouble]:
    """That a daemon has not written a heartbeat; where it never did, `began` is when it was looked for first."""
    since = heartbeat or began
    if now - since <= SILENT_AFTER:
        return
    yield Trouble(
        SILENT,
        f"daemon {daemon}",
        "platform",
        since,
        f"its last heartbeat was at {since:%Y-%m-%d %H:%M:%S} UTC" if heartbeat else "it has not written any heartbeat",
        f"restart the daemon; its log says why it stopped. {RUNBOOK}: A daemon has no heartbeat",
        "deployment/daemons",
    )
