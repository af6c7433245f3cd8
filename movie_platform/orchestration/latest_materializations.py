"""Check evaluations tied to what they judge, which Dagster does by itself only in a run of one partition."""

import time
from collections.abc import Iterable, Iterator

import dagster as dg

# An argument of the public AssetCheckEvaluation whose type has no public name.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData


def judging_latest(
    evaluations: Iterable[dg.AssetCheckEvaluation], instance: dg.DagsterInstance, run_id: str
) -> Iterator[dg.AssetCheckEvaluation]:
    """The evaluations, each tied to the newest materialization of its partition; the UI ignores older ones."""
    given, now = list(evaluations), time.time()
    partitions: dict[dg.AssetKey, set[str]] = {}
    for evaluation in given:
        partitions.setdefault(evaluation.asset_key, set()).add(str(evaluation.partition))
    latest = {
        key: instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION, names)
        for key, names in partitions.items()
    }
    for evaluation in given:
        storage_id = latest[evaluation.asset_key].get(str(evaluation.partition))
        if storage_id is None:
            yield evaluation
        else:
            yield dg.AssetCheckEvaluation(
                asset_key=evaluation.asset_key,
                check_name=evaluation.check_name,
                passed=evaluation.passed,
                severity=evaluation.severity,
                description=evaluation.description,
                metadata=evaluation.metadata,
                partition=evaluation.partition,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=storage_id, run_id=run_id, timestamp=now
                ),
            )
