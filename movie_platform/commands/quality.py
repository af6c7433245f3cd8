"""Rules in the terminal: check a file, propose rules, explain them, compare two rulesets."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from movie_platform.commands.groups import Commands
from movie_platform.commands.options import json_option, mode
from movie_platform.commands.terminal import err, out, print_json, safe, table
from movie_platform.quality.errors import DataUnreadable, RulesetError, RulesNotDivisible
from movie_platform.quality.explanation import explain as rule_in_words
from movie_platform.quality.files import StoredFile
from movie_platform.quality.parsing import parse_ruleset
from movie_platform.quality.ruleset import Ruleset

if TYPE_CHECKING:
    from movie_platform.quality import DataSet, Evaluation, Outcome
    from movie_platform.quality.evaluation import Options

PASSED, FAILED, UNREADABLE = 0, 1, 2
"""What the commands exit with."""

_RULE_AT_MOST = 160

P = ParamSpec("P")
R = TypeVar("R")

_FILE = click.Path(path_type=Path, dir_okay=False)


_NA = click.option(
    "--na",
    "missing",
    metavar="WORDS",
    default="",
    help="Words of a CSV file that mean null, such as NA,N/A. Without it there are none.",
)


def _readable(command: Callable[P, R]) -> Callable[P, R]:
    """Ends with 2 and one message when a ruleset or a file cannot be read."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return command(*arguments, **options)
        except (RulesetError, RulesNotDivisible, DataUnreadable) as refused:
            err.print(safe(refused), style="red")
            raise click.exceptions.Exit(UNREADABLE) from refused

    return run


@click.group("quality", cls=Commands, sources={"replay": "movie_platform.commands.quality_movies:replay_quality"})
def quality() -> None:
    """Judge files by DQDL rules: every rule is a check, every bad row says why."""


@quality.command()
@click.argument("file")
@click.option("--rules", "rules_file", type=_FILE, required=True, help="The ruleset, DQDL.")
@click.option("--nulls", type=click.Choice(["documented", "legacy"]), default="documented", show_default=True)
@click.option("--out", "directory", help="The folder to write the results to; with --engine spark also an S3 address.")
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["duckdb", "spark"]),
    default="duckdb",
    show_default=True,
    help="Judge on this machine, or on Spark: on the master of MOVIE_PLATFORM_ENGINE, or in this machine's processes. "
    "There FILE may be on S3, and may be a folder of files.",
)
@_NA
@click.option("--json", "as_json", is_flag=True, help="Print the rule outcomes as JSON instead of a table.")
@click.option("--glue-rows", is_flag=True, help="Split rows as Glue does, thresholds set aside.")
@click.option("--skip-filtered", is_flag=True, help="Rows outside a where are skipped instead of passed.")
@click.option(
    "--composite",
    type=click.Choice(["dataset", "row"]),
    default="dataset",
    show_default=True,
    help="What rules joined by and or or combine: their outcomes, or each row's.",
)
@click.option("--reference", "references", multiple=True, metavar="NAME=FILE", help="Another data set that rules name.")
@click.option("--history", "history_file", type=_FILE, help="Metrics of earlier checks (Parquet); this one is added.")
@click.option(
    "--dataset", default="primary", show_default=True, help="The name the history keeps the file's metrics by."
)
@click.option("--html", "html_file", type=_FILE, help="Write the result as a page that can be sent to people.")
@click.option("--junit", "junit_file", type=_FILE, help="Write the result as JUnit XML, for CI systems.")
@_readable
def check(
    file: str,
    rules_file: Path,
    nulls: Any,
    directory: str | None,
    engine_name: str,
    missing: str,
    as_json: bool,
    glue_rows: bool,
    skip_filtered: bool,
    composite: Any,
    references: tuple[str, ...],
    history_file: Path | None,
    dataset: str,
    html_file: Path | None,
    junit_file: Path | None,
) -> None:
    """Judge FILE (CSV or Parquet) by a ruleset.

    Exits with 0 when every rule passed, 1 when one failed or could not be computed, 2 when the ruleset or the file
    cannot be read.
    """
    from movie_platform.quality import ParquetHistory
    from movie_platform.report.checked import write_result

    rules = _ruleset(rules_file)
    history = ParquetHistory(history_file) if history_file is not None else None
    options: Options = {
        "nulls": nulls,
        "references": _references(references),
        "history": history,
        "dataset": dataset,
        "filtered_rows": "skip" if skip_filtered else "pass",
        "composite": composite,
        "files": _stored_files,
    }
    judge = _judged_on_spark if engine_name == "spark" else _judged_here
    evaluation = judge(file, missing, rules, directory, glue_rows, options)
    if history is not None:
        history.record(dataset, evaluation.at, evaluation.metrics)
    write_result(evaluation, Path(file).name, html=html_file, junit=junit_file)
    if as_json:
        click.echo(evaluation.outcomes_json(), nl=False)
        for observation in evaluation.observations:
            err.print(safe(observation))
    else:
        _show(evaluation)
    raise click.exceptions.Exit(PASSED if evaluation.passed == len(evaluation.outcomes) else FAILED)


@quality.command("recommend")
@click.argument("file", type=_FILE)
@click.option("--nulls", type=click.Choice(["documented", "legacy"]), default="documented", show_default=True)
@_NA
@click.option("--earlier", type=_FILE, multiple=True, help="An earlier delivery; only what held on each is proposed.")
@click.option("--out", "rules_file", type=_FILE, help="Where to write the ruleset instead of printing it.")
@_readable
def recommend_rules(file: Path, nulls: Any, missing: str, earlier: tuple[Path, ...], rules_file: Path | None) -> None:
    """Propose rules for FILE; each was tried on it, and what looks like dirt is named."""
    from movie_platform.quality import recommend

    recommendation = recommend(
        _opened(file, missing), nulls=nulls, earlier=[_opened(other, missing) for other in earlier]
    )
    text = recommendation.render()
    if rules_file is None:
        click.echo(safe(text).plain, nl=False)
    else:
        rules_file.parent.mkdir(parents=True, exist_ok=True)
        rules_file.write_text(text, encoding="utf-8")
        out.print(safe(f"{len(recommendation.rules)} rules written to {rules_file}"))
    for suspicious in recommendation.suspicious:
        err.print(safe(f"Suspicious: {suspicious}"), style="yellow")
    for note in recommendation.notes:
        err.print(safe(note))


@quality.command()
@click.argument("rules_file", metavar="RULES", type=_FILE)
@json_option
@_readable
def explain(rules_file: Path) -> None:
    """Say each rule of RULES in plain words."""
    rules = _ruleset(rules_file)
    rows = [(place, rule.claim, rule_in_words(rule)) for place, rule in enumerate(rules, start=1)]
    if mode.json:
        for place, claim, meaning in rows:
            print_json({"place": place, "rule": claim, "meaning": meaning})
    out.print(table(rules_file.name, ("", "rule", "meaning"), rows))


@quality.command("diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.argument("file", type=_FILE)
@click.option("--nulls", type=click.Choice(["documented", "legacy"]), default="documented", show_default=True)
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many rows to list.")
@json_option
@_readable
def diff_rules(old: Path, new: Path, file: Path, nulls: Any, limit: int) -> None:
    """Show which rows of FILE change sides when the ruleset OLD becomes NEW.

    Exits with 0 when none does, 1 when some do, 2 when something cannot be read.
    """
    from movie_platform.quality import diff, open_data

    found = diff(_ruleset(old), _ruleset(new), open_data(file), nulls=nulls)
    if mode.json:
        print_json(
            {
                "to_bad": found.to_bad,
                "to_good": found.to_good,
                "score_before": found.before.score,
                "score_after": found.after.score,
                "removed": list(found.removed),
                "added": list(found.added),
                "rows": [{"row": row.row + 1, "now": row.now, "rules": list(row.rules)} for row in found.rows(limit)],
            }
        )
    for title, rules in (("rules only in the old one", found.removed), ("rules only in the new one", found.added)):
        if rules:
            out.print(table(title, ("rule",), [(rule,) for rule in rules]))
    if limit and found.to_bad + found.to_good:
        rows = [(row.row + 1, row.now, "\n".join(row.rules)) for row in found.rows(limit)]
        out.print(table("rows that change sides", ("row", "is now", "set aside by"), rows))
    out.print(
        safe(
            f"{found.to_bad:,} rows become bad, {found.to_good:,} become good; "
            f"score {_percent(found.before.score)} -> {_percent(found.after.score)}"
        )
    )
    raise click.exceptions.Exit(FAILED if found.to_bad + found.to_good else PASSED)


def _stored_files(address: str) -> Iterator[StoredFile]:
    """The file at an address, or all files below the folder, on this machine's disk or on S3."""
    if not address.lower().startswith("s3://"):
        path = Path(address.removeprefix("file://"))
        for found in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
            stat = found.stat()
            modified = datetime.fromtimestamp(stat.st_mtime, UTC)
            yield StoredFile(str(found), stat.st_size, modified, partial(io.FileIO, str(found)))
        return
    from movie_platform.lake import open_store

    bucket, _, key = address[5:].partition("/")
    store = open_store(f"s3://{bucket}")
    alone = store.info(key) if key and not key.endswith("/") else None
    folder = f"{key.rstrip('/')}/" if key else ""
    for info in [alone] if alone is not None else store.objects(folder):
        yield StoredFile(store.uri_of(info.key), info.size, info.modified, partial(store.open, info.key))


def _judged_here(
    file: str, missing: str, rules: Ruleset, directory: str | None, glue_rows: bool, options: "Options"
) -> "Evaluation":
    from movie_platform.quality import evaluate

    if file.lower().startswith("s3://"):
        raise DataUnreadable(f"{file} is on S3: judge it where it is with --engine spark, or copy it to this machine")
    evaluation = evaluate(_opened(Path(file), missing), rules, glue_rows=glue_rows, **options)
    if directory is not None:
        evaluation.write(Path(directory))
    return evaluation


def _judged_on_spark(
    file: str, missing: str, rules: Ruleset, directory: str | None, glue_rows: bool, options: "Options"
) -> "Evaluation":
    from movie_platform.commands.spark import data_for_spark, spark_engine
    from movie_platform.quality.parts import refuse_not_divisible

    refuse_not_divisible(rules)
    with spark_engine("quality check") as engine:
        from movie_platform.engine.spark_quality import evaluate_on_spark, write_on_spark

        data = data_for_spark(engine, file, missing)
        evaluation = evaluate_on_spark(engine, data, rules, glue_rows=glue_rows, **options)
        if directory is not None:
            on_s3 = directory.lower().startswith("s3://")
            write_on_spark(engine, evaluation, directory if on_s3 else Path(directory).resolve().as_uri())
    return evaluation


def _opened(file: Path, missing: str) -> "DataSet":
    from movie_platform.quality import open_data, open_files

    words = [word for word in missing.split(",") if word]
    return open_files({file.name: file}, missing=words) if words else open_data(file)


def _show(evaluation: "Evaluation") -> None:
    rows = [(outcome.outcome, _cut(outcome.rule.text), _detail(outcome)) for outcome in evaluation.outcomes]
    out.print(table(evaluation.dataset, ("outcome", "rule", "detail"), rows))
    for observation in evaluation.observations:
        out.print(safe(observation))
    errors = f", {evaluation.errors} in error" if evaluation.errors else ""
    out.print(
        safe(
            f"Score {_percent(evaluation.score)}: {evaluation.passed} of {len(evaluation.outcomes)} rules passed"
            f"{errors}. {evaluation.row_count:,} rows: {evaluation.good_count:,} good, {evaluation.bad_count:,} bad."
        )
    )
    if evaluation.blocked:
        names = ", ".join(outcome.rule.claim for outcome in evaluation.blocking)
        out.print(safe(f"Blocked: nothing of this delivery may be loaded, because of {names}"), style="red")


def _detail(outcome: "Outcome") -> str:
    if outcome.failure_reason is not None:
        return outcome.failure_reason
    return "\n".join(f"{name} {value:g}" for name, value in outcome.evaluated_metrics.items())


def _cut(text: str) -> str:
    """A rule as far as a table has room for it; --json and explain have all of it."""
    return text if len(text) <= _RULE_AT_MOST else text[: _RULE_AT_MOST - 1] + "…"


def _percent(score: float) -> str:
    """Whole per cents, rounded down: 100 % means all."""
    return f"{int(score * 100 + 1e-9)} %"


def _ruleset(path: Path) -> Ruleset:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise DataUnreadable(f"the ruleset {path.name} cannot be read: {failure}") from failure
    try:
        return parse_ruleset(text)
    except RulesetError as refused:
        raise DataUnreadable(f"{path.name}: {refused}") from refused


def _references(pairs: tuple[str, ...]) -> "dict[str, DataSet]":
    from movie_platform.quality import open_data

    opened = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not separator or not name:
            raise click.UsageError(f"--reference takes NAME=FILE, not {pair!r}")
        opened[name] = open_data(Path(path))
    return opened
