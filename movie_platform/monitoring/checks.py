"""The check of each source's arrivals: it says whether the next window or day is overdue."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster import ResourceParam

from movie_platform.deliveries.source import Source
from movie_platform.lake import ObjectStore
from movie_platform.monitoring.freshness import Freshness, freshness_of
from movie_platform.settings import Settings, variable

NAME = "in_time"


def keys(sources: Iterable[Source]) -> list[dg.AssetCheckKey]:
    return [dg.AssetCheckKey(dg.AssetKey(source.raw_asset), NAME) for source in sources]


def freshness_checks(settings: Settings, sources: list[Source]) -> dg.AssetChecksDefinition:
    """The checks as one step of their own; the sensor that watches evaluates them without a run."""
    specs = [
        dg.AssetCheckSpec(
            NAME,
            asset=source.raw_asset,
            description=f"The {source.partition} after the newest one that is served is not overdue "
            f"({variable(f'{source.command}_due')}).",
        )
        for source in sources
    ]

    @dg.multi_asset_check(name="freshness_checks", specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, lake: ResourceParam[ObjectStore]
    ) -> Iterator[dg.AssetCheckResult]:
        now = datetime.now(UTC)
        for source, key in zip(sources, keys(sources), strict=True):
            if key in context.selected_asset_check_keys:
                of = evaluation(source, freshness_of(source, lake, settings, now), now)
                yield dg.AssetCheckResult(
                    passed=of.passed,
                    asset_key=of.asset_key,
                    check_name=of.check_name,
                    severity=of.severity,
                    description=of.description,
                    metadata=of.metadata,
                )

    return checks


def evaluation(source: Source, found: Freshness, now: datetime) -> dg.AssetCheckEvaluation:
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
        check_name=NAME,
        passed=state != "overdue",
        severity=dg.AssetCheckSeverity.WARN,
        description=texts[state],
        metadata={"state": state},
    )
