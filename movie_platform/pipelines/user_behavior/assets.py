"""User behavior's assets: purchases and reviews of a day, how the reviews were judged, and the metric."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.resources import files
from typing import Any

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import InputRefused, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.bulk import Bulk
from movie_platform.orchestration.table_metadata import described, table_metadata
from movie_platform.pipelines.user_behavior import checks, classification, metric, metric_build, purchases, reviews
from movie_platform.pipelines.user_behavior.checks import CLASSIFIED, METRIC, PURCHASES, RAW
from movie_platform.pipelines.user_behavior.classifiers import code_version
from movie_platform.pipelines.user_behavior.deliveries import PREFIX, Delivery, copy_to_lake, find_delivery
from movie_platform.pipelines.user_behavior.drift import drift
from movie_platform.pipelines.user_behavior.metric import IN_METRIC
from movie_platform.pipelines.user_behavior.purchases import PurchaseSource
from movie_platform.pipelines.user_behavior.reviews import ReviewAccount
from movie_platform.pipelines.user_behavior.tables import (
    MOVIE_REVIEW,
    SPECTRUM_PURCHASES,
    SPECTRUM_REVIEWS,
    USER_BEHAVIOR_METRIC,
    USER_PURCHASE,
)
from movie_platform.quality import RulesetFile, read_ruleset_file
from movie_platform.settings import Settings
from movie_platform.table import Table
from movie_platform.warehouse import FORCE, Warehouse
from movie_platform.warehouse.catalog import Catalog

GROUP = "user_behavior"
OWNERS = ["team:data-engineering"]
DELIVERED = dg.AssetKey("movie_review_files")
ASSETS = (PURCHASES, RAW, CLASSIFIED, METRIC)
FULL = "movie_platform/full"
"""A run with this tag stages all purchases under its day, not only those of the day."""
RETRIES, RETRY_AFTER = 3, 10


def metric_ruleset() -> RulesetFile:
    return read_ruleset_file(files(__package__).joinpath("rulesets", "user_behavior_metric.dqdl"))


def review_files(days: dg.PartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        DELIVERED,
        description=f"A vendor's CSV files of movie reviews, in `{PREFIX}<date>/` or directly in `{PREFIX}`. The "
        "sensor reports each arrival.",
        partitions_def=days,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"csv"},
    )


def user_purchases(days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(PURCHASES, days, purchases.CODE_VERSION, {"postgres", "parquet"}),
        description="The day's purchases by invoice date, as they are in the shop's database: "
        "`stage/user_purchase/<date>/`. Cancellations are in it with negative quantities.",
        metadata=described(USER_PURCHASE, in_warehouse=False),
        check_specs=checks.specs(PURCHASES, checks.PURCHASE_CHECKS, days),
    )
    def user_purchases(
        context: dg.AssetExecutionContext,
        purchase_source: ResourceParam[PurchaseSource],
        lake: ResourceParam[ObjectStore],
        catalog: ResourceParam[Any],
    ) -> dg.MaterializeResult:
        day = date.fromisoformat(context.partition_key)
        with _told():
            staged = purchases.extract(purchase_source, lake, day, full=FULL in context.run.tags)
            _register(catalog, SPECTRUM_PURCHASES, day, purchases.stage_prefix(day))
        for setback in staged.setbacks:
            context.log.warning(setback)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(rows=staged.rows, uri=lake.uri_of(staged.key), size=staged.bytes, part=True),
                "source": purchase_source.name,
                "without a customer": staged.without_customer,
                "cancellations": staged.cancellations,
                "amount": str(staged.amount),
                "cancelled amount": str(staged.cancelled_amount),
                "attempts": staged.attempts,
            },
            check_results=checks.purchase_results(staged),
        )

    return user_purchases


def movie_reviews_raw(days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(RAW, days, reviews.CODE_VERSION, {"csv"}),
        deps=[DELIVERED],
        description="The vendor's files of the day, byte for byte: `raw/movie_review/<date>/`.",
        check_specs=checks.specs(RAW, checks.RAW_CHECKS, days),
    )
    def movie_reviews_raw(
        context: dg.AssetExecutionContext,
        raw_behavior: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
    ) -> dg.MaterializeResult:
        day = date.fromisoformat(context.partition_key)
        with _told():
            copied = copy_to_lake(raw_behavior, lake, find_delivery(raw_behavior, day))
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": lake.uri_of(reviews.raw_prefix(day)),
                "bytes": copied.bytes,
                "files": dict(copied.files),
            },
            data_version=dg.DataVersion(copied.digest[:16]),
            check_results=checks.raw_results(len(copied.files)),
        )

    return movie_reviews_raw


def movie_reviews_classified(days: dg.PartitionsDefinition, classifier: str) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(CLASSIFIED, days, f"{reviews.CODE_VERSION} {code_version(classifier)}", {"parquet"}),
        deps=[RAW],
        description="Every usable review of the day, positive or not, with a second classifier's opinion beside it: "
        "`stage/movie_review/<date>/`. What is no review lies in `rejects/user_behavior/<date>.parquet`.",
        metadata=described(MOVIE_REVIEW, in_warehouse=False),
        check_specs=checks.specs(CLASSIFIED, checks.REVIEW_CHECKS, days),
    )
    def movie_reviews_classified(
        context: dg.AssetExecutionContext,
        bulk: ResourceParam[Bulk],
        lake: ResourceParam[ObjectStore],
        catalog: ResourceParam[Any],
    ) -> dg.MaterializeResult:
        day = date.fromisoformat(context.partition_key)
        with _told():
            parameters = {"lake": lake.uri, "day": context.partition_key, "classifier": classifier}
            result = bulk.run(context, classification.JOB, parameters)
            _register(catalog, SPECTRUM_REVIEWS, day, reviews.stage_prefix(day))
        account = ReviewAccount(**result["account"])
        uri = lake.uri_of(classification.stage_key(day))
        return dg.MaterializeResult(
            metadata={
                **table_metadata(rows=result["rows"], uri=uri, size=result["bytes"], part=True),
                "engine": bulk.engine,
                "classifier": result["classifier"],
                "rejected": sum(account.rejected.values()),
                **_shares(account),
            },
            data_version=dg.DataVersion(result["sha256"][:16]),
            check_results=[*checks.review_results(account), checks.drift_result(drift(lake, day))],
        )

    return movie_reviews_classified


def user_behavior_metric(days: dg.PartitionsDefinition, rules: RulesetFile) -> dg.AssetsDefinition:
    judged = checks.metric_rules(rules, days)

    @dg.asset(
        **_about(METRIC, days, metric.CODE_VERSION, {"table"}),
        deps=[PURCHASES, CLASSIFIED],
        description=f"{USER_BEHAVIOR_METRIC.description} Replaced for its day.",
        metadata=described(USER_BEHAVIOR_METRIC, in_warehouse=True),
        check_specs=[*checks.specs(METRIC, checks.METRIC_CHECKS, days), *judged.specs],
    )
    def user_behavior_metric(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> dg.MaterializeResult:
        with _told():
            made = metric_build.build(lake, date.fromisoformat(context.partition_key))
            loaded = metric_build.load(
                warehouse, lake, made, run_id=context.run.run_id, force=FORCE in context.run.tags
            )
        account = made.account
        judged_by = classification.classified_by(lake, made.day)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(rows=made.rows, uri=lake.uri_of(made.key), size=made.bytes, part=True),
                "load": loaded.outcome,
                "version": loaded.version,
                **({"reason": loaded.reason} if loaded.reason else {}),
                **({"classifier": judged_by} if judged_by else {}),
                "amount in the metric": str(account[IN_METRIC].amount),
                "cancellations": account.cancellations,
                "cancelled amount": str(account.cancelled_amount),
            },
            data_version=dg.DataVersion(made.sha256[:16]),
            check_results=[*checks.metric_results(made), *checks.rule_results(judged, lake, made)],
        )

    return user_behavior_metric


def arrival(delivery: Delivery, raw: ObjectStore) -> dg.AssetMaterialization:
    """Delivered reviews as an event of the external asset; its version changes with the files' content."""
    return dg.AssetMaterialization(
        DELIVERED,
        partition=delivery.day.isoformat(),
        metadata={
            "dagster/uri": raw.uri_of(PREFIX),
            "bytes": delivery.bytes,
            "files": {name: {"etag": info.etag, "bytes": info.size} for name, info in delivery.files.items()},
        },
        tags={"dagster/data_version": delivery.fingerprint},
    )


def behavior_assets(settings: Settings, days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    return [
        review_files(days),
        user_purchases(days),
        movie_reviews_raw(days),
        movie_reviews_classified(days, settings.review_classifier),
        user_behavior_metric(days, metric_ruleset()),
    ]


def _about(key: dg.AssetKey, days: dg.PartitionsDefinition, code_version: str, kinds: set[str]) -> dict[str, Any]:
    return {
        "key": key,
        "partitions_def": days,
        "group_name": GROUP,
        "owners": OWNERS,
        "kinds": kinds,
        "code_version": code_version,
    }


def _shares(account: ReviewAccount) -> dict[str, float]:
    shares = {"share of positives": account.share_positive, "agreement of both classifiers": account.agreement}
    return {name: round(share, 4) for name, share in shares.items() if share is not None}


def _register(catalog: Catalog | None, table: Table, day: date, folder: str) -> None:
    """Make the day known to Redshift Spectrum and Athena, where a catalog is set."""
    if catalog is not None:
        catalog.register(table, {day.isoformat(): folder}, partition_key="insert_date")


@contextmanager
def _told() -> Iterator[None]:
    """What the source did fails the run for good; what the world did is tried again."""
    try:
        yield
    except InputRefused as refused:
        raise dg.Failure(str(refused), metadata={"rule": refused.rule, "ours": False}, allow_retries=False) from refused
    except WorldUnavailable as away:
        raise dg.RetryRequested(RETRIES, RETRY_AFTER) from away
