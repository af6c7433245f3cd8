"""Running a range of windows or days of a source: what all `run` commands share."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from movie_platform.commands.bars import TerminalProgress
from movie_platform.commands.options import mode
from movie_platform.commands.terminal import err, out, print_json, safe
from movie_platform.deliveries import Delivery
from movie_platform.deliveries.days import is_day
from movie_platform.deliveries.source import Source
from movie_platform.errors import PlatformError
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines import PIPELINES
from movie_platform.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from movie_platform.notify import Notifier
    from movie_platform.orchestration.runs import RunOutcome


class Day(click.ParamType[date]):
    """YYYY-MM-DD."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        text = value.isoformat() if isinstance(value, date) else str(value)
        if not is_day(text):
            self.fail(f"{text!r} is no day: YYYY-MM-DD", param, ctx)
        return date.fromisoformat(text)


DAY = Day()
RUNS_UNREACHABLE = 3
yes_option = click.option("--yes", is_flag=True, help="Deliver to what is not on this machine's disk.")


def store_to_deliver_to(settings: Settings, source: Source, *, yes: bool) -> ObjectStore:
    """The source's raw side, where samples may be delivered to it."""
    raw = open_store(settings.source_uri(source.command), settings.s3_waits)
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
    show_refused: bool = True,
    described: Callable[[Sequence[str]], Mapping[str, Any]] | None = None,
) -> bool:
    """Report what was delivered, and materialize each run's windows or days; whether nothing of the platform failed.

    After `RUNS_UNREACHABLE` runs in a row that did not reach a store, a database or the warehouse no other one is made.
    With --json each run is a line on standard output, with what `described` says of its windows or days.
    """
    from movie_platform.definitions import build_defs
    from movie_platform.orchestration.events import report_arrivals
    from movie_platform.orchestration.pipeline_jobs import job_name
    from movie_platform.orchestration.runs import instance, run_partitions

    raw = open_store(settings.source_uri(source.command), settings.s3_waits)
    lake = open_store(settings.lake_uri, settings.s3_waits)
    notifier = _notifier(settings)
    # The other sources' assets would be built, with their libraries and rules, for nothing.
    own = [pipeline for pipeline in PIPELINES if pipeline.endswith(f".{source.name}")]
    progress = TerminalProgress()
    given = {"progress": progress, "notifier": notifier}
    settings = settings.model_copy(update={"feed_start": settings.feed_start.with_older_runs()})
    definitions = build_defs(settings, resources=given, pipelines=own or PIPELINES)
    asked = {tag: "true" for tag, is_asked in (tags or {}).items() if is_asked}
    ok, unreachable = True, 0
    with instance(settings.dagster_home) as on:
        report_arrivals(source, delivered, raw, on)
        for partitions in progress.track(runs, len(runs), "runs"):
            assets = selection(partitions) if selection else source.assets
            outcome = run_partitions(definitions, assets, partitions, on, tags=asked, job=job_name(source))
            if show_refused or outcome.platform_fault:
                _show(source, partitions, outcome)
            if mode.json:
                print_json({**_as_json(source, partitions, outcome), **(described(partitions) if described else {})})
            if notifier.channels:
                _notify(on, outcome.run_id, notifier, lake)
            ok = ok and not outcome.platform_fault
            unreachable = unreachable + 1 if outcome.unreachable else 0
            if unreachable == RUNS_UNREACHABLE:
                err.print(
                    safe(f"{partitions[-1]} is the last: {unreachable} runs in a row did not reach what they need")
                )
                break
    return ok


def _show(source: Source, partitions: Sequence[str], outcome: "RunOutcome") -> None:
    if not outcome.succeeded:
        named = f"{partitions[0]}: " if source.partition == "day" else ""
        (err if outcome.platform_fault else out).print(safe(f"{named}{outcome.message}"))
    if outcome.platform_fault and mode.debug:
        err.print(safe(outcome.traceback))


def _notifier(settings: Settings) -> "Notifier":
    """Without the log: whoever sits at the terminal sees how it ends, and the log would say the same once more."""
    from movie_platform.notify import open_notifier, read_routes

    return open_notifier(
        [channel for channel in settings.notify if channel != "log"],
        ui=settings.ui_uri,
        addresses=settings.notify_urls,
        routes=read_routes(settings.notify_rules, settings.notify),
    )


def _as_json(source: Source, partitions: Sequence[str], outcome: "RunOutcome") -> dict[str, Any]:
    return {
        "source": source.name,
        "partitions": list(partitions),
        "run_id": outcome.run_id,
        "succeeded": outcome.succeeded,
        "platform_fault": outcome.platform_fault,
        "message": outcome.message,
    }


def _notify(on: "DagsterInstance", run_id: str, notifier: "Notifier", lake: ObjectStore) -> None:
    """The notice of a run that no daemon launched; one that reaches nobody is named and holds back nothing."""
    from movie_platform.orchestration.run_notices import notify_of_run

    try:
        notify_of_run(on, run_id, notifier, lake)
    except PlatformError as error:
        err.print(safe(str(error)))
