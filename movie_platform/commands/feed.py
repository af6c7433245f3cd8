"""The feed in the terminal: play the client, run windows."""

import random
import time
from datetime import UTC, datetime

import click

from movie_platform.commands.terminal import TerminalProgress, err, force_option, out, safe
from movie_platform.errors import InputRefused
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines.imdb_feed.arrivals import RANGE_AT_MOST
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX, find
from movie_platform.pipelines.imdb_feed.windows import LENGTH, is_window, key_of, shift, span, stretches
from movie_platform.settings import Settings, load_settings

ASSETS = ("imdb_archive", "imdb_clean", "imdb_movies")


@click.command("feed")
@click.option("--windows", "count", type=click.IntRange(1), default=6, show_default=True, help="How many windows.")
@click.option("--start", metavar="W", help="The first window, YYYYMMDDHHMM; by default the windows end now.")
@click.option("--every", type=click.FloatRange(0), default=0, metavar="SECONDS", help="Wait between two windows.")
@click.option("--defects", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Share of broken windows.")
@click.option("--movies", type=click.IntRange(1), default=60, show_default=True, help="Movies in a window.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another client.")
@click.option("--source", metavar="POSTGRESQL", help="Export the client's own tables instead of invented ones.")
@click.option("--yes", is_flag=True, help="Deliver to a store that is not on this machine's disk.")
def simulate_feed(
    count: int, start: str | None, every: float, defects: float, movies: int, seed: int, source: str | None, yes: bool
) -> None:
    """Play the client: deliver a triplet a window to the feed's raw side."""
    settings = load_settings()
    raw = open_store(settings.source_uri("feed"))
    if not isinstance(raw, LocalStore) and not yes:
        raise click.UsageError(f"{raw.uri} is not on this machine's disk; add --yes to deliver there all the same")
    windows = delivered_windows(settings, count, start)
    broken = deliver_windows(raw, windows, defects=defects, movies=movies, seed=seed, source=source, every=every)
    out.print(safe(f"{len(windows)} windows delivered to {raw.uri}/{RAW_PREFIX}, {windows[0]} to {windows[-1]}"))
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
def run_feed(first: str, last: str, force: bool) -> None:
    """Archive, clean and load every window of the range that was delivered.

    Ends with 0 when every window was processed or refused for its own data's reasons, with 1 when something of ours
    failed.
    """
    settings = load_settings()
    for window in (first, last):
        if not is_window(window):
            raise click.UsageError(f"{window!r} is no ten-minute window: YYYYMMDDHHMM in UTC, at a full ten minutes")
    if first > last:
        raise click.UsageError(f"--from {first} lies behind --to {last}")
    if last < settings.feed_start:
        raise click.UsageError(f"--to {last} lies before the feed's first window {settings.feed_start}")
    if not run_windows(settings, max(first, settings.feed_start), last, force=force):
        raise SystemExit(1)


def run_windows(settings: Settings, first: str, last: str, *, force: bool = False) -> bool:
    """Run what was delivered of a range; whether nothing of ours failed."""
    from movie_platform.definitions import build_defs
    from movie_platform.orchestration.arrivals import report
    from movie_platform.orchestration.runs import instance, run_partitions
    from movie_platform.pipelines.imdb_feed.assets import arrival
    from movie_platform.warehouse import FORCE

    raw = open_store(settings.source_uri("feed"))
    latest = min(last, key_of(datetime.now(UTC)))
    delivered = [window for window in raw.folders(RAW_PREFIX) if is_window(window) and first <= window <= latest]
    if not delivered:
        out.print(safe(f"Nothing was delivered from {first} to {last} in {raw.uri}/{RAW_PREFIX}"))
        return True
    definitions = build_defs(settings, resources={"progress": TerminalProgress()})
    fine = True
    with instance(settings.dagster_home) as on:
        found = (find(raw, window) for window in delivered)
        report((arrival(delivery, raw) for delivery in found if delivery), on)
        for stretch in stretches(delivered, RANGE_AT_MOST):
            outcome = run_partitions(definitions, ASSETS, stretch, on, tags={FORCE: "true"} if force else {})
            if not outcome.succeeded:
                (err if outcome.ours else out).print(safe(outcome.message))
            fine = fine and not outcome.ours
    out.print(safe(f"Windows gone through: {len(delivered)}, {delivered[0]} to {delivered[-1]}"))
    return fine
