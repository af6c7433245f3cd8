"""Running a range of windows or days of a source: what all `run` commands share."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from movie_platform.commands.terminal import TerminalProgress, err, out, safe
from movie_platform.deliveries import Delivery
from movie_platform.deliveries.days import is_day
from movie_platform.deliveries.source import Source
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.settings import Settings


class Day(click.ParamType[date]):
    """YYYY-MM-DD."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        text = value.isoformat() if isinstance(value, date) else str(value)
        if not is_day(text):
            self.fail(f"{text!r} is no day: YYYY-MM-DD", param, ctx)
        return date.fromisoformat(text)


DAY = Day()
yes_option = click.option("--yes", is_flag=True, help="Deliver to what is not on this machine's disk.")


def store_to_deliver_to(settings: Settings, source: Source, *, yes: bool) -> ObjectStore:
    """The source's raw side, where samples may be delivered to it."""
    raw = open_store(settings.source_uri(source.command))
    if not isinstance(raw, LocalStore) and not yes:
        raise click.UsageError(f"{raw.uri} is not on this machine's disk; add --yes to deliver there all the same")
    return raw


def days_to_deliver(count: int, first: date | None, start: date) -> list[date]:
    """So many days from the first one on; without one they end today, and begin no earlier than the source does."""
    begin = first or max(datetime.now(UTC).date() - timedelta(days=count - 1), start)
    return [begin + timedelta(days=number) for number in range(count)]


def check_range(source: Source, settings: Settings, first: str, last: str) -> tuple[str, str]:
    """The range's first and last window or day, no earlier than the source's own first; a usage error otherwise."""
    if first > last:
        raise click.UsageError(f"--from {first} is after --to {last}")
    start = source.start(settings)
    if last < start:
        raise click.UsageError(f"--to {last} is before the first {source.partition} {start}")
    return max(first, start), last


def show_rejected(source: Source, settings: Settings, delivered: Mapping[str, str], rejected: int) -> None:
    for key, reason in delivered.items():
        err.print(safe(f"{key} is no delivery: {reason}"))
    if rejected > len(delivered):
        err.print(safe(f"{rejected - len(delivered)} more keys below {source.prefix} are no delivery"))


def run_range(
    settings: Settings,
    source: Source,
    runs: Sequence[Sequence[str]],
    delivered: Sequence[Delivery],
    *,
    selection: Callable[[Sequence[str]], Sequence[str]] | None = None,
    tags: Mapping[str, bool] | None = None,
    resources: Mapping[str, Any] | None = None,
    show_refused: bool = True,
) -> bool:
    """Report what was delivered, and materialize each run's windows or days; whether nothing of the platform failed."""
    from movie_platform.definitions import build_defs
    from movie_platform.orchestration.events import report_arrivals
    from movie_platform.orchestration.pipeline_jobs import job_name
    from movie_platform.orchestration.runs import instance, run_partitions

    raw = open_store(settings.source_uri(source.command))
    definitions = build_defs(settings, resources={"progress": TerminalProgress(), **(resources or {})})
    asked = {tag: "true" for tag, is_asked in (tags or {}).items() if is_asked}
    ok = True
    with instance(settings.dagster_home) as on:
        report_arrivals(source, delivered, raw, on)
        for partitions in TerminalProgress().track(runs, len(runs), "runs") if len(runs) > 1 else runs:
            assets = selection(partitions) if selection else source.assets
            outcome = run_partitions(definitions, assets, partitions, on, tags=asked, job=job_name(source))
            if not outcome.succeeded and (show_refused or outcome.platform_fault):
                named = f"{partitions[0]}: " if source.partition == "day" else ""
                (err if outcome.platform_fault else out).print(safe(f"{named}{outcome.message}"))
            ok = ok and not outcome.platform_fault
    return ok
