"""The quality movies' assets: how each day was judged, and where its rows went."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.notify import Notifier
from movie_platform.orchestration.bulk import Bulk
from movie_platform.orchestration.day_checks import broken_rules
from movie_platform.orchestration.events import (
    DELIVER_AGAIN,
    OWNERS,
    errors_for_dagster,
    load_metadata,
    observe_refusal,
    refused,
    versions,
)
from movie_platform.orchestration.table_metadata import columns_of, described, form, table_metadata
from movie_platform.pipelines.quality_movies import cataloguing, checks, loading
from movie_platform.pipelines.quality_movies.checks import EVALUATED
from movie_platform.pipelines.quality_movies.day_records import (
    CODE_VERSION,
    DayRecord,
    bad_key,
    outcomes_key,
    rejects_key,
    staged_key,
)
from movie_platform.pipelines.quality_movies.evaluation import JudgedDay, Nulls, RulesInUse, judge_day
from movie_platform.pipelines.quality_movies.judging_job import JOB, judged_day, parameters
from movie_platform.pipelines.quality_movies.notices import tell
from movie_platform.pipelines.quality_movies.source import SOURCE
from movie_platform.pipelines.quality_movies.tables import (
    DELIVERED,
    DELIVERIES,
    IMDB_MOVIES_RATING,
    QUALITY_HISTORY,
)
from movie_platform.quality.presentation import harmless
from movie_platform.quality.ruleset_files import RulesetFile
from movie_platform.warehouse import FORCE, LoadResult, Warehouse
from movie_platform.warehouse.catalog import Catalog

GROUP = "quality_movies"
RAW = dg.AssetKey(SOURCE.raw_asset)
GOOD = dg.AssetKey("quality_movies_good")
BAD = dg.AssetKey("quality_movies_bad")
OUTCOMES = dg.AssetKey("quality_rule_outcomes")
HISTORY = dg.AssetKey("quality_history")
REPLAY = "movie_platform/replay"
"""A run with this tag releases what passes today's rules, and sets nothing aside."""


def judged_movies(days: dg.PartitionsDefinition, rules: RulesetFile, nulls: Nulls) -> dg.AssetsDefinition:
    """Judge, and write what is bad and why, in one step: whatever the rules say, that is written."""
    rule_checks, day_checks = checks.rule_checks(rules), checks.day_checks(rules)
    from_evaluated = {EVALUATED.to_user_string(): IMDB_MOVIES_RATING.unchanged}

    @dg.multi_asset(
        name="quality_movies_judged",
        specs=[
            _spec(
                days,
                EVALUATED,
                [RAW],
                "The day's records, each judged by every rule in use: good ones wait in `stage/quality_movies/`, those "
                "of a blocked delivery lie in `rejects/quality_movies/`.",
                {"parquet", "pandera"},
                **described(IMDB_MOVIES_RATING, in_warehouse=False, made_from={SOURCE.raw_asset: DELIVERED.unchanged}),
            ),
            _spec(
                days,
                BAD,
                [EVALUATED],
                "Records that break a rule or cannot be read, with source, record number and every rule that they "
                "pass, break and skip: `bad-records/quality_movies/<date>.parquet` and `.jsonl`.",
                {"parquet", "json"},
                **described(cataloguing.BAD, in_warehouse=False, made_from=from_evaluated),
            ),
            _spec(
                days,
                OUTCOMES,
                [EVALUATED],
                "How each rule came out, with its metrics and reason: `rule_outcome/<date>.json` and `.jsonl`.",
                {"json"},
                **described(cataloguing.OUTCOMES, in_warehouse=False, made_from={}),
            ),
        ],
        can_subset=True,
        partitions_def=days,
    )
    def quality_movies_judged(
        context: dg.AssetExecutionContext,
        bulk: ResourceParam[Bulk],
        raw_quality: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
        notifier: ResourceParam[Notifier],
        catalog: ResourceParam[Any],
    ) -> Iterator[Any]:
        day = context.partition_key
        try:
            in_use = RulesInUse.of(rules, nulls)
        except PlatformError as broken:
            if evaluation := rule_checks.broken():
                yield evaluation
            raise dg.Failure(str(broken), allow_retries=False) from broken
        with errors_for_dagster(context):
            judged = _judged(context, bulk, raw_quality, lake, in_use)
        if judged is None:
            context.log.info(f"{day}: nothing was delivered")
            return
        results = list(checks.results(rule_checks, judged))
        for made in lake_results(context, judged, lake, results):
            if made.asset_key in context.selected_asset_keys:
                yield made
        yield from day_checks.judged(context, lake, results)
        if catalog is not None:
            _register(context, catalog, raw_quality, lake)
        delivered = tell(notifier, lake, judged, in_use, context.run.run_id)
        (context.log.info if delivered.everywhere else context.log.error)(f"{day}: {delivered}")
        if judged.evaluation is None:
            observe_refusal(context, judged.record.reason, what_next=DELIVER_AGAIN)
            raise refused(f"{day} cannot be read: {judged.record.reason}")

    return quality_movies_judged


def _judged(
    context: dg.AssetExecutionContext, bulk: Bulk, raw: ObjectStore, lake: ObjectStore, rules: RulesInUse
) -> JudgedDay | None:
    """The day judged in this process, or by a driver of Spark where that is the engine and can judge by every rule."""
    from movie_platform.quality.parts import not_divisible

    day, replay = context.partition_key, REPLAY in context.run.tags
    reason = not_divisible(rules.ruleset) if bulk.engine == "spark" else ""
    if reason:
        context.log.warning(f"{day} is judged in the run's own process and not on Spark: {reason}")
    if reason or bulk.engine != "spark":
        return judge_day(raw, lake, day, rules, replay=replay)
    asked = parameters(raw, lake, day, rules, replay=replay)
    return judged_day(bulk.run(context, JOB, asked), rules)


def good_movies(days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="quality_movies_loaded",
        specs=[
            _spec(
                days,
                GOOD,
                [EVALUATED],
                "The newest day's good rows, in `movies.imdb_movies_rating`; those of every day lie beside it in "
                f"`{DELIVERIES.qualified_name}`. A blocked day loads nothing, and the version before it stays.",
                {"table"},
                **described(
                    IMDB_MOVIES_RATING,
                    in_warehouse=True,
                    made_from={EVALUATED.to_user_string(): IMDB_MOVIES_RATING.unchanged},
                ),
            )
        ],
        partitions_def=days,
    )
    def quality_movies_loaded(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        record = loading.judged(lake, context.partition_key)
        if not record.is_loaded:
            with errors_for_dagster(context):
                before = loading.load_good_before(warehouse, lake, record, run_id=context.run.run_id)
            if before and before.outcome == "loaded":
                context.log.info(f"{record.day}: version {before.version}, which its own run did not load, is loaded")
            kept = f"the version of {record.serves} stays loaded" if record.serves else "nothing is loaded for the day"
            message = f"{record.day} is {record.state}, {kept}: {record.reason}"
            observe_refusal(
                context, record.reason, served_meanwhile=record.serves or "nothing", what_next=DELIVER_AGAIN
            )
            raise refused(message, **form(served_meanwhile=record.serves or "nothing"))
        with errors_for_dagster(context):
            force = FORCE in context.run.tags
            result = loading.load_good(warehouse, lake, record, run_id=context.run.run_id, force=force)
        yield _materialized(context, GOOD, _load_metadata(result), record.good_digest, {EVALUATED: record.result_id})

    return quality_movies_loaded


def measured_movies(days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="quality_movies_measured",
        specs=[
            _spec(
                days,
                HISTORY,
                [EVALUATED],
                "What every evaluation measured, that of a blocked delivery included; dynamic rules and anomaly "
                "detection look back on it.",
                {"table"},
                **described(QUALITY_HISTORY, in_warehouse=True, made_from={}),
            )
        ],
        partitions_def=days,
    )
    def quality_movies_measured(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        record = loading.judged(lake, context.partition_key)
        if record.state == "unreadable":
            return
        with errors_for_dagster(context):
            result = loading.load_history(warehouse, lake, record, run_id=context.run.run_id)
        yield _materialized(context, HISTORY, _load_metadata(result), record.result_id, {EVALUATED: record.result_id})

    return quality_movies_measured


def lake_results(
    context: dg.AssetExecutionContext, judged: JudgedDay, lake: ObjectStore, results: list[dg.AssetCheckResult]
) -> Iterator[dg.MaterializeResult]:
    """What the day left in the lake, and how its checks came out."""
    record = judged.record
    if judged.evaluation is not None:
        where = rejects_key if record.state == "blocked" else staged_key
        kept = record.withheld or record.good
        yield _materialized(
            context,
            EVALUATED,
            {
                **table_metadata(rows=kept, uri=lake.uri_of(where(record.day)), part=True),
                **_evaluated(record),
                "records delivered": record.rows,
                "records that are bad": record.bad,
                "records withheld by a block": record.withheld,
                **form(
                    records_released_by_a_replay=record.released, observations="; ".join(judged.evaluation.observations)
                ),
            },
            record.result_id,
            {},
        )
        size = lake.info(bad_key(record.day))
        yield _materialized(
            context,
            BAD,
            table_metadata(
                rows=record.bad, uri=lake.uri_of(bad_key(record.day)), size=size.size if size else 0, part=True
            ),
            record.result_id,
            {EVALUATED: record.result_id},
        )
    yield _materialized(
        context,
        OUTCOMES,
        {
            **table_metadata(rows=record.rules, uri=lake.uri_of(outcomes_key(record.day)), part=True),
            **_evaluated(record),
            **broken_rules(results),
        },
        record.result_id,
        {EVALUATED: record.result_id},
    )


def _register(context: dg.AssetExecutionContext, catalog: Catalog, raw: ObjectStore, lake: ObjectStore) -> None:
    """A catalog that is away holds back no rows: the next day's run registers the same again."""
    try:
        cataloguing.register(catalog, raw, lake)
    except PlatformError:
        context.log.exception("The external tables are not registered; the next run registers the same again")


def _evaluated(record: DayRecord) -> dict[str, Any]:
    files = [
        dg.TableRecord({"file": harmless(key), "records": facts.records, "size (kB)": round(facts.size / 1000, 1)})
        for key, facts in record.files.items()
    ]
    return form(
        state=record.state,
        reason=record.reason,
        served_meanwhile=(record.serves or "nothing") if record.reason else "",
        rules_that_hold=f"{record.passed} of {record.rules}",
        score=record.score,
        ruleset=record.ruleset,
        files=dg.MetadataValue.table(files, _FILES) if files else None,
    )


_FILES = dg.TableSchema(
    [dg.TableColumn("file", "string"), dg.TableColumn("records", "int"), dg.TableColumn("size (kB)", "float")]
)


def _load_metadata(result: LoadResult) -> dict[str, Any]:
    return {"dagster/partition_row_count": result.rows, "table": result.table, **load_metadata(result)}


def _spec(
    days: dg.PartitionsDefinition,
    key: dg.AssetKey,
    after: list[dg.AssetKey],
    description: str,
    kinds: set[str],
    **metadata: Any,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=after,
        skippable=True,
        description=description,
        metadata=metadata,
        group_name=GROUP,
        owners=OWNERS,
        kinds=kinds,
        code_version=CODE_VERSION,
        partitions_def=days,
    )


def _materialized(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    metadata: dict[str, Any],
    version: str,
    made_from: dict[dg.AssetKey, str],
) -> dg.MaterializeResult:
    metadata = {**metadata, **columns_of(context, key)}
    tags = versions(version, CODE_VERSION, made_from)
    version = tags.pop("dagster/data_version")
    return dg.MaterializeResult(key, metadata=metadata, data_version=dg.DataVersion(version), tags=tags)
