"""The sensor that says to an OpenLineage server what each run made. No run waits for it, and none knows of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from movie_platform.errors import WorldUnavailable
from movie_platform.orchestration.lineage_events import Column, Emitter, Made, must_be_installed
from movie_platform.orchestration.liveness import NOT_NOW
from movie_platform.settings import Settings

NAME = "openlineage"
RUNS_A_TICK = 20
SECONDS = 20.0
"""After so long no further run is begun in this tick: a tick that takes a minute is cut off."""
_ENDS = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)
_KINDS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.STEP_FAILURE,
}


def lineage_sensor(settings: Settings) -> dg.SensorDefinition:
    """Goes through the runs that ended, in the order in which they did; what was not taken is sent by the next tick.

    Its cursor is the place in Dagster's event log. It begins with the runs that end after its first tick.
    """
    must_be_installed()

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends what each run made to an OpenLineage server (MOVIE_PLATFORM_LINEAGE): inputs, columns and "
        "where these come from. No run waits for it.",
    )
    def openlineage(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        instance, repository = context.instance, context.repository_def
        assert repository is not None
        if not (context.cursor or "").isdecimal():
            newest = [record.storage_id for record in _ended(instance, None)]
            return dg.SensorResult(skip_reason="Begins with the next run.", cursor=str(max(newest, default=0)))
        place, emitter, sent = int(context.cursor or 0), Emitter(settings), 0
        end = time.monotonic() + SECONDS
        try:
            for record in _ended(instance, place):
                if time.monotonic() > end:
                    break
                for made in made_by(instance, record.run_id, repository.asset_graph):
                    emitter.emit(made)
                place, sent = record.storage_id, sent + 1
        except WorldUnavailable as error:
            return dg.SensorResult(skip_reason=f"{NOT_NOW}{error}", cursor=str(place))
        return dg.SensorResult(skip_reason=f"{sent} runs were sent.", cursor=str(place))

    return openlineage


def _ended(instance: dg.DagsterInstance, after: int | None) -> list[Any]:
    """The ends of runs after a place in the event log, the earliest first; without a place the newest of each kind."""
    found: list[Any] = []
    for kind in _ENDS:
        wanted = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after)  # type: ignore[arg-type]
        limit = 1 if after is None else RUNS_A_TICK
        found += instance.fetch_run_status_changes(wanted, limit=limit, ascending=after is not None).records
    return sorted(found, key=lambda record: record.storage_id)[:RUNS_A_TICK]


def made_by(instance: dg.DagsterInstance, run_id: str, graph: Any) -> Iterator[Made]:
    """What the run made of each of its assets; nothing of a run that is not there any more, or had no assets."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return
    entries = [entry.get_dagster_event() for entry in instance.all_logs(run_id, of_type=_KINDS)]
    made: dict[dg.AssetKey, list[dg.AssetMaterialization]] = {}
    reason = ""
    for event in entries:
        if event.is_step_failure:
            reason = reason or _reason(event)
        elif event.asset_key:
            of = made.setdefault(event.asset_key, [])
            if event.is_step_materialization:
                of.append(event.step_materialization_data.materialization)
    run, ended = record.dagster_run, record.end_time or record.create_timestamp.timestamp()
    began = record.start_time or ended
    for key, materializations in made.items():
        if not materializations and run.status is dg.DagsterRunStatus.SUCCESS:
            continue  # it was planned, and nothing was there to make
        node = graph.get(key) if graph.has(key) else None
        metadata = {**(node.metadata if node else {}), **(materializations[-1].metadata if materializations else {})}
        yield Made(
            run_id=run_id,
            job=run.job_name,
            asset=key.to_user_string(),
            began=datetime.fromtimestamp(began, UTC),
            ended=datetime.fromtimestamp(ended, UTC),
            inputs=tuple(sorted(of.to_user_string() for of in node.parent_keys)) if node else (),
            columns=_columns(metadata),
            rows=_sum(materializations, "dagster/partition_row_count", "dagster/row_count"),
            bytes=_sum(materializations, "bytes"),
            uri=str(_value(metadata.get("dagster/uri", ""))),
            covers=_covers(node, [of.partition for of in materializations if of.partition]),
            error="" if materializations else reason or f"the run was {run.status.value.lower()}",
        )


def _reason(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data:
        return str(failure.user_failure_data.description or failure.user_failure_data.label or "")
    return str((failure.error.cause or failure.error).message).strip() if failure.error else ""


def _columns(metadata: Mapping[str, Any]) -> tuple[Column, ...]:
    schema, lineage = (_value(metadata.get(f"dagster/column_{name}")) for name in ("schema", "lineage"))
    origins = lineage.deps_by_column if isinstance(lineage, dg.TableColumnLineage) else {}
    if not isinstance(schema, dg.TableSchema):
        return ()
    return tuple(
        Column(
            column.name,
            column.type,
            column.description or "",
            tuple((of.asset_key.to_user_string(), of.column_name) for of in origins.get(column.name, ())),
        )
        for column in schema.columns
    )


def _sum(materializations: Sequence[dg.AssetMaterialization], *names: str) -> int | None:
    """Of the first of the names that the materializations have."""
    for name in names:
        found = [_value(of.metadata[name]) for of in materializations if name in of.metadata]
        if found:
            return sum(int(number) for number in found)
    return None


def _covers(node: Any, partitions: Sequence[str]) -> tuple[datetime, datetime] | None:
    definition = node.partitions_def if node else None
    if not partitions or not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return None
    windows = [definition.time_window_for_partition_key(key) for key in (min(partitions), max(partitions))]
    return windows[0].start, windows[-1].end


def _value(of: Any) -> Any:
    return of.value if isinstance(of, dg.MetadataValue) else of
