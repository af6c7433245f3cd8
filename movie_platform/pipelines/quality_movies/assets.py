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
from movie_platform.orchestration.events import OWNERS, errors_for_dagster, load_metadata, refused, versions
from movie_platform.orchestration.table_metadata import described, table_metadata
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
from movie_platform.pipelines.quality_movies.tables import DELIVERIES, IMDB_MOVIES_RATING, QUALITY_HISTORY
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
                **described(IMDB_MOVIES_RATING, in_warehouse=False),
            ),
            _spec(
                days,
                BAD,
                [EVALUATED],
                "Records that break a rule or cannot be read, with source, record number and every rule that they "
                "pass, break and skip: `bad-records/quality_movies/<date>.parquet` and `.jsonl`.",
                {"parquet", "json"},
            ),
            _spec(
                days,
                OUTCOMES,
                [EVALUATED],
                "How each rule came out, with its metrics and reason: `rule_outcome/<date>.json` and `.jsonl`.",
                {"json"},
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
            in_use = _rules_for(bulk, RulesInUse.of(rules, nulls))
        except PlatformError as broken:
            if evaluation := rule_checks.broken():
                yield evaluation
            raise dg.Failure(str(broken), allow_retries=False) from broken
        with errors_for_dagster():
            judged = _judged(context, bulk, raw_quality, lake, in_use)
        if judged is None:
            context.log.info(f"{day}: nothing was delivered")
            return
        results = list(checks.results(rule_checks, judged))
        for made in lake_results(judged, lake, results):
            if made.asset_key in context.selected_asset_keys:
                yield made
        yield from day_checks.judged(context, lake, results)
        if catalog is not None:
            _register(context, catalog, raw_quality, lake)
        delivered = tell(notifier, lake, judged, in_use, context.run.run_id)
        (context.log.info if delivered.everywhere else context.log.error)(f"{day}: {delivered}")
        if judged.evaluation is None:
            raise refused(f"{day} cannot be read: {judged.record.reason}")

    return quality_movies_judged


def _rules_for(bulk: Bulk, rules: RulesInUse) -> RulesInUse:
    """The rules; raises PlatformError where the engine cannot judge by one of them."""
    if bulk.engine == "spark":
        from movie_platform.quality.parts import refuse_not_divisible

        refuse_not_divisible(rules.ruleset)
    return rules


def _judged(
    context: dg.AssetExecutionContext, bulk: Bulk, raw: ObjectStore, lake: ObjectStore, rules: RulesInUse
) -> JudgedDay | None:
    """The day judged in this process, or by a driver of Spark."""
    day, replay = context.partition_key, REPLAY in context.run.tags
    if bulk.engine != "spark":
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
                **described(IMDB_MOVIES_RATING, in_warehouse=True),
            )
        ],
        partitions_def=days,
    )
    def quality_movies_loaded(
        context: dg.AssetExecutionContext, lake: ResourceParam[ObjectStore], warehouse: ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        record = loading.judged(lake, context.partition_key)
        if not record.is_loaded:
            with errors_for_dagster():
                before = loading.load_good_before(warehouse, lake, record, run_id=context.run.run_id)
            if before and before.outcome == "loaded":
                context.log.info(f"{record.day}: version {before.version}, which its own run did not load, is loaded")
            kept = f"the version of {record.serves} stays loaded" if record.serves else "nothing is loaded for the day"
            raise refused(f"{record.day} is {record.state}, {kept}: {record.reason}", serves=record.serves or "nothing")
        with errors_for_dagster():
            force = FORCE in context.run.tags
            result = loading.load_good(warehouse, lake, record, run_id=context.run.run_id, force=force)
        yield _materialized(GOOD, _load_metadata(result), record.good_digest, {EVALUATED: record.result_id})

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
                **described(QUALITY_HISTORY, in_warehouse=True),
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
        with errors_for_dagster():
            result = loading.load_history(warehouse, lake, record, run_id=context.run.run_id)
        yield _materialized(HISTORY, _load_metadata(result), record.result_id, {EVALUATED: record.result_id})

    return quality_movies_measured


def lake_results(
    judged: JudgedDay, lake: ObjectStore, results: list[dg.AssetCheckResult]
) -> Iterator[dg.MaterializeResult]:
    """What the day left in the lake, and how its checks came out."""
    record = judged.record
    if judged.evaluation is not None:
        where = rejects_key if record.state == "blocked" else staged_key
        kept = record.withheld or record.good
        yield _materialized(
            EVALUATED,
            {
                **table_metadata(rows=kept, uri=lake.uri_of(where(record.day)), part=True),
                **_evaluated(record),
                "delivered": record.rows,
                "bad": record.bad,
                "withheld": record.withheld,
                "released": record.released,
                "observations": list(judged.evaluation.observations),
            },
            record.result_id,
            {},
        )
        size = lake.info(bad_key(record.day))
        yield _materialized(
            BAD,
            table_metadata(
                rows=record.bad, uri=lake.uri_of(bad_key(record.day)), size=size.size if size else 0, part=True
            ),
            record.result_id,
            {EVALUATED: record.result_id},
        )
    yield _materialized(
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
    metadata: dict[str, Any] = {
        "ruleset": record.ruleset,
        "state": record.state,
        "score": record.score,
        "rules_passed": f"{record.passed} of {record.rules}",
        "files": {key: {"records": facts.records, "bytes": facts.size} for key, facts in record.files.items()},
    }
    if record.reason:
        metadata["reason"] = record.reason
        metadata["serves"] = record.serves or "nothing"
    return metadata


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
    key: dg.AssetKey, metadata: dict[str, Any], version: str, made_from: dict[dg.AssetKey, str]
) -> dg.MaterializeResult:
    tags = versions(version, CODE_VERSION, made_from)
    version = tags.pop("dagster/data_version")
    return dg.MaterializeResult(key, metadata=metadata, data_version=dg.DataVersion(version), tags=tags)
