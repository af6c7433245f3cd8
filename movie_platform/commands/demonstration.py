"""Every pipeline on sample data that was delivered up to now, so that every page of the UI has something to show."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from movie_platform.commands import behavior as user_behavior
from movie_platform.commands import dataset as movies_dataset
from movie_platform.commands import quality_movies
from movie_platform.commands.feed import run_windows
from movie_platform.commands.terminal import out, safe, table
from movie_platform.deliveries.source import Source
from movie_platform.deliveries.status import SourceStatus
from movie_platform.feed_start import FeedStart
from movie_platform.lake import ObjectStore, open_store
from movie_platform.monitoring.statuses import daily_sources, source_status, windows_status
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.imdb_feed.status import FeedStatus
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span
from movie_platform.pipelines.quality_movies.day_records import judged_days, record_of
from movie_platform.settings import Settings, default_settings, variable
from movie_platform.warehouse import Warehouse, open_warehouse

FEED_WINDOWS = 36
BROKEN_WINDOWS = {
    2: "missing file",
    5: "rating of 11",
    7: "latin-1 text",
    10: "id that is no number",
    12: "missing column",
    15: "byte order mark",
    17: "unclosed quote",
    20: "blank title",
    22: "too many fields",
    26: "empty file",
    29: "NUL byte",
    32: "header only",
}
"""The defect of every so many windows of the demonstration. Eight are refused, four are read with what can be used."""
QUALITY_DAYS = 10
QUALITY_DEFECTS = (0, 3, 1, 4, 0, 5, 0, 0, 6, 2)
"""The number of each day's defect. Three are not loaded, one drifts from those before, and the newest is loaded."""
DATASET_SCALE = 0.01
BEHAVIOR_DAYS = 3
STARTS = ("feed_start", "dataset_start", "quality_start", "behavior_start")
STARTS_FILE = "demonstration.env"
"""Beside Dagster's home: the settings by which every source begins with its samples. `make dev` goes by them."""

Daily = Sequence[tuple[Source, SourceStatus]]


@click.command()
def demo() -> None:
    """Deliver samples of every source to .data/, run every pipeline on them, and show what came of it.

    Works on the embedded default, whatever the settings of this machine say.
    """
    if not demonstrate(default_settings(), datetime.now(UTC)):
        raise SystemExit(1)


def demonstrate(settings: Settings, now: datetime) -> bool:
    """Deliver, run, show; whether nothing of the platform failed.

    The samples end now, and begin some hours and days before. A repetition within a day goes on from there up to now, a
    later one begins anew.
    """
    file = settings.dagster_home.parent / STARTS_FILE
    settings = settings.model_copy(update=_starts(file, now))
    _write_starts(file, settings)
    out.rule("IMDB feed")
    ok = _feed(settings, now)
    out.rule("Quality movies")
    ok = _quality(settings, now.date()) and ok
    out.rule("The Movies Dataset")
    ok = _dataset(settings, now.date()) and ok
    out.rule("User behavior")
    ok = _behavior(settings, now.date()) and ok
    _report(settings)
    _summary(settings, now)
    return ok


def _starts(file: Path, now: datetime) -> dict[str, str | date]:
    """Where each source begins: as the file says if that is less than a day ago, else so that the samples end now."""
    if file.is_file():
        kept = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
        found = {name: kept.get(variable(name), "") for name in STARTS}
        if shift(key_of(now), -timedelta(days=1)) <= found["feed_start"] <= key_of(now):
            days = {name: date.fromisoformat(day) for name, day in found.items() if name != "feed_start"}
            return {"feed_start": FeedStart(found["feed_start"]), **days}
    return {
        "feed_start": FeedStart(shift(key_of(now), -LENGTH * (FEED_WINDOWS - 1))),
        "dataset_start": now.date(),
        "quality_start": now.date() - timedelta(days=QUALITY_DAYS - 1),
        "behavior_start": now.date() - timedelta(days=BEHAVIOR_DAYS - 1),
    }


def _write_starts(file: Path, settings: Settings) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{variable(name)}={getattr(settings, name)}\n" for name in STARTS))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _missing(raw: ObjectStore, source: Source, days: Sequence[date]) -> list[date]:
    return [day for day in days if not any(raw.objects(f"{source.prefix}{day}/"))]


def _feed(settings: Settings, now: datetime) -> bool:
    from movie_platform.samples.imdb_feed import DEFECTS, FeedClient, deliver

    raw, client = open_store(settings.source_uri("feed"), settings.s3_waits), FeedClient()
    last = key_of(now)
    for number, window in enumerate(span(settings.feed_start, last)):
        if not any(raw.objects(f"imdb_raw_data/{window}/")):
            files = client.triplet(window)
            defect = BROKEN_WINDOWS.get(number % FEED_WINDOWS)
            deliver(raw, window, DEFECTS[defect](dict(files), window) if defect else files)
    return run_windows(settings, settings.feed_start, last)


def _quality(settings: Settings, today: date) -> bool:
    from movie_platform.pipelines.quality_movies.source import SOURCE
    from movie_platform.samples.quality_movies import FILE_NAME, MovieCritic, defective

    raw, days = open_store(settings.source_uri("quality"), settings.s3_waits), _days(settings.quality_start, today)
    critic = MovieCritic()
    for number, day in enumerate(days):
        if not any(raw.objects(f"{SOURCE.prefix}{day}/")):
            _, content = defective(critic.delivery(day.isoformat()), QUALITY_DEFECTS[number % len(QUALITY_DEFECTS)])
            raw.write(f"{SOURCE.prefix}{day}/{FILE_NAME}", content)
    return quality_movies.run_days(settings, days[0].isoformat(), days[-1].isoformat())


def _dataset(settings: Settings, today: date) -> bool:
    from movie_platform.pipelines.movies_dataset.source import SOURCE

    first = settings.dataset_start
    if _missing(open_store(settings.source_uri("dataset"), settings.s3_waits), SOURCE, [first]):
        movies_dataset.deliver_dataset(settings, first, scale=DATASET_SCALE)
    return movies_dataset.run_deliveries(settings, first.isoformat(), today.isoformat())


def _behavior(settings: Settings, today: date) -> bool:
    from movie_platform.pipelines.user_behavior.source import SOURCE

    days = _days(settings.behavior_start, today)
    if missing := _missing(open_store(settings.source_uri("behavior"), settings.s3_waits), SOURCE, days):
        user_behavior.deliver_days(settings, missing)
    return user_behavior.run_days(settings, days[0], days[-1])


def _report(settings: Settings) -> None:
    """The page of how everything stands, as its schedule makes it."""
    from movie_platform.definitions import build_defs
    from movie_platform.orchestration.runs import instance, run_partitions
    from movie_platform.report.definitions import ASSET, JOB

    with instance(settings.dagster_home) as on:
        run_partitions(build_defs(settings), [ASSET], [], on, job=JOB)


def _summary(settings: Settings, now: datetime) -> None:
    lake = open_store(settings.lake_uri, settings.s3_waits)
    feed = windows_status(settings, lake, now)
    daily = [(source, source_status(source, settings, lake, now)) for source in daily_sources()]
    out.print()
    out.print(table("Processed", ("source", "processed", "refused"), _counts(lake, feed, daily)))
    out.print(table("Refused, and why", ("what", "reason"), _refused(lake, feed, daily)))
    out.print(table("Warehouse", ("table", "rows"), _rows_per_table(open_warehouse(settings))))
    places = [("raw side", settings.raw_uri), ("lake", settings.lake_uri), ("warehouse", settings.warehouse)]
    out.print(table("Where things lie", ("what", "where"), places))
    out.print(safe("Open the UI with `make dev`, then http://localhost:3000"))


def _counts(lake: ObjectStore, feed: FeedStatus, daily: Daily) -> list[tuple[str, str, int]]:
    rows = [(FEED.title, _counted(len(feed.processed), "window"), len(feed.refused))]
    for source, found in daily:
        blocked = _blocked(lake) if source.command == "quality" else {}
        processed = [day for day in found.processed if day not in blocked]
        rows.append((source.title, _counted(len(processed), "day"), len(found.refused) + len(blocked)))
    return rows


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _refused(lake: ObjectStore, feed: FeedStatus, daily: Daily) -> list[tuple[str, str]]:
    rows = [(refusal.window, refusal.reason) for refusal in feed.refused]
    rows += _blocked(lake).items()
    rows += [(refusal.partition, refusal.reason) for _, found in daily for refusal in found.refused]
    return rows


def _blocked(lake: ObjectStore) -> dict[str, str]:
    """Days of quality movies that were judged and not loaded, with the reason of each."""
    judged = [record for day in judged_days(lake) if (record := record_of(lake, day))]
    return {record.day: f"{record.state}: {record.reason}" for record in judged if not record.is_loaded}


def _rows_per_table(warehouse: Warehouse) -> list[tuple[str, int]]:
    listed = warehouse.query("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").to_pylist()
    counted = []
    for names in listed:
        qualified = f'"{names["schema_name"]}"."{names["table_name"]}"'
        rows = warehouse.query(f"SELECT count(*) AS n FROM {qualified}").to_pylist()[0]["n"]  # noqa: S608 - quoted
        counted.append((f"{names['schema_name']}.{names['table_name']}", rows))
    return counted
