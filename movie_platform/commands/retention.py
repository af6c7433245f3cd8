"""What a policy lets go, taken away."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from movie_platform.commands.options import json_option, mode
from movie_platform.commands.terminal import err, out, print_json, safe, table
from movie_platform.deliveries.thinning import Thinning
from movie_platform.lake import open_store
from movie_platform.settings import Settings, load_settings

NAMED = 10


@click.command()
@click.argument("policy", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--delete", "deletes", is_flag=True, help="Take it away; without it the command only says what would go.")
@json_option
def retention(policy: Path, deletes: bool) -> None:
    """Say what the file POLICY lets go of the lake and of Dagster's runs, and with --delete take it away.

    Nothing goes that a manifest, a receipt or the warehouse's ledger needs. It can be interrupted and repeated.
    """
    from movie_platform.retention import RUNS, found, read_policy, take_away

    settings, now = load_settings(), datetime.now(UTC)
    chosen = read_policy(policy)
    lake = open_store(settings.lake_uri, settings.s3_waits)
    rows: list[tuple[str, int, int | None, str]] = []
    problems: list[Thinning] = []
    for one in found(lake, chosen, now):
        oldest = min((info.modified for info in one.all), default=None)
        since = f"{oldest.astimezone(UTC):%Y-%m-%d}" if oldest else ""
        rows.append((one.kind, len(one.all), sum(info.size for info in one.all), since))
        problems += one.problems
        if deletes:
            take_away(lake, one)
    if RUNS in chosen.ages:
        rows.append((RUNS, _runs(settings, now - chosen.ages[RUNS], deletes=deletes), None, ""))
    if mode.json:
        for kind, count, size, since in rows:
            print_json({"kind": kind, "count": count, "bytes": size, "oldest": since, "deleted": deletes})
    shown = [(kind, count, "not known" if size is None else f"{size:,}", since) for kind, count, size, since in rows]
    out.print(table("Taken away" if deletes else "Would go", ("kind", "objects or runs", "bytes", "oldest"), shown))
    _show_problems(problems)
    if not deletes:
        out.print(safe("Nothing was taken away: say it again with --delete."))


def _show_problems(problems: Iterable[Thinning]) -> None:
    listed = list(problems)
    for of in listed[:NAMED]:
        err.print(safe(f"{of.source} {of.partition} keeps {len(of.objects)} objects that are old enough: {of.problem}"))
    if len(listed) > NAMED:
        err.print(safe(f"and {len(listed) - NAMED} more. The reconciliation makes them anew, and then they can go."))


def _runs(settings: Settings, before: datetime, *, deletes: bool) -> int:
    """Runs that loaded nothing: what the UI shows as materialized goes by the events of those that did."""
    from movie_platform.orchestration.runs import instance, old_runs
    from movie_platform.pipelines import PIPELINES, source_of
    from movie_platform.report.definitions import JOB

    jobs = [*(f"{source_of(pipeline).name}_reconciliation" for pipeline in PIPELINES), JOB]
    with instance(settings.dagster_home) as dagster:
        ids = old_runs(dagster, jobs, before)
        for one in ids if deletes else ():
            dagster.delete_run(one)
    return len(ids)
