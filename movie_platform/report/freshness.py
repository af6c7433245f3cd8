"""How old what is served is, for each source."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from movie_platform.deliveries import manifests, receipts, reconciled
from movie_platform.deliveries.source import Source
from movie_platform.errors import PlatformError
from movie_platform.monitoring import watch
from movie_platform.monitoring.freshness import Freshness, freshness_of
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.quality_movies import archive as quality_movies
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.report.feed import Windows
from movie_platform.report.markup import Markup, joined, moment, note, table, tag
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs


@dataclass(frozen=True)
class Served:
    """A source's freshness, and what it has served, from the lake's records alone."""

    freshness: Freshness
    came: str
    served: int
    refused: int
    owed: int
    owed_at: str


def served_of(inputs: Inputs, source: Source, feed: Windows) -> Served:
    lake = inputs.lake
    if source.partition == "window":
        done, refused = set(feed.served), {refusal.window for refusal in feed.refused}
    else:
        done = {day for day, standing in source.standing_of_all(lake).items() if standing.receipts}
        refused = {refusal.partition for refusal in receipts.refusals(lake, source.archive or source.name)}
    if source.name == quality_movies.NAME:
        records = inputs.each(partial(record_of, lake), sorted(done))
        held = {record.day for record in records if record and not record.is_loaded}
        done, refused = done - held, refused | held
    freshness = freshness_of(source, lake, inputs.settings, inputs.now)
    report = reconciled.read(lake, source.name, inputs.settings.platform_name)
    came = _came(inputs, source, freshness.newest) if freshness.newest else ""
    return Served(freshness, came, len(done), len(refused), len(report.owed), report.time)


def freshness_section(inputs: Inputs, feed: Windows) -> Section:
    found = [served_of(inputs, source_of(pipeline), feed) for pipeline in PIPELINES]
    rows = [
        (
            tag("b", one.freshness.title),
            tag("span", state := one.freshness.state(inputs.now), class_=f"badge {state.split()[0]}"),
            one.freshness.shown or "-",
            _age(inputs.now, one.freshness.ended),
            f"{one.freshness.due:%Y-%m-%d %H:%M}" if one.freshness.due else "-",
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
        "next one due by",
        "its files came",
        "served",
        "held back",
        "owed",
    )
    about = (
        "Overdue: the window or day after the newest served one is not served when it is due, which "
        "MOVIE_PLATFORM_FEED_DUE and its like say. Held back: refused or blocked. Owed is what the last hourly "
        "reconciliation found delivered and not processed or not loaded."
    )
    return Section("Freshness", joined([table(columns, rows), note(about), _troubles(inputs)]))


def _troubles(inputs: Inputs) -> Markup:
    record = watch.read(inputs.lake, inputs.settings.platform_name)
    heading = tag("h3", "What is wrong with the platform itself")
    line = note(f"{len(record.open)} open, {record.line(inputs.now)}.")
    if not record.open:
        return joined([heading, line])
    rows = [(of.word.lower(), of.name, f"{of.since:%Y-%m-%d %H:%M}", of.reason, of.to_do) for of in record.open]
    return joined([heading, table(("what", "of", "since", "reason", "to do"), rows), line])


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
