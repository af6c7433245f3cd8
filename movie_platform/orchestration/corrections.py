"""Check evaluations that the UI shows, and those that a sensor has to put right.

The UI shows an evaluation as long as it is of the run that last materialized the asset, or names that materialization.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from movie_platform.deliveries import fingerprint_of


@dataclass(frozen=True)
class Shown:
    """What the UI shows of one check; the evaluation is missing where its run has not evaluated it."""

    evaluation: dg.AssetCheckEvaluation | None
    is_hidden: bool
    """Whether another run materialized the asset after this evaluation: the UI then shows none."""
    is_under_way: bool
    """Whether a run is going to evaluate the check."""
    has_data: bool
    """Whether the asset was ever materialized."""
    event: str
    """Names the evaluation, or the lack of it."""


def of_newest(
    instance: dg.DagsterInstance, evaluations: Iterable[dg.AssetCheckEvaluation]
) -> Iterator[dg.AssetCheckEvaluation]:
    """The evaluations, each with the newest materialization of its asset as what it judges."""
    newest: dict[dg.AssetKey, dg.EventLogRecord | None] = {}
    for of in evaluations:
        if of.asset_key not in newest:
            newest[of.asset_key] = _newest(instance, of.asset_key)
        record = newest[of.asset_key]
        yield dg.AssetCheckEvaluation(
            asset_key=of.asset_key,
            check_name=of.check_name,
            passed=of.passed,
            severity=of.severity,
            description=of.description,
            metadata=of.metadata,
            target_materialization_data=_target(record) if record else None,
        )


def _target(record: dg.EventLogRecord) -> Any:
    """The materialization as what an evaluation judges.

    Without it the UI goes by a time stamp of whole seconds, and shows no evaluation in the second of the
    materialization. Its type has no public name, so it is made from the form in which Dagster keeps it in its event
    log, and has to read it for as long as that log is kept.
    """
    kept = {
        "__class__": "AssetCheckEvaluationTargetMaterializationData",
        "storage_id": record.storage_id,
        "run_id": record.run_id,
        "timestamp": record.timestamp,
    }
    return dg.deserialize_value(json.dumps(kept))


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dg.EventLogRecord | None:
    return next(iter(instance.fetch_materializations(asset, limit=1).records), None)


def shown_of(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> dict[dg.AssetCheckKey, Shown]:
    """What the UI shows of each check now."""
    keys = list(keys)
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    newest = {asset: _newest(instance, asset) for asset in {key.asset_key for key in keys}}
    planned = {record.run_id for record in records.values() if _evaluation(record) is None}
    runs = {run_id: instance.get_run_by_id(run_id) for run_id in planned if run_id}
    under_way = {run_id for run_id, run in runs.items() if run and not run.is_finished}
    return {key: _shown(records.get(key), newest[key.asset_key], under_way) for key in keys}


def _shown(record: Any, newest: dg.EventLogRecord | None, under_way: set[str]) -> Shown:
    if record is None:
        return Shown(None, is_hidden=False, is_under_way=False, has_data=newest is not None, event="")
    evaluation = _evaluation(record)
    target = evaluation.target_materialization_data if evaluation else None
    hidden = (
        newest is not None
        and newest.run_id != record.run_id
        and (target is None or target.storage_id != newest.storage_id)
    )
    is_under_way = evaluation is None and record.run_id in under_way
    event = f"{record.id} {record.status.value} {is_under_way} {hidden}"
    return Shown(evaluation, hidden, is_under_way, newest is not None, event)


def _evaluation(record: Any) -> dg.AssetCheckEvaluation | None:
    """None for a check that is planned: its record then holds the plan."""
    return record.evaluation if isinstance(record.evaluation, dg.AssetCheckEvaluation) else None


def digest_of(shown: Mapping[dg.AssetCheckKey, Shown]) -> str:
    """Another digest means that the UI shows something else of a check."""
    return fingerprint_of({key.to_user_string(): of.event for key, of in shown.items()})


def overdue(
    shown: Mapping[dg.AssetCheckKey, Shown], evaluations: Iterable[dg.AssetCheckEvaluation]
) -> list[dg.AssetCheckEvaluation]:
    """Those of the evaluations that the UI does not show.

    It shows another one where a run that ended later had read the lake earlier; none where a run died before it
    evaluated, or materialized the asset after the last evaluation. A check that a run is going to evaluate is left to
    that run. Of an asset that was never materialized only what fails is news.
    """
    found = []
    for evaluation in evaluations:
        of = shown[evaluation.asset_check_key]
        if of.is_under_way or (not of.event and not of.has_data and evaluation.passed):
            continue
        if of.evaluation is None or of.is_hidden or _content(of.evaluation) != _content(evaluation):
            found.append(evaluation)
    return found


def _content(of: dg.AssetCheckEvaluation) -> tuple[object, ...]:
    return (of.passed, of.severity, of.description, dict(of.metadata))
