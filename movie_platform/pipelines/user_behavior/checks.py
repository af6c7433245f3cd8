"""What the UI says of the newest day: the account of purchases and reviews, and the metric's ruleset."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from movie_platform.lake import ObjectStore
from movie_platform.orchestration.day_checks import DayChecks
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.pipelines.user_behavior.drift import Drift, shares_as_metadata
from movie_platform.pipelines.user_behavior.metric import TOO_LARGE, WAYS_OUT, why_empty
from movie_platform.pipelines.user_behavior.metric_build import DayMetric, judge
from movie_platform.pipelines.user_behavior.purchases import Extract
from movie_platform.pipelines.user_behavior.reviews import ReviewAccount
from movie_platform.quality.ruleset_files import RulesetFile

PURCHASES = dg.AssetKey("user_purchases")
RAW = dg.AssetKey("movie_reviews_raw")
CLASSIFIED = dg.AssetKey("movie_reviews_classified")
METRIC = dg.AssetKey("user_behavior_metric")

PURCHASE_CHECKS = {
    "dates_known": "Every purchase of the shop has an invoice date. One without is in no day; only --full stages it.",
    "customers_known": "At least half of the purchases name their customer; about a quarter does not, usually.",
}
RAW_CHECKS = {"files_delivered": "The day has a file of reviews. Without one its metric has no rows."}
REVIEW_CHECKS = {
    "rows_conserved": "Every record of the day's files is classified or rejected.",
    "records_readable": "Every record is a review with a customer; others lie in the rejects with their reason.",
    "positive_share_usual": "The share of positive reviews is near that of the last 28 days of the same classifier.",
}
METRIC_CHECKS = {
    "metric_has_rows": "Somebody bought and reviewed on the day.",
    "purchases_conserved": "Every staged purchase is in the metric, without a customer, or of one without reviews.",
    "reviews_conserved": "Every classified review is in the metric, or of a customer without purchases.",
    "amounts_reconcile": "The amounts of all purchases, counted or not, sum up to that of the stage.",
    "amounts_fit": "No customer's amount is larger than amount_spent can hold.",
}


def day_checks(asset: dg.AssetKey, claims: dict[str, str], *, rules: RulesetChecks | None = None) -> DayChecks:
    specs = [dg.AssetCheckSpec(name, asset=asset, description=claim) for name, claim in claims.items()]
    return DayChecks(asset.to_user_string(), [*specs, *(rules.specs if rules else ())])


def metric_rules(rules: RulesetFile) -> RulesetChecks:
    return RulesetChecks(METRIC, rules)


def every_check(rules: RulesetFile) -> dict[dg.AssetKey, DayChecks]:
    """The checks of each asset."""
    return {
        PURCHASES: day_checks(PURCHASES, PURCHASE_CHECKS),
        RAW: day_checks(RAW, RAW_CHECKS),
        CLASSIFIED: day_checks(CLASSIFIED, REVIEW_CHECKS),
        METRIC: day_checks(METRIC, METRIC_CHECKS, rules=metric_rules(rules)),
    }


def purchase_results(staged: Extract) -> list[dg.AssetCheckResult]:
    counted = f"{staged.without_customer:,} of {staged.rows:,} purchases have no customer"
    known = staged.without_customer * 2 <= staged.rows
    undated = staged.without_date
    dated = f"{undated:,} purchases of the shop have no invoice date and are in no day" if undated else "all of them"
    return [
        _result(PURCHASES, "dates_known", not undated, dated, {"without a date": undated}, warn=True),
        _result(
            PURCHASES, "customers_known", known, counted, {"without a customer": staged.without_customer}, warn=True
        ),
    ]


def raw_results(files: int) -> list[dg.AssetCheckResult]:
    return [_result(RAW, "files_delivered", files > 0, f"{files} files", {"files": files}, warn=True)]


def review_results(account: ReviewAccount) -> list[dg.AssetCheckResult]:
    rejected = sum(account.rejected.values())
    counted = f"{account.records:,} records = {account.classified:,} classified + {rejected:,} rejected"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in account.rejected.items())
    return [
        _result(
            CLASSIFIED, "rows_conserved", account.conserved, counted, {"records": account.records, "rejected": rejected}
        ),
        _result(CLASSIFIED, "records_readable", not rejected, reasons or "all of them", account.rejected, warn=True),
    ]


def drift_result(found: Drift) -> dg.AssetCheckResult:
    return _result(CLASSIFIED, "positive_share_usual", found.is_usual, str(found), shares_as_metadata(found), warn=True)


def metric_results(made: DayMetric) -> Iterator[dg.AssetCheckResult]:
    account = made.account
    empty = why_empty(account.purchases, account.reviews, made.rows)
    said = f"0 rows in the metric: {empty}" if empty else f"{made.rows:,} rows"
    ways_out = {"what to do": WAYS_OUT} if empty and not account.purchases else {}
    yield _result(METRIC, "metric_has_rows", not empty, said, ways_out, warn=True)
    problems = {problem.partition(":")[0]: problem for problem in made.unaccounted}
    fates = {fate.fate: fate for fate in account.fates}
    for name, what in (("purchases_conserved", "purchases"), ("reviews_conserved", "reviews")):
        counts = {fate: count for fate, sums in fates.items() if (count := getattr(sums, what))}
        parts = " + ".join(f"{count:,} {fate}" for fate, count in counts.items())
        counted = problems.get(what) or f"{getattr(account, what):,} {what} = {parts or 'none'}"
        yield _result(METRIC, name, what not in problems, counted, counts)
    amounts = {fate: str(sums.amount) for fate, sums in fates.items() if sums.purchases}
    counted = problems.get("amount") or f"{account.amount} = " + (
        " + ".join(f"{a} {f}" for f, a in amounts.items()) or "0"
    )
    cancelled = {"cancellations": account.cancellations, "cancelled amount": str(account.cancelled_amount)}
    yield _result(METRIC, "amounts_reconcile", "amount" not in problems, counted, {**amounts, **cancelled})
    too_large = account[TOO_LARGE].customers
    counted = f"{too_large} customers are left out, {account[TOO_LARGE].amount} in all" if too_large else "all of them"
    yield _result(METRIC, "amounts_fit", not too_large, counted, {"customers": too_large}, warn=True)


def rule_results(rules: RulesetChecks, lake: ObjectStore, made: DayMetric) -> Iterator[dg.AssetCheckResult]:
    """How the metric's rules came out; a metric without rows is not judged by them."""
    if broken := rules.broken():
        yield _result(METRIC, broken.check_name, False, broken.description or "", dict(broken.metadata))
    elif made.rows:
        yield from rules.results(judge(lake, made, rules.file))


def _result(
    asset: dg.AssetKey, name: str, passed: bool, description: str, metadata: dict[str, Any], *, warn: bool = False
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata=metadata,
    )
