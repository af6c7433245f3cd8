"""User behavior's assets: purchases and reviews of a day, how the reviews were judged, and the metric."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
from dagster import ResourceParam

from movie_platform.engine import Format
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.bulk import Bulk
from movie_platform.orchestration.day_checks import DayChecks, broken_rules
from movie_platform.orchestration.events import OWNERS, errors_for_dagster, load_metadata, raw_asset
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.orchestration.table_metadata import columns_of, described, form, in_kilobytes, table_metadata
from movie_platform.pipelines.user_behavior import checks, classification, metric, metric_build, purchases, reviews
from movie_platform.pipelines.user_behavior.checks import CLASSIFIED, METRIC, PURCHASES, RAW
from movie_platform.pipelines.user_behavior.classifiers import code_version
from movie_platform.pipelines.user_behavior.drift import drift
from movie_platform.pipelines.user_behavior.metric import IN_METRIC
from movie_platform.pipelines.user_behavior.purchase_sources import PurchaseSource
from movie_platform.pipelines.user_behavior.reviews import ReviewAccount
from movie_platform.pipelines.user_behavior.source import SOURCE, copy_to_lake
from movie_platform.pipelines.user_behavior.tables import (
    CLASSIFIED_FROM,
    METRIC_FROM,
    MOVIE_REVIEW,
    SPECTRUM_PURCHASES,
    SPECTRUM_REVIEWS,
    USER_BEHAVIOR_METRIC,
    USER_PURCHASE,
)
from movie_platform.pipelines.user_behavior.tables import DELIVERED as DELIVERED_COLUMNS
from movie_platform.quality.presentation import harmless
from movie_platform.quality.ruleset_files import RulesetFile
from movie_platform.settings import Settings
from movie_platform.table import Table
from movie_platform.warehouse import FORCE, Warehouse
from movie_platform.warehouse.catalog import Catalog

GROUP = "user_behavior"
DELIVERED = dg.AssetKey(SOURCE.raw_asset)
SHOP = dg.AssetKey("shop_purchases")
FULL = "movie_platform/full"
"""A run with this tag stages all purchases under its day, not only those of the day."""


def shop_purchases(settings: Settings) -> dg.AssetSpec:
    """The shop's own table; each reading of a day is observed. It has no partitions: nobody materializes it."""
    return dg.AssetSpec(
        SHOP,
        description="Purchases in the shop's own database, a row per position of an invoice. Each reading of a day is "
        "reported here; the shop itself announces nothing.",
        group_name=GROUP,
        owners=OWNERS,
        kinds={"duckdb" if settings.purchases == "warehouse" else "postgres"},
        metadata=described(USER_PURCHASE, in_warehouse=False) | {"dagster/table_name": settings.purchases_table},
    )


def user_purchases(days: dg.PartitionsDefinition, judged: DayChecks) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(PURCHASES, days, purchases.CODE_VERSION, {"parquet"}),
        deps=[SHOP],
        description="The day's purchases by invoice date, as they are in the shop's database: "
        "`stage/user_purchase/<date>/`. Cancellations are in it with negative quantities.",
        metadata=described(
            USER_PURCHASE, in_warehouse=False, made_from={SHOP.to_user_string(): USER_PURCHASE.unchanged}
        ),
    )
    def user_purchases(
        context: dg.AssetExecutionContext,
        purchase_source: ResourceParam[PurchaseSource],
        lake: ResourceParam[ObjectStore],
        catalog: ResourceParam[Any],
    ) -> Iterator[Any]:
        day = date.fromisoformat(context.partition_key)
        with errors_for_dagster(context):
            staged = purchases.extract(purchase_source, lake, day, full=FULL in context.run.tags)
            _register(catalog, SPECTRUM_PURCHASES, day, purchases.stage_prefix(day))
        for setback in staged.setbacks:
            context.log.warning(setback)
        results = checks.purchase_results(staged)
        context.log_event(
            dg.AssetObservation(
                SHOP,
                metadata={"source": purchase_source.name, "day": context.partition_key, "rows read": staged.rows},
            )
        )
        yield dg.MaterializeResult(
            metadata={
                **broken_rules(results),
                **table_metadata(rows=staged.rows, uri=lake.uri_of(staged.key), size=staged.bytes, part=True),
                "source": purchase_source.name,
                "without a customer": staged.without_customer,
                "cancellations": staged.cancellations,
                "amount": str(staged.amount),
                "cancelled amount": str(staged.cancelled_amount),
                "attempts": staged.attempts,
                **columns_of(context, PURCHASES),
            },
        )
        yield from judged.judged(context, lake, results)

    return user_purchases


def movie_reviews_raw(days: dg.PartitionsDefinition, judged: DayChecks) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(RAW, days, reviews.CODE_VERSION, {"csv"}),
        deps=[DELIVERED],
        description="The vendor's files of the day, byte for byte: `raw/movie_review/<date>/`.",
        metadata=described(
            DELIVERED_COLUMNS, in_warehouse=False, made_from={SOURCE.raw_asset: DELIVERED_COLUMNS.unchanged}
        ),
    )
    def movie_reviews_raw(
        context: dg.AssetExecutionContext,
        raw_behavior: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
    ) -> Iterator[Any]:
        day = date.fromisoformat(context.partition_key)
        with errors_for_dagster(context):
            manifest = copy_to_lake(raw_behavior, lake, day)
        results = checks.raw_results(len(manifest.files) if manifest else 0)
        yield dg.MaterializeResult(
            metadata={
                **broken_rules(results),
                "dagster/uri": lake.uri_of(reviews.raw_prefix(day)),
                **in_kilobytes(sum(file.size for file in manifest.files.values()) if manifest else 0),
                **form(files=", ".join(map(harmless, manifest.files)) if manifest else "none was delivered"),
                **columns_of(context, RAW),
            },
            data_version=dg.DataVersion(manifest.digest[:16] if manifest else "nothing delivered"),
        )
        yield from judged.judged(context, lake, results)

    return movie_reviews_raw


def movie_reviews_classified(days: dg.PartitionsDefinition, classifier: str, judged: DayChecks) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(CLASSIFIED, days, f"{reviews.CODE_VERSION} {code_version(classifier)}", {"parquet"}),
        deps=[RAW],
        description="Every usable review of the day, positive or not, with a second classifier's opinion beside it: "
        "`stage/movie_review/<date>/`. What is no review lies in `rejects/user_behavior/<date>.parquet`.",
        metadata=described(MOVIE_REVIEW, in_warehouse=False, made_from={RAW.to_user_string(): CLASSIFIED_FROM}),
    )
    def movie_reviews_classified(
        context: dg.AssetExecutionContext,
        bulk: ResourceParam[Bulk],
        lake: ResourceParam[ObjectStore],
        catalog: ResourceParam[Any],
    ) -> Iterator[Any]:
        day = date.fromisoformat(context.partition_key)
        with errors_for_dagster(context):
            parameters = {"lake": lake.uri, "day": context.partition_key, "classifier": classifier}
            result = bulk.run(context, classification.JOB, parameters)
            _register(catalog, SPECTRUM_REVIEWS, day, reviews.stage_prefix(day))
        account = ReviewAccount(**result["account"])
        uri = lake.uri_of(classification.stage_key(day))
        results = [*checks.review_results(account), checks.drift_result(drift(lake, day))]
        yield dg.MaterializeResult(
            metadata={
                **broken_rules(results),
                **table_metadata(rows=result["rows"], uri=uri, size=result["bytes"], part=True),
                "engine": bulk.engine,
                "classifier": result["classifier"],
                "records rejected": sum(account.rejected.values()),
                **_shares(account),
                **columns_of(context, CLASSIFIED),
            },
            data_version=dg.DataVersion(result["sha256"][:16]),
        )
        yield from judged.judged(context, lake, results)

    return movie_reviews_classified


def user_behavior_metric(
    days: dg.PartitionsDefinition, rules: RulesetChecks, judged: DayChecks, formats: tuple[Format, ...]
) -> dg.AssetsDefinition:
    @dg.asset(
        **_about(METRIC, days, metric.CODE_VERSION, {"table"}),
        deps=[PURCHASES, CLASSIFIED],
        description=f"{USER_BEHAVIOR_METRIC.description} Replaced for its day.",
        metadata=described(USER_BEHAVIOR_METRIC, in_warehouse=True, made_from=METRIC_FROM),
    )
    def user_behavior_metric(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        with errors_for_dagster(context):
            made = metric_build.build(lake, date.fromisoformat(context.partition_key), formats)
            loaded = metric_build.load(
                warehouse, lake, made, run_id=context.run.run_id, force=FORCE in context.run.tags
            )
        account = made.account
        judged_by = classification.classified_by(lake, made.day)
        results = [*checks.metric_results(made), *checks.rule_results(rules, lake, made)]
        yield dg.MaterializeResult(
            metadata={
                **broken_rules(results),
                **table_metadata(rows=made.rows, uri=lake.uri_of(made.key), size=made.bytes, part=True),
                **load_metadata(loaded),
                **({"classifier": judged_by} if judged_by else {}),
                "amount in the metric": str(account[IN_METRIC].amount),
                "cancellations": account.cancellations,
                "cancelled amount": str(account.cancelled_amount),
                **columns_of(context, METRIC),
            },
            data_version=dg.DataVersion(made.sha256[:16]),
        )
        yield from judged.judged(context, lake, results)

    return user_behavior_metric


def behavior_assets(
    settings: Settings, days: dg.PartitionsDefinition, rules: RulesetFile
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    judged = checks.every_check(rules)
    return [
        raw_asset(SOURCE, days, GROUP),
        shop_purchases(settings),
        user_purchases(days, judged[PURCHASES]),
        movie_reviews_raw(days, judged[RAW]),
        movie_reviews_classified(days, settings.review_classifier, judged[CLASSIFIED]),
        user_behavior_metric(days, checks.metric_rules(rules), judged[METRIC], settings.stage_formats),
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
