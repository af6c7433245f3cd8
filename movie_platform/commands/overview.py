"""Commands about the platform as a whole: where it stands, whether it is set up right, and a demonstration."""

from collections.abc import Callable
from datetime import UTC, datetime

import click

from movie_platform.commands.options import json_option, mode
from movie_platform.commands.terminal import out, print_json, safe, table
from movie_platform.deliveries import Listing
from movie_platform.deliveries.columns import ChangedColumn
from movie_platform.deliveries.delivery import NAMED_AT_MOST
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.status import SourceStatus
from movie_platform.errors import PlatformError
from movie_platform.lake import open_store
from movie_platform.monitoring import watch
from movie_platform.monitoring.freshness import Freshness, freshness_of_all
from movie_platform.monitoring.statuses import columns_of_all, daily_sources, source_status, windows_status
from movie_platform.notify import open_channel, read_routes
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed.status import FeedStatus
from movie_platform.settings import Settings, load_settings, variable

PROBE = "doctor/probe"
NAMED = 10


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show where every source stands: fresh or overdue, processed, waiting or refused, and why. Opens no warehouse."""
    settings, now = load_settings(), datetime.now(UTC)
    lake = open_store(settings.lake_uri, settings.s3_waits)
    feed = windows_status(settings, lake, now)
    others = {source.name: (source, source_status(source, settings, lake, now)) for source in daily_sources()}
    columns = columns_of_all(lake, settings)
    fresh, record = freshness_of_all(lake, settings, now), watch.read(lake, settings.platform_name)
    if as_json:
        shown = {
            **feed.as_json(),
            "sources": {name: found.as_json() for name, (_, found) in others.items()},
            "freshness": {of.source: of.as_json(now) for of in fresh},
            "columns": {name: [of.as_json() for of in changed] for name, changed in columns.items()},
            "troubles": record.as_json(),
        }
        print_json(shown, indent=2)
        return
    _show_feed(feed)
    for source, found in others.values():
        _show_source(source, found)
    _show_columns(columns)
    _show_freshness(fresh, now)
    _show_troubles(record, now)


def _show_columns(columns: dict[str, list[ChangedColumn]]) -> None:
    rows = [(name, str(of)) for name, changed in columns.items() for of in changed[:NAMED]]
    for name, changed in columns.items():
        if len(changed) > NAMED:
            rows.append((name, f"and {len(changed) - NAMED} more: see --json"))
    if rows:
        out.print(table("Columns of the newest deliveries that are not as expected", ("source", "column"), rows))


def _show_freshness(fresh: list[Freshness], now: datetime) -> None:
    rows = [
        (of.title, of.state(now), of.shown or "-", f"{of.due:%Y-%m-%d %H:%M} UTC" if of.due else "-") for of in fresh
    ]
    out.print(table("Freshness", ("source", "state", "newest served", "next one due by"), rows))


def _show_troubles(record: watch.Record, now: datetime) -> None:
    if record.open:
        rows = [(of.word.lower(), of.name, f"{of.since:%Y-%m-%d %H:%M} UTC", of.reason, of.to_do) for of in record.open]
        out.print(table("Troubles", ("what", "of", "since", "reason", "to do"), rows))
    out.print(safe(f"troubles:  {len(record.open)} open, {record.line(now)}"))


def _show_feed(found: FeedStatus) -> None:
    latest = f", the latest {found.processed[-1]}" if found.processed else ""
    out.print(safe(f"processed: {len(found.processed)} windows{latest}"))
    out.print(safe(f"waiting:   {len(found.waiting)} windows {' '.join(found.waiting[:NAMED])}"))
    out.print(safe(f"refused:   {len(found.refused)} windows"))
    if found.gone:
        out.print(safe(f"gone:      {len(found.gone)} windows lost their source files, and serve what is archived"))
    if found.refused:
        rows = [(r.window, r.attempts, r.first_seen, r.serves or "nothing", r.reason) for r in found.refused]
        out.print(table("Refused windows", ("window", "attempts", "first seen", "serves", "reason"), rows))
    _show_rejected("Folders that are no window", found.rejected)


def _show_source(source: Source, found: SourceStatus) -> None:
    latest = f", the latest {found.processed[-1]}" if found.processed else ""
    parts = [f"{len(found.processed)} {source.partition}s processed{latest}"]
    if found.waiting:
        parts.append(f"{len(found.waiting)} waiting ({' '.join(found.waiting[:NAMED])})")
    if found.refused:
        parts.append(f"{len(found.refused)} refused")
    if found.gone:
        parts.append(f"{len(found.gone)} whose source files are gone, served from the archive")
    if found.owed:
        parts.append(f"{len(found.owed)} owed at {found.owed_at} ({' '.join(found.owed[:NAMED])})")
    out.print(safe(f"{source.title}: {'; '.join(parts)}"))
    if found.refused:
        rows = [(refusal.partition, refusal.at, refusal.reason) for refusal in found.refused]
        out.print(table(f"Refused deliveries of {source.title}", (source.partition, "since", "reason"), rows))
    _show_rejected(f"Keys that are no delivery of {source.title}", found.listing)


def _show_rejected(title: str, listing: Listing) -> None:
    if listing.rejected:
        more = f" ({len(listing.rejected_keys)} of {listing.rejected})" if listing.rejected > NAMED_AT_MOST else ""
        out.print(table(title + more, ("key", "reason"), listing.rejected_keys.items()))


@click.command()
@json_option
def doctor() -> None:
    """Check that everything the settings name can be reached and used, and say what to fix."""
    settings = load_settings()
    rows, ok = [("settings", "ok", "")], True
    for name, check in _examinations(settings).items():
        try:
            rows.append((name, "ok", check()))
        except PlatformError as error:
            ok = False
            rows.append((name, "FAILED", str(error)))
    if mode.json:
        for part, state, known in rows:
            print_json({"part": part, "state": state, "what to know": known})
    out.print(table("movie-platform doctor", ("part", "state", "what to know"), rows))
    if not ok:
        raise SystemExit(1)


def _examinations(settings: Settings) -> dict[str, Callable[[], str]]:
    def raw_side(uri: str) -> Callable[[], str]:
        def examine() -> str:
            store = open_store(uri, settings.s3_waits)
            first = next(iter(store.objects()), None)
            if first is None:
                return f"{uri} can be listed and is empty: `movie-platform simulate feed` delivers samples"
            store.read(first.key)
            return f"{uri} can be listed and read"

        return examine

    def lake() -> str:
        store = open_store(settings.lake_uri, settings.s3_waits)
        store.write(PROBE, b"probe")
        if store.read(PROBE) != b"probe" or not list(store.objects("doctor/")):
            raise PlatformError(f"{settings.lake_uri} does not give back what was written: set {variable('lake_uri')}")
        store.delete([PROBE])
        return f"{settings.lake_uri} can be listed, read, written and deleted from"

    def warehouse() -> str:
        from movie_platform.warehouse import open_warehouse

        loads = len(open_warehouse(settings).ledger())
        return f"{settings.warehouse} answers; {loads} loads committed so far"

    def channel(setting: str) -> Callable[[], str]:
        return lambda: open_channel(setting, settings.notify_urls, settings.aws_waits).examine()

    def arrivals() -> str:
        from movie_platform.deliveries.announcements import Queue

        kind, _, url = settings.arrivals.partition(":")
        return Queue(url, settings.aws_waits).examine() if kind == "sqs" else "sensors look by themselves"

    def rules() -> str:
        count = len(read_routes(settings.notify_rules, settings.notify).rules)
        return f"{count} rules say who hears what" if count else "every channel hears everything"

    sources = {settings.source_uri(source_of(pipeline).command) for pipeline in PIPELINES}
    return {
        **{f"raw side {uri}": raw_side(uri) for uri in sorted(sources)},
        "arrivals": arrivals,
        "lake": lake,
        "warehouse": warehouse,
        **{f"notifier {setting}": channel(setting) for setting in settings.notify},
        "who hears what": rules,
    }
