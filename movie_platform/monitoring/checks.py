"""The checks of each source's deliveries: whether the next one is overdue, and whether its columns are as expected."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.deliveries.columns import ChangedColumn
from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.monitoring.freshness import Freshness, freshness_of
from movie_platform.quality.presentation import harmless
from movie_platform.settings import Settings, variable

IN_TIME = "in_time"
COLUMNS = "columns_as_expected"
NAMED = 20
"""Columns that a check names; it counts all of them."""


def delivery_checks(settings: Settings, sources: list[Source]) -> dg.AssetChecksDefinition:
    """The checks as one step of their own; the sensor that watches evaluates them without a run."""
    specs = [
        dg.AssetCheckSpec(name, asset=source.raw_asset, description=description)
        for source in sources
        for name, description in (
            (
                IN_TIME,
                f"The {source.partition} after the newest one that is served is not overdue "
                f"({variable(f'{source.command}_due')}).",
            ),
            (
                COLUMNS,
                "The newest delivery has the columns that the source's tables are made of, each of its type, and no "
                "others. One that is not so is named, with what happens to its values.",
            ),
        )
    ]

    @dg.multi_asset_check(name="delivery_checks", specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, lake: ResourceParam[ObjectStore]
    ) -> Iterator[dg.AssetCheckResult]:
        now = datetime.now(UTC)
        for source in sources:
            for of in (
                in_time(source, freshness_of(source, lake, settings, now), now),
                columns_as_expected(source, source.changed_columns(lake, settings)),
            ):
                if of.asset_check_key in context.selected_asset_check_keys:
                    yield dg.AssetCheckResult(
                        passed=of.passed,
                        asset_key=of.asset_key,
                        check_name=of.check_name,
                        severity=of.severity,
                        description=of.description,
                        metadata=of.metadata,
                    )

    return checks


def in_time(source: Source, found: Freshness, now: datetime) -> dg.AssetCheckEvaluation:
    """What the check says; it changes when the source becomes overdue or fresh again, and not with every window."""
    state = found.state(now)
    texts = {
        "nothing yet": "Nothing is served yet.",
        "no cadence": "The source has no cadence.",
        "fresh": f"The next {source.partition} is not overdue.",
        "overdue": f"The newest {source.partition} that is served is {found.shown}; the next one is overdue since "
        f"{found.due:%Y-%m-%d %H:%M} UTC."
        if found.due
        else "",
    }
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(source.raw_asset),
        check_name=IN_TIME,
        passed=state != "overdue",
        severity=dg.AssetCheckSeverity.WARN,
        description=texts[state],
        metadata={"state": state},
    )


def columns_as_expected(source: Source, changed: list[ChangedColumn]) -> dg.AssetCheckEvaluation:
    """What the check says; it changes when a column changes or is as expected again, and not with every window."""
    more = f" And {len(changed) - NAMED} more." if len(changed) > NAMED else ""
    sentences = " ".join(f"{harmless(str(of))}." for of in changed[:NAMED])
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(source.raw_asset),
        check_name=COLUMNS,
        passed=not changed,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentences + more if changed else "Every column is as expected.",
        metadata={"columns": len(changed)},
    )
