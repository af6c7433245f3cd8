"""What the UI says of each table: the account of every row, what was missing or unreadable, and its ruleset."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from movie_platform.orchestration.day_checks import DayChecks
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.orchestration.table_metadata import form
from movie_platform.pipelines.movies_dataset.publication import Publication
from movie_platform.pipelines.movies_dataset.report import PLAUSIBLE_ABOVE, BuildReport, FileAccount
from movie_platform.pipelines.movies_dataset.tables import FILES, MOVIES_FILE, SourceFile
from movie_platform.quality.ruleset_files import RulesetFile

ROWS_CONSERVED = "rows_conserved"
FILE_PRESENT = "source_file_present"
CELLS_READABLE = "cells_readable"
AMOUNTS_PLAUSIBLE = "amounts_plausible"
IDS_AGREE = "repeated_ids_agree"
MOVIES_KNOWN = "movies_known"

_WITH_LISTS = ("keywords_master", "credits_master")
_WITH_FOREIGN_KEY = ("keywords_master", "cast_master", "crew_master", "ratings_master")


def ruleset_checks(files: dict[str, RulesetFile]) -> dict[str, RulesetChecks]:
    return {name: RulesetChecks(dg.AssetKey(name), file) for name, file in files.items()}


def day_checks(rules: dict[str, RulesetChecks]) -> DayChecks:
    specs = [*table_checks(), *(spec for of in rules.values() for spec in of.specs)]
    return DayChecks("movies_dataset_tables", specs)


def table_checks() -> list[dg.AssetCheckSpec]:
    """The checks that come from the account of a build."""

    def spec(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(name, asset=asset, description=description)

    specs = [
        spec(
            CELLS_READABLE,
            "movies_master",
            "Every cell holds what its column is for. One that does not is null, and is in the rejects.",
        ),
        spec(
            AMOUNTS_PLAUSIBLE,
            "movies_master",
            f"No budget and no revenue is between 1 and {PLAUSIBLE_ABOVE:,} US dollars, or negative: "
            "such a one was meant in millions, or mistyped. It is kept, and counts in the answers. 0 is how the source "
            "writes unknown.",
        ),
    ]
    for file in FILES:
        first = file.tables[0].name
        claim = f"Every record of {file.name}, blank ones included, is in the table, merged or rejected."
        specs.append(spec(ROWS_CONSERVED, first, claim))
        if not file.required:
            specs += [
                spec(FILE_PRESENT, table.name, f"The delivery holds {file.name}; without it the table is skipped.")
                for table in file.tables
            ]
    specs += [
        spec(IDS_AGREE, name, "A movie that comes again comes with the same list. Differing ones are all kept.")
        for name in _WITH_LISTS
    ]
    specs += [
        spec(MOVIES_KNOWN, name, "Every row's movie is in movies_master. Rows of unknown movies are kept.")
        for name in _WITH_FOREIGN_KEY
    ]
    return specs


def table_results(published: Publication) -> Iterator[dg.AssetCheckResult]:
    """How each check of `table_checks` came out; of a skipped table only that its file is missing."""
    for file in FILES:
        account = published.report.account(file.name)
        if account:
            yield _conserved(file, account)
        if not file.required:
            for table in file.tables:
                yield _warning(
                    FILE_PRESENT,
                    table.name,
                    account is not None,
                    f"{file.name} is in the zip" if account else f"{file.name} is not in the zip: skipped",
                )
        if account and file.tables[0].name in _WITH_LISTS:
            conflicting = account.conflicting
            yield _warning(
                IDS_AGREE,
                file.tables[0].name,
                conflicting == 0,
                f"{conflicting} records repeat an id with another list",
                records=conflicting,
            )
    yield _cells(published.report.account(MOVIES_FILE.name))
    yield _amounts(published.report)
    unknown = {found.table: found for found in published.report.unknown}
    for name in _WITH_FOREIGN_KEY:
        if found := unknown.get(name):
            description = f"{found.unknown:,} of {found.rows:,} rows are of movies that movies_master does not have"
            yield _warning(MOVIES_KNOWN, name, found.unknown == 0, description, rows=found.unknown, share=found.share)


def _conserved(file: SourceFile, account: FileAccount) -> dg.AssetCheckResult:
    description = (
        f"{account.records:,} records = {account.out:,} out + {account.merged:,} merged + {account.rejected:,} rejected"
    )
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(file.tables[0].name),
        check_name=ROWS_CONSERVED,
        passed=account.is_conserved,
        description=description if account.is_conserved else description.replace(" = ", " are not "),
        metadata={
            "records": account.records,
            "out": account.out,
            "merged": account.merged,
            "rejected": account.rejected,
            **form(rejected_because=account.reasons),
        },
    )


def _cells(account: FileAccount | None) -> dg.AssetCheckResult:
    bad = account.bad_cells if account else {}
    description = ", ".join(f"{count} in {column}" for column, count in bad.items())
    return _warning(
        CELLS_READABLE,
        "movies_master",
        not bad,
        f"set to null: {description}" if bad else "all of them",
        **form(cells=bad),
    )


def _amounts(report: BuildReport) -> dg.AssetCheckResult:
    found = report.implausible_amounts
    described = "all of them"
    if report.implausible:
        examples = ", ".join(f"{of.column} {of.amount:,} of {of.title or of.movie_id}" for of in found[:3])
        described = f"{report.implausible:,} are not: {examples}{', ...' if report.implausible > 3 else ''}"
    records = [dg.TableRecord({**vars(of), "title": of.title or ""}) for of in found]
    named = {"amounts": dg.MetadataValue.table(records, _AMOUNTS)} if records else {}
    return _warning(AMOUNTS_PLAUSIBLE, "movies_master", not report.implausible, described, **named)


_AMOUNTS = dg.TableSchema(
    [
        dg.TableColumn("movie_id", "int"),
        dg.TableColumn("title", "string"),
        dg.TableColumn("column", "string"),
        dg.TableColumn("amount", "int", "US dollars, as the source has it"),
    ]
)


def _warning(name: str, asset: str, passed: bool, description: str, **metadata: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(asset),
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
