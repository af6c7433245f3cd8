"""How old what is served is, for each source."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from movie_platform.deliveries import manifests, receipts, reconciled
from movie_platform.deliveries.source import Source
from movie_platform.errors import PlatformError
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed.windows import LENGTH, start_of
from movie_platform.pipelines.quality_movies import archive as quality_movies
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.report.feed import Windows
from movie_platform.report.markup import joined, moment, note, table, tag
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs

WINDOW_STALE = timedelta(hours=1)
DAY_STALE = timedelta(days=1)
"""So long after the end of its newest window or day a source counts as stale."""


@dataclass(frozen=True)
class Freshness:
    """Where a source stands, from the lake's records alone."""

    title: str
    newest: str
    ended: datetime | None
    came: str
    served: int
    refused: int
    owed: int
    owed_at: str
    stale_after: timedelta

    def state(self, now: datetime) -> str:
        if self.ended is None:
            return "nothing yet"
        return "stale" if now - self.ended > self.stale_after else "fresh"


def freshness_of(inputs: Inputs, source: Source, feed: Windows) -> Freshness:
    lake = inputs.lake
    is_window = source.partition == "window"
    if is_window:
        done, refused = set(feed.served), {refusal.window for refusal in feed.refused}
    else:
        done = {day for day, standing in source.standing_of_all(lake).items() if standing.receipts}
        refused = {refusal.partition for refusal in receipts.refusals(lake, source.archive or source.name)}
    if source.name == quality_movies.NAME:
        records = inputs.each(partial(record_of, lake), sorted(done))
        held = {record.day for record in records if record and not record.is_loaded}
        done, refused = done - held, refused | held
    newest = max(done, default="")
    report = reconciled.read(lake, source.name, inputs.settings.platform_name)
    ended = None
    if newest:
        begun = start_of(newest) if is_window else datetime.fromisoformat(newest).replace(tzinfo=UTC)
        ended = begun + (LENGTH if is_window else timedelta(days=1))
    came = _came(inputs, source, newest) if newest else ""
    stale_after = WINDOW_STALE if is_window else DAY_STALE
    shown = f"{ended - LENGTH:%Y-%m-%d %H:%M}" if ended and is_window else newest
    return Freshness(
        source.title, shown, ended, came, len(done), len(refused), len(report.owed), report.time, stale_after
    )


def freshness_section(inputs: Inputs, feed: Windows) -> Section:
    found = [freshness_of(inputs, source_of(pipeline), feed) for pipeline in PIPELINES]
    rows = [
        (
            tag("b", one.title),
            tag("span", state := one.state(inputs.now), class_=f"badge {state.split()[0]}"),
            one.newest or "-",
            _age(inputs.now, one.ended),
            one.came or "-",
            one.served,
            one.refused,
            f"{one.owed} (at {moment(one.owed_at)})" if one.owed_at else "not looked for yet",
        )
        for one in found
    ]
    columns = (
        "source",
        "state",
        "newest served",
        "over since",
        "its files came",
        "served",
        "held back",
        "owed",
    )
    about = (
        "Fresh: the newest served window ended within the last hour, the newest served day within the last day. "
        "Held back: refused or blocked. Owed is what the last hourly reconciliation found delivered and not processed "
        "or not loaded."
    )
    return Section("Freshness", joined([table(columns, rows), note(about)]))


def _came(inputs: Inputs, source: Source, newest: str) -> str:
    try:
        manifest = manifests.latest(inputs.lake, source.archive or source.name, newest)
    except PlatformError:  # a torn manifest is the reconciliation's to report; here only its time is unknown
        return ""
    return moment(manifest.delivered_at) if manifest else ""


def _age(now: datetime, ended: datetime | None) -> str:
    if ended is None:
        return "-"
    minutes = int((now - ended).total_seconds() // 60)
    if minutes < 0:
        return "under way"
    days, rest = divmod(minutes, 1440)
    return f"{days} d {rest // 60} h" if days else f"{rest // 60} h {rest % 60} min"
