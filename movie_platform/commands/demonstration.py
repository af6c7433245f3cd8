"""Every pipeline on sample data."""

from datetime import UTC, datetime, timedelta

from movie_platform.commands import behavior as user_behavior
from movie_platform.commands import dataset as movies_dataset
from movie_platform.commands.feed import deliver_windows, run_windows
from movie_platform.commands.quality_movies import deliver_days, run_days
from movie_platform.commands.terminal import out, safe, table
from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.pipelines.quality_movies.day_records import judged_days, record_of
from movie_platform.settings import Settings
from movie_platform.warehouse import Warehouse, open_warehouse

FEED_WINDOWS = 36
FEED_DEFECTS = 0.25
QUALITY_DAYS = 6
DATASET_SCALE = 0.01
BEHAVIOR_DAYS = 3


def demonstrate(settings: Settings) -> bool:
    """Deliver, run, show; whether nothing of ours failed."""
    out.rule("IMDB feed")
    ok = _feed(settings)
    out.rule("Quality movies")
    ok = _quality(settings) and ok
    out.rule("The Movies Dataset")
    ok = _dataset(settings) and ok
    out.rule("User behavior")
    ok = _behavior(settings) and ok
    _summary(settings)
    return ok


def _rows_per_table(warehouse: Warehouse) -> list[tuple[str, int]]:
    listed = warehouse.query("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").to_pylist()
    counted = []
    for names in listed:
        qualified = f'"{names["schema_name"]}"."{names["table_name"]}"'
        rows = warehouse.query(f"SELECT count(*) AS n FROM {qualified}").to_pylist()[0]["n"]  # noqa: S608 - quoted
        counted.append((f"{names['schema_name']}.{names['table_name']}", rows))
    return counted


def _feed(settings: Settings) -> bool:
    first = settings.feed_start
    last = shift(first, LENGTH * (FEED_WINDOWS - 1))
    raw = open_store(settings.source_uri("feed"))
    missing = [window for window in span(first, last) if not any(raw.objects(f"imdb_raw_data/{window}/"))]
    deliver_windows(raw, missing, defects=FEED_DEFECTS)
    return run_windows(settings, first, last)


def _quality(settings: Settings) -> bool:
    days = [(settings.quality_start + timedelta(days=number)).isoformat() for number in range(QUALITY_DAYS)]
    raw = open_store(settings.source_uri("quality"))
    if not any(raw.objects(f"input_data/{days[0]}/")):
        deliver_days(raw, days, defects=True)
    return run_days(settings, days[0], days[-1])


def _dataset(settings: Settings) -> bool:
    day = settings.dataset_start
    if not any(open_store(settings.source_uri("dataset")).objects(f"project-data/{day}/")):
        movies_dataset.deliver_dataset(settings, day, scale=DATASET_SCALE)
    return movies_dataset.run_deliveries(settings, day.isoformat(), day.isoformat())


def _behavior(settings: Settings) -> bool:
    days = [settings.behavior_start + timedelta(days=number) for number in range(BEHAVIOR_DAYS)]
    if not any(open_store(settings.source_uri("behavior")).objects(f"movie_review/{days[0]}/")):
        user_behavior.deliver_days(settings, days)
    return user_behavior.run_days(settings, days[0], days[-1])


def _summary(settings: Settings) -> None:
    raw, lake = open_store(settings.source_uri("feed")), open_store(settings.lake_uri)
    feed = feed_status(raw, lake, settings.feed_start, datetime.now(UTC))
    out.print()
    judged = [record for day in judged_days(lake) if (record := record_of(lake, day))]
    processed = [
        ("windows of the feed", len(feed.processed)),
        ("days of quality movies", sum(record.is_loaded for record in judged)),
    ]
    out.print(table("Processed", ("what", "how many"), processed))
    refused = [(refusal.window, refusal.reason) for refusal in feed.refused]
    refused += [(record.day, f"{record.state}: {record.reason}") for record in judged if not record.is_loaded]
    out.print(table("Refused, and why", ("what", "reason"), refused))
    out.print(table("Warehouse", ("table", "rows"), _rows_per_table(open_warehouse(settings))))
    places = [("raw side", settings.raw_uri), ("lake", settings.lake_uri), ("warehouse", settings.warehouse)]
    out.print(table("Where things lie", ("what", "where"), places))
    out.print(safe("Open the UI with `make dev`, then http://localhost:3000"))
