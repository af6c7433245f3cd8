"""The box office as Dagster knows it."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
from dagster import ResourceParam

from examples.box_office import source
from examples.box_office.source import NAME, RULES, SOURCE
from examples.box_office.tables import BOX_OFFICE, DELIVERED
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.day_checks import DayChecks
from movie_platform.orchestration.events import OWNERS, errors_for_dagster, load_metadata, raw_asset
from movie_platform.orchestration.partitions import daily
from movie_platform.orchestration.reconciliation import reconciliation
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.orchestration.sensors import daily_sensor
from movie_platform.orchestration.table_metadata import columns_of, described, table_metadata
from movie_platform.settings import Settings
from movie_platform.warehouse import FORCE, Warehouse

GOOD, SERVED = map(dg.AssetKey, SOURCE.assets)


def definitions(settings: Settings) -> dg.Definitions:
    days = daily(date.fromisoformat(SOURCE.start(settings)))
    about = {"partitions_def": days, "group_name": NAME, "owners": OWNERS, "code_version": source.CODE_VERSION}
    rules = RulesetChecks(GOOD, RULES)
    checks = DayChecks(GOOD.to_user_string(), rules.specs)

    from_files = described(BOX_OFFICE, in_warehouse=False, made_from={SOURCE.raw_asset: DELIVERED.unchanged})
    from_good = described(BOX_OFFICE, in_warehouse=True, made_from={"box_office_good": BOX_OFFICE.unchanged})

    @dg.asset(key=GOOD, deps=[SOURCE.raw_asset], kinds={"parquet"}, metadata=from_files, **about)
    def box_office_good(
        context: dg.AssetExecutionContext, raw_box_office: ResourceParam[ObjectStore], lake: ResourceParam[ObjectStore]
    ) -> Iterator[Any]:
        """The day's records that break no rule; the others are in `bad-records/box_office/`, each with its reason."""
        with errors_for_dagster(context):
            found = source.process(raw_box_office, lake, context.partition_key)
        if found is None:
            raise dg.Failure(f"nothing was delivered for {context.partition_key}", allow_retries=False)
        uri = lake.uri_of(source.good_key(context.partition_key))
        metadata = {
            **table_metadata(rows=found.good.num_rows, uri=uri, part=True),
            "records that are bad": found.bad.num_rows,
        }
        metadata |= columns_of(context, GOOD)
        yield dg.MaterializeResult(metadata=metadata)
        yield from checks.judged(context, lake, rules.results(found.evaluation))

    @dg.asset(key=SERVED, deps=[GOOD], kinds={"table"}, metadata=from_good, **about)
    def box_office(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> dg.MaterializeResult:
        """What each movie took in, replaced per day; the view `box_office_totals` sums it up."""
        with errors_for_dagster(context):
            force = FORCE in context.run.tags
            result = source.load(warehouse, lake, context.partition_key, run_id=context.run.run_id, force=force)
        return dg.MaterializeResult(
            metadata={**(load_metadata(result) if result else {}), **columns_of(context, SERVED)}
        )

    return dg.Definitions(
        assets=[raw_asset(SOURCE, days, NAME), box_office_good, box_office],
        asset_checks=[checks.definition()],
        sensors=[daily_sensor(SOURCE, settings, checks=[checks])],
        schedules=[reconciliation(SOURCE, settings, minute=27)],
    )
