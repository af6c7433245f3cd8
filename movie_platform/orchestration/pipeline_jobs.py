"""A named job for each source, so that its runs have a row of their own in the UI's Timeline."""

from typing import Any

import dagster as dg

from movie_platform.deliveries.source import Source


def job_name(source: Source) -> str:
    return f"{source.name}_job"


def source_job(source: Source) -> Any:
    """All assets of the source. Its checks have a step of their own (`DayChecks`), which no run of the job plans."""
    return dg.define_asset_job(
        job_name(source),
        selection=dg.AssetSelection.assets(*source.assets).without_checks(),
        description=f"{source.title}: from what was delivered for a {source.partition} to what is served of it.",
    )
