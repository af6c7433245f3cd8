"""Every pipeline on sample data, on the embedded default, whatever the settings of this machine say."""

from datetime import UTC, datetime

from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.cli import deliver_windows, run_windows
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.settings import Settings, default_settings
from movie_platform.terminal import out, safe, table
from movie_platform.warehouse import open_warehouse

FEED_WINDOWS = 36
FEED_DEFECTS = 0.25


def demonstrate() -> bool:
    """Deliver, run, show; whether nothing of ours failed."""
    settings = default_settings()
    out.rule("IMDB feed")
    fine = _feed(settings)
    _summary(settings)
    return fine


def _feed(settings: Settings) -> bool:
    first = settings.feed_start
    last = shift(first, LENGTH * (FEED_WINDOWS - 1))
    raw = open_store(settings.source_uri("feed"))
    missing = [window for window in span(first, last) if not any(raw.objects(f"imdb_raw_data/{window}/"))]
    deliver_windows(raw, missing, defects=FEED_DEFECTS)
    return run_windows(settings, first, last)


def _summary(settings: Settings) -> None:
    raw, lake = open_store(settings.source_uri("feed")), open_store(settings.lake_uri)
    feed = feed_status(raw, lake, settings.feed_start, datetime.now(UTC))
    out.print()
    out.print(table("Processed", ("what", "how many"), [("windows of the feed", len(feed.processed))]))
    refused = [(refusal.window, refusal.reason) for refusal in feed.refused]
    out.print(table("Refused, and why", ("what", "reason"), refused))
    warehouse = open_warehouse(settings)
    rows = [(row.table_name, row.rows) for row in warehouse.ledger()]
    totals: dict[str, int] = {}
    for name, count in rows:
        totals[name] = totals.get(name, 0) + count
    out.print(table("Warehouse", ("table", "rows"), totals.items()))
    places = [("raw side", settings.raw_uri), ("lake", settings.lake_uri), ("warehouse", settings.warehouse)]
    out.print(table("Where things lie", ("what", "where"), places))
    out.print(safe("Open the UI with `make dev`, then http://localhost:3000"))
