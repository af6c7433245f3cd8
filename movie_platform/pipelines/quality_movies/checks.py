"""What the UI says about the newest day: one check a rule, and the account of every record."""

from collections.abc import Iterator, Mapping

import dagster as dg

from movie_platform.orchestration.day_checks import DayChecks
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.pipelines.quality_movies.evaluation import JudgedDay
from movie_platform.quality.presentation import harmless
from movie_platform.quality.ruleset_files import RulesetFile

EVALUATED = dg.AssetKey("quality_movies_evaluated")
ACCOUNT = {
    "rows_conserved": "Every delivered record is good, bad, or withheld by a block.",
    "records_readable": "Every record of the delivery can be read as a row.",
    "rows_fit_table": "Every value of a row is one of its column's type in movies.imdb_movies_rating.",
    "columns_present": "The delivery has all columns of movies.imdb_movies_rating.",
}


def rule_checks(rules: RulesetFile) -> RulesetChecks:
    return RulesetChecks(EVALUATED, rules)


def day_checks(rules: RulesetFile) -> DayChecks:
    account = [dg.AssetCheckSpec(name, asset=EVALUATED, description=meaning) for name, meaning in ACCOUNT.items()]
    return DayChecks("quality_movies_judged", [*rule_checks(rules).specs, *account])


def results(checks: RulesetChecks, judged: JudgedDay) -> Iterator[dg.AssetCheckResult]:
    """What every check has to say about the day; of a day that cannot be read, only the one that asks for that."""
    if judged.evaluation is None:
        yield _result("records_readable", False, judged.record.reason, {"outcome": "Error"})
        return
    yield from checks.results(judged.evaluation)
    record = judged.record
    counts = {"records": record.rows, "good": record.good, "bad": record.bad, "withheld": record.withheld}
    yield _result("rows_conserved", record.is_conserved, record.account, counts)
    yield _warning("records_readable", record.broken, "records are in bad-records with their text and the reason")
    yield _warning("rows_fit_table", record.misfits, "rows are in bad-records, each with the value that does not fit")
    missing = ", ".join(record.missing_columns)
    yield _result("columns_present", not missing, f"{missing} not delivered" if missing else "holds", {})


def _warning(name: str, count: int, where: str) -> dg.AssetCheckResult:
    description = f"{count} {where}" if count else "holds"
    return _result(name, count == 0, description, {"rows": count}, dg.AssetCheckSeverity.WARN)


def _result(
    name: str,
    passed: bool,
    description: str,
    metadata: Mapping[str, str | int],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=EVALUATED,
        check_name=name,
        passed=passed,
        severity=severity,
        description=harmless(description),
        metadata=metadata,
    )
