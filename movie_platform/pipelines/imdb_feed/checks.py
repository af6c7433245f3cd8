"""What the UI says about each window: the verification's rules, the row rules, and the account of every row."""

import dagster as dg

from movie_platform.pipelines.imdb_feed.processing import Outcome
from movie_platform.pipelines.imdb_feed.verification import RULES

ROWS_CONSERVED = "rows_conserved"
ROW_RULES = {
    "imdb_rating_between_0_and_10": "Every rating is a number between 0 and 10, or blank.",
    "ids_not_null": "Every record has its ids: movie, person, and IMDB's own.",
    "title_not_null": "Every movie has a title.",
    "numbers_readable": "Every number of every record can be read as one.",
}


def archive_checks(windows: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    return [_spec(rule, "imdb_archive", meaning, windows) for rule, meaning in RULES.items()]


def clean_checks(windows: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    conserved = (
        "Every record of the three files is in the clean rows, merged, rejected, quarantined, or not of this delivery."
    )
    return [
        _spec(ROWS_CONSERVED, "imdb_clean", conserved, windows),
        *(_spec(rule, "imdb_clean", meaning, windows) for rule, meaning in ROW_RULES.items()),
    ]


def _spec(name: str, asset: str, description: str, windows: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=windows)


def archive_evaluations(outcome: Outcome) -> list[dg.AssetCheckEvaluation]:
    """One evaluation a rule, with the reason where it does not hold."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("imdb_archive"),
            check_name=judged.rule,
            passed=judged.passed,
            description=judged.reason or "holds",
            metadata={"reason": judged.reason} if judged.reason else {},
            partition=outcome.window,
        )
        for judged in outcome.rules
    ]


def clean_evaluations(outcome: Outcome) -> list[dg.AssetCheckEvaluation]:
    """The row rules warn: what breaks them is in bad-records, and the other rows can be trusted."""
    clean = outcome.clean
    if clean is None:
        return []
    broken = dict.fromkeys(ROW_RULES, 0)
    for rule, count in clean.broken_rules.items():
        broken[_row_rule(rule)] += count
    found = [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("imdb_clean"),
            check_name=ROWS_CONSERVED,
            passed=clean.conserved,
            description="; ".join(map(str, clean.accounts)),
            metadata={
                account.source.rsplit("_", 1)[-1].removesuffix(".csv"): str(account) for account in clean.accounts
            },
            partition=outcome.window,
        )
    ]
    for rule, count in broken.items():
        found.append(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("imdb_clean"),
                check_name=rule,
                passed=count == 0,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{count} records are in bad-records" if count else "holds for every record",
                metadata={"records": count},
                partition=outcome.window,
            )
        )
    return found


def _row_rule(rule: str) -> str:
    """The check that a broken row rule counts in."""
    if rule in ROW_RULES:
        return rule
    return "ids_not_null" if rule.endswith("_not_null") else "numbers_readable"
