"""The feed in the terminal: play the client, run windows."""

import random
import time
from datetime import UTC, datetime

import click

from movie_platform.commands.bars import TerminalProgress
from movie_platform.commands.options import json_option
from movie_platform.commands.ranges import check_range, run_range, store_to_deliver_to, yes_option
from movie_platform.commands.terminal import err, force_option, out, safe
from movie_platform.deliveries import receipts
from movie_platform.errors import InputRefused, PlatformError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.arrivals import RANGE_AT_MOST
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.pipelines.imdb_feed.windows import LENGTH, contiguous_runs, is_window, key_of, shift, span
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import Warehouse


@click.command("feed")
@click.option("--windows", "count", type=click.IntRange(1), default=6, show_default=True, help="How many windows.")
@click.option("--start", metavar="W", help="The first window, YYYYMMDDHHMM; by default the windows end now.")
@click.option("--every", type=click.FloatRange(0), default=0, metavar="SECONDS", help="Wait between two windows.")
@click.option("--defects", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Share of broken windows.")
@click.option("--movies", type=click.IntRange(1), default=60, show_default=True, help="Movies in a window.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another client.")
@click.option("--source", metavar="POSTGRESQL", help="Export the client's own tables instead of invented ones.")
@yes_option
def simulate_feed(
    count: int, start: str | None, every: float, defects: float, movies: int, seed: int, source: str | None, yes: bool
) -> None:
    """Play the client: deliver a triplet a window to the feed's raw side."""
    settings = load_settings()
    raw = store_to_deliver_to(settings, SOURCE, yes=yes)
    windows = delivered_windows(settings, count, start)
    broken = deliver_windows(raw, windows, defects=defects, movies=movies, seed=seed, source=source, every=every)
    out.print(safe(f"{len(windows)} windows delivered to {raw.uri}/{SOURCE.prefix}, {windows[0]} to {windows[-1]}"))
    for window, defect in broken.items():
        out.print(safe(f"  {window}: {defect}"))


def delivered_windows(settings: Settings, count: int, start: str | None) -> list[str]:
    """Windows from the start on, or up to now and not before the feed's first one."""
    if start is None:
        start = max(shift(key_of(datetime.now(UTC)), -LENGTH * (count - 1)), settings.feed_start)
    try:
        return list(span(start, shift(start, LENGTH * (count - 1))))
    except InputRefused as refused:
        raise click.UsageError(str(refused)) from None


def deliver_windows(
    raw: ObjectStore,
    windows: list[str],
    *,
    defects: float = 0,
    movies: int = 60,
    seed: int = 0,
    source: str | None = None,
    every: float = 0,
) -> dict[str, str]:
    """Deliver each window; the defect of each broken one."""
    from movie_platform.samples.imdb_feed import FeedClient, defective, deliver, exported

    client = FeedClient(seed=seed, movies_a_window=movies)
    made = exported(source, windows, movies) if source else ((window, client.triplet(window)) for window in windows)
    broken: dict[str, str] = {}
    for number, (window, files) in enumerate(TerminalProgress().track(made, len(windows), "delivering")):
        choice = random.Random(f"{seed}/defect/{window}")
        if choice.random() < defects:
            broken[window], files = defective(files, window, choice)
        if every and number:
            time.sleep(every)
        deliver(raw, window, files)
    return broken


@click.command("feed")
@click.option("--from", "first", required=True, metavar="W", help="First window, YYYYMMDDHHMM.")
@click.option("--to", "last", required=True, metavar="W", help="Last window, included.")
@force_option
@json_option
def run_feed(first: str, last: str, force: bool) -> None:
    """Archive, clean and load every window of the range that was delivered and is not done yet.

    Ends with 0 when every window was processed or refused for its own data's reasons, with 1 when something of the
    platform failed.
    """
    settings = load_settings()
    for window in (first, last):
        if not is_window(window):
            raise click.UsageError(f"{window!r} is no ten-minute window: YYYYMMDDHHMM in UTC, at a full ten minutes")
    first, last = check_range(SOURCE, settings, first, last)
    if not run_windows(settings, first, last, force=force):
        raise SystemExit(1)


def run_windows(settings: Settings, first: str, last: str, *, force: bool = False) -> bool:
    """Run what was delivered of a range and is owed; whether nothing of the platform failed."""
    from movie_platform.warehouse import FORCE, open_warehouse

    raw = open_store(settings.source_uri("feed"), settings.s3_waits)
    lake, now = open_store(settings.lake_uri, settings.s3_waits), datetime.now(UTC)
    last = min(last, key_of(now))
    listing = SOURCE.shape.listing(raw, first, now, last)
    known = receipts.standings(lake, SOURCE.name, since=first, until=last)
    windows = sorted({*listing.deliveries, *(window for window in known if first <= window <= last)})
    if not windows:
        out.print(safe(f"Nothing was delivered from {first} to {last} in {raw.uri}/{SOURCE.prefix}"))
        return True
    due = windows
    if not force:
        owed = SOURCE.owed(raw, lake, _warehouse_or_none(open_warehouse(settings)), first, now, last)
        refused = set(refusals.windows(lake, since=first))
        due = [window for window in windows if window in owed or window in refused]
    skipped = len(windows) - len(due)
    if skipped:
        out.print(safe(f"Windows skipped, since they are processed and loaded already: {skipped}"))
    delivered = [listing.deliveries[window] for window in due if window in listing.deliveries]
    ok = run_range(settings, SOURCE, contiguous_runs(due, RANGE_AT_MOST), delivered, tags={FORCE: force})
    if due:
        out.print(safe(f"Windows gone through: {len(due)}, {due[0]} to {due[-1]}"))
    return ok


def _warehouse_or_none(warehouse: Warehouse) -> Warehouse | None:
    """The warehouse where it answers now; without it every window counts as loaded, and its load says what is wrong."""
    try:
        warehouse.ledger(IMDB_MOVIE_WINDOWS)
    except PlatformError as error:
        err.print(safe(f"What is loaded already cannot be found out: {error}"))
        return None
    return warehouse
