"""The quality movies in the terminal: play the source, run days, release what now passes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import click

from movie_platform.commands.quality import quality
from movie_platform.commands.terminal import TerminalProgress, err, force_option, out, safe, table
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines.quality_movies import deliveries
from movie_platform.pipelines.quality_movies.day_records import DayRecord, quarantined_days, record_of
from movie_platform.pipelines.quality_movies.deliveries import RAW_PREFIX, is_day
from movie_platform.settings import Settings, load_settings

ASSETS = (
    "quality_movies_evaluated",
    "quality_movies_bad",
    "quality_rule_outcomes",
    "quality_movies_good",
    "quality_history",
)


class Day(click.ParamType):
    """YYYY-MM-DD."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = value.isoformat() if isinstance(value, date) else str(value)
        if not is_day(text):
            self.fail(f"{text!r} is no day: YYYY-MM-DD", param, ctx)
        return text


DAY = Day()


@click.command("quality")
@click.option("--days", "count", type=click.IntRange(1), default=3, show_default=True, help="How many days.")
@click.option("--start", type=DAY, metavar="DATE", help="The first day; by default the days end today.")
@click.option("--rows", type=click.IntRange(0), default=1_000, show_default=True, help="Movies in a day.")
@click.option("--defects", is_flag=True, help="Break records, values, columns and files here and there.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another source.")
@click.option("--yes", is_flag=True, help="Deliver to a store that is not on this machine's disk.")
def simulate_quality(count: int, start: str | None, rows: int, defects: bool, seed: int, yes: bool) -> None:
    """Play the source: deliver a file of rated movies a day to the raw side."""
    settings = load_settings()
    raw = open_store(settings.source_uri("quality"))
    if not isinstance(raw, LocalStore) and not yes:
        raise click.UsageError(f"{raw.uri} is not on this machine's disk; add --yes to deliver there all the same")
    today = datetime.now(UTC).date()
    first = date.fromisoformat(start) if start else max(today - timedelta(days=count - 1), settings.quality_start)
    days = [(first + timedelta(days=number)).isoformat() for number in range(count)]
    broken = deliver_days(raw, days, rows=rows, defects=defects, seed=seed)
    out.print(safe(f"{len(days)} days delivered to {raw.uri}/{RAW_PREFIX}, {days[0]} to {days[-1]}"))
    for day, defect in broken.items():
        out.print(safe(f"  {day}: {defect}"))


def deliver_days(
    raw: ObjectStore, days: Sequence[str], *, rows: int = 1_000, defects: bool = False, seed: int = 0
) -> dict[str, str]:
    """Deliver each day; the defect of each broken one."""
    from movie_platform.samples.quality_movies import FILE_NAME, MovieCritic, defective

    critic = MovieCritic(seed=seed, rows=rows)
    broken: dict[str, str] = {}
    for number, day in enumerate(days):
        content = critic.delivery(day)
        if defects:
            defect, content = defective(content, number)
            if defect:
                broken[day] = defect
        raw.write(f"{RAW_PREFIX}{day}/{FILE_NAME}", content)
    return broken


@click.command("quality")
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="First day.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Last day, included.")
@force_option
def run_quality(first: str, last: str, force: bool) -> None:
    """Judge and load every day of the range that was delivered.

    Ends with 0 when every day was loaded or held back for its own data's reasons, with 1 when something of ours failed.
    """
    settings = load_settings()
    if first > last:
        raise click.UsageError(f"--from {first} lies behind --to {last}")
    if date.fromisoformat(last) < settings.quality_start:
        raise click.UsageError(f"--to {last} lies before the first day {settings.quality_start}")
    if not run_days(settings, first, last, force=force):
        raise SystemExit(1)


@quality.command("replay")
@click.option("--from", "first", type=DAY, default="0001-01-01", metavar="DATE", help="First day; all by default.")
@click.option("--to", "last", type=DAY, default="9999-12-31", metavar="DATE", help="Last day, included.")
def replay_quality(first: str, last: str) -> None:
    """Judge quarantined rows of the quality movies by today's rules, and load those that now pass.

    Rows that were good stay so; a day that was blocked is loaded when today's rules do not block it.
    """
    settings = load_settings()
    lake = open_store(settings.lake_uri)
    days = [day for day in quarantined_days(lake) if first <= day <= last and _is_partition(settings, day)]
    if not days:
        out.print(safe("Nothing is quarantined."))
        return
    if not _run(settings, days, replay=True):
        raise SystemExit(1)


def run_days(settings: Settings, first: str, last: str, *, force: bool = False) -> bool:
    """Run what was delivered of a range; whether nothing of ours failed."""
    raw, lake = open_store(settings.source_uri("quality")), open_store(settings.lake_uri)
    listing = deliveries.look(raw, settings.quality_start, datetime.now(UTC))
    for key, reason in listing.strange.items():
        err.print(safe(f"{key} is left alone: {reason}"))
    known = {*listing.days, *deliveries.archived_days(lake)}
    days = sorted(day for day in known if first <= day <= last and _is_partition(settings, day))
    if not days:
        out.print(safe(f"Nothing was delivered from {first} to {last} in {raw.uri}/{RAW_PREFIX}"))
        return True
    return _run(settings, days, force=force)


def _run(settings: Settings, days: Sequence[str], *, replay: bool = False, force: bool = False) -> bool:
    from movie_platform.definitions import build_defs
    from movie_platform.notify import open_notifier, read_routes
    from movie_platform.orchestration.arrivals import report
    from movie_platform.orchestration.runs import instance, run_partitions
    from movie_platform.pipelines.quality_movies.assets import REPLAY, arrival
    from movie_platform.warehouse import FORCE

    raw, lake = open_store(settings.source_uri("quality")), open_store(settings.lake_uri)
    # Whoever sits at the terminal sees the table below; the log would tell the same once more.
    notifier = open_notifier(
        [channel for channel in settings.notify if channel != "log"],
        ui=settings.ui_uri,
        addresses=settings.notify_urls,
        routes=read_routes(settings.notify_rules, settings.notify),
    )
    definitions = build_defs(settings, resources={"progress": TerminalProgress(), "notifier": notifier})
    tags = {tag: "true" for tag, is_asked in ((REPLAY, replay), (FORCE, force)) if is_asked}
    fine = True
    with instance(settings.dagster_home) as on:
        if not replay:
            found = deliveries.look(raw, settings.quality_start, datetime.now(UTC)).days
            report((arrival(found[day], raw) for day in days if day in found), on)
        for day in TerminalProgress().track(days, len(days), "days"):
            outcome = run_partitions(definitions, ASSETS, [day], on, tags=tags)
            if not outcome.succeeded and outcome.ours:
                err.print(safe(outcome.message))
            fine = fine and not outcome.ours
    out.print(_table({day: record for day in days if (record := record_of(lake, day))}, replay=replay))
    return fine


def _is_partition(settings: Settings, day: str) -> bool:
    return settings.quality_start.isoformat() <= day <= datetime.now(UTC).date().isoformat()


def _table(records: Mapping[str, DayRecord], *, replay: bool) -> object:
    columns = ("day", "state", "rules passed", "records", "good", "bad", "released" if replay else "withheld", "why")
    rows = [
        (
            day,
            record.state,
            f"{record.passed} of {record.rules}",
            record.rows,
            record.good,
            record.bad,
            record.released if replay else record.withheld,
            record.reason,
        )
        for day, record in records.items()
    ]
    return table("Quality movies", columns, rows)
