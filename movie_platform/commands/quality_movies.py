"""The quality movies in the terminal: play the source, run days, release what now passes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import click

from movie_platform.commands.options import json_option
from movie_platform.commands.ranges import (
    DAY,
    check_range,
    days_to_deliver,
    run_range,
    show_rejected,
    store_to_deliver_to,
    yes_option,
)
from movie_platform.commands.terminal import force_option, out, safe, table
from movie_platform.deliveries import Delivery
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.quality_movies.archive import ARCHIVE
from movie_platform.pipelines.quality_movies.day_records import DayRecord, quarantined_days, record_of
from movie_platform.pipelines.quality_movies.source import SOURCE
from movie_platform.settings import Settings, load_settings


@click.command("quality")
@click.option("--days", "count", type=click.IntRange(1), default=3, show_default=True, help="How many days.")
@click.option("--start", type=DAY, metavar="DATE", help="The first day; by default the days end today.")
@click.option("--rows", type=click.IntRange(0), default=1_000, show_default=True, help="Movies in a day.")
@click.option("--defects", is_flag=True, help="Break records, values, columns and files here and there.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another source.")
@yes_option
def simulate_quality(count: int, start: date | None, rows: int, defects: bool, seed: int, yes: bool) -> None:
    """Play the source: deliver a file of rated movies a day to the raw side."""
    settings = load_settings()
    raw = store_to_deliver_to(settings, SOURCE, yes=yes)
    days = [day.isoformat() for day in days_to_deliver(count, start, settings.quality_start)]
    broken = deliver_days(raw, days, rows=rows, defects=defects, seed=seed)
    out.print(safe(f"{len(days)} days delivered to {raw.uri}/{SOURCE.prefix}, {days[0]} to {days[-1]}"))
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
        raw.write(f"{SOURCE.prefix}{day}/{FILE_NAME}", content)
    return broken


@click.command("quality")
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="First day.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Last day, included.")
@force_option
@json_option
def run_quality(first: date, last: date, force: bool) -> None:
    """Judge and load every day of the range that was delivered.

    Ends with 0 when every day was loaded or held back for its own data's reasons, with 1 when something of the platform
    failed.
    """
    settings = load_settings()
    begin, end = check_range(SOURCE, settings, first.isoformat(), last.isoformat())
    if not run_days(settings, begin, end, force=force):
        raise SystemExit(1)


@click.command("replay")
@click.option("--from", "first", type=DAY, default="0001-01-01", metavar="DATE", help="First day; all by default.")
@click.option("--to", "last", type=DAY, default="9999-12-31", metavar="DATE", help="Last day, included.")
@json_option
def replay_quality(first: date, last: date) -> None:
    """Judge quarantined rows of the quality movies by today's rules, and load those that now pass.

    Rows that were good stay so; a day that was blocked is loaded when today's rules do not block it.
    """
    settings = load_settings()
    lake = open_store(settings.lake_uri, settings.s3_waits)
    quarantined = [day for day in quarantined_days(lake) if _is_partition(settings, day)]
    days = [day for day in quarantined if first.isoformat() <= day <= last.isoformat()]
    if not days:
        out.print(safe("Nothing is quarantined."))
        return
    if not _run(settings, days, [], replay=True):
        raise SystemExit(1)


def run_days(settings: Settings, first: str, last: str, *, force: bool = False) -> bool:
    """Run what was delivered of a range; whether nothing of the platform failed."""
    raw, lake = (
        open_store(settings.source_uri("quality"), settings.s3_waits),
        open_store(settings.lake_uri, settings.s3_waits),
    )
    listing = SOURCE.shape.listing(raw, SOURCE.start(settings), datetime.now(UTC))
    show_rejected(SOURCE, settings, listing.rejected_keys, listing.rejected)
    known = {*listing.deliveries, *ARCHIVE.days(lake)}
    days = sorted(day for day in known if first <= day <= last and _is_partition(settings, day))
    if not days:
        out.print(safe(f"Nothing was delivered from {first} to {last} in {raw.uri}/{SOURCE.prefix}"))
        return True
    delivered = [listing.deliveries[day] for day in days if day in listing.deliveries]
    return _run(settings, days, delivered, force=force)


def _run(
    settings: Settings,
    days: Sequence[str],
    delivered: Sequence[Delivery],
    *,
    replay: bool = False,
    force: bool = False,
) -> bool:
    from movie_platform.pipelines.quality_movies.assets import REPLAY
    from movie_platform.warehouse import FORCE

    lake = open_store(settings.lake_uri, settings.s3_waits)
    ok = run_range(
        settings,
        SOURCE,
        [[day] for day in days],
        delivered,
        tags={REPLAY: replay, FORCE: force},
        show_refused=False,
        described=lambda partitions: _as_json(record_of(lake, partitions[0])),
    )
    out.print(_table({day: record for day in days if (record := record_of(lake, day))}, replay=replay))
    return ok


def _is_partition(settings: Settings, day: str) -> bool:
    return settings.quality_start.isoformat() <= day <= datetime.now(UTC).date().isoformat()


def _as_json(record: DayRecord | None) -> dict[str, object]:
    if record is None:
        return {}
    names = ("state", "reason", "score", "rules", "passed", "rows", "good", "bad", "withheld", "released")
    return {name: getattr(record, name) for name in names}


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
