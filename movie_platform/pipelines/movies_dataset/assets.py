"""The data set's assets: the zip, its eight tables in lake and warehouse, and the nine answers."""

import base64
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster import ResourceParam

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.bulk import Bulk
from movie_platform.orchestration.day_checks import broken_rules
from movie_platform.orchestration.events import OWNERS, errors_for_dagster, load_metadata
from movie_platform.orchestration.ruleset_checks import RulesetChecks
from movie_platform.orchestration.table_metadata import (
    MadeFrom,
    answer_schema,
    column_lineage,
    columns_of,
    described,
    table_metadata,
)
from movie_platform.pipelines.movies_dataset import cataloguing
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS, Question, answer, movies_without_year
from movie_platform.pipelines.movies_dataset.charts import chart_png
from movie_platform.pipelines.movies_dataset.checks import day_checks, ruleset_checks, table_results
from movie_platform.pipelines.movies_dataset.loading import load
from movie_platform.pipelines.movies_dataset.publication import (
    CODE_VERSION,
    JOB,
    OUTPUT,
    Publication,
)
from movie_platform.pipelines.movies_dataset.ruleset_evaluation import judge, ruleset_files
from movie_platform.pipelines.movies_dataset.source import SOURCE
from movie_platform.pipelines.movies_dataset.tables import FILES, LINEAGE, MOVIES_AGGREGATED, TABLES
from movie_platform.settings import Settings
from movie_platform.table import Table
from movie_platform.warehouse import FORCE, Warehouse
from movie_platform.warehouse.catalog import Catalog

GROUP = "movies_dataset"
ANSWERS_GROUP = "movie_answers"
ZIP = dg.AssetKey(SOURCE.raw_asset)
TABLE_KEYS = tuple(dg.AssetKey(table.name) for table in TABLES)
ANSWER_KEYS = tuple(dg.AssetKey(question.view) for question in QUESTIONS)
_SAMPLE = 12
_COMES_FROM = {"movies_aggregated": "movies_master", "cast_master": "credits_master", "crew_master": "credits_master"}


def dataset_tables(days: dg.PartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """All eight tables in one step: the zip is read once."""
    rules = ruleset_checks(ruleset_files())
    checks = day_checks(rules)

    @dg.multi_asset(
        name="movies_dataset_tables",
        specs=[_table_spec(table, days) for table in TABLES],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
    )
    def movies_dataset_tables(
        context: dg.AssetExecutionContext,
        raw_dataset: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
        warehouse: ResourceParam[Warehouse],
        bulk: ResourceParam[Bulk],
        catalog: ResourceParam[Any],
    ) -> Iterator[Any]:
        published = _publish(context, bulk, raw_dataset, lake, settings)
        with ThreadPoolExecutor(1, thread_name_prefix="load") as beside:
            force = FORCE in context.run.tags
            loading = beside.submit(load, warehouse, lake, published, run_id=context.run.run_id, force=force)
            judged = [result for name, of in rules.items() for result in _judged(of, published, lake, name)]
            try:
                with errors_for_dagster(context):
                    loads, failure = loading.result(), None
            except (dg.Failure, dg.RetryRequested) as error:
                loads, failure = {}, error
        if catalog is not None and loads and all(result.outcome != "refused" for result in loads.values()):
            _register(context, catalog, lake, published)
        results = [*table_results(published), *judged]
        for table in TABLES:
            if parts := published.tables.get(table.name):
                metadata = {
                    **table_metadata(
                        rows=sum(part.rows for part in parts),
                        uri=lake.uri_of(f"{OUTPUT}{published.day}/{table.name}.parquet"),
                        size=sum(part.bytes for part in parts),
                        part=True,
                    ),
                    **columns_of(context, dg.AssetKey(table.name)),
                    **(load_metadata(loads[table.name]) if loads else {}),
                    **broken_rules(of for of in results if of.asset_key == dg.AssetKey(table.name)),
                }
                yield dg.MaterializeResult(table.name, metadata=metadata)
        yield from checks.judged(context, lake, results)
        if failure:
            raise failure

    return movies_dataset_tables


def _register(context: dg.AssetExecutionContext, catalog: Catalog, lake: ObjectStore, published: Publication) -> None:
    """A catalog that is away holds back no rows: the next delivery's run registers its own."""
    try:
        cataloguing.register(catalog, lake, published)
    except PlatformError:
        context.log.exception("The external tables stay at the delivery before; run the day again to move them")


def dataset_answers() -> dg.AssetsDefinition:
    """The nine answers, as they are after the newest load."""

    @dg.multi_asset(
        name="movie_answers",
        specs=[
            dg.AssetSpec(
                question.view,
                deps=[MOVIES_AGGREGATED.name],
                description=f"{question.asks} A movie counts once per group, however many genres and companies it has; "
                "movies without a year are left out.",
                metadata={"dagster/table_name": f"main.{question.view}"},
                group_name=ANSWERS_GROUP,
                owners=OWNERS,
                kinds={"sql", "view"},
                code_version=CODE_VERSION,
            )
            for question in QUESTIONS
        ],
    )
    def movie_answers(warehouse: ResourceParam[Warehouse]) -> Iterator[dg.MaterializeResult]:
        undated = movies_without_year(warehouse)
        for question in QUESTIONS:
            rows = answer(warehouse, question)
            yield dg.MaterializeResult(question.view, metadata=_answer_metadata(question, rows, undated))

    return movie_answers


def _table_spec(table: Table, days: dg.PartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=[_COMES_FROM.get(table.name, ZIP.to_user_string())],
        skippable=True,
        description=f"{table.description} In the lake below `movie_data_output/<day>/`; the warehouse has the newest "
        "delivery. What could not be loaded is in `rejects/movies_dataset/<day>/`.",
        metadata=described(table, in_warehouse=True, made_from=_made_from(table)),
        group_name=GROUP,
        owners=OWNERS,
        kinds={"parquet", "table"},
        code_version=CODE_VERSION,
        partitions_def=days,
    )


def _publish(
    context: dg.AssetExecutionContext, bulk: Bulk, raw: ObjectStore, lake: ObjectStore, settings: Settings
) -> Publication:
    parameters = {
        "raw": raw.uri,
        "lake": lake.uri,
        "day": context.partition_key,
        "max_bytes": settings.dataset_max_bytes,
        "max_ratio": settings.dataset_max_ratio,
        "formats": list(settings.dataset_formats),
    }
    with errors_for_dagster(context):
        return Publication.parse(bulk.run(context, JOB, parameters))


def _judged(
    checks: RulesetChecks, published: Publication, lake: ObjectStore, name: str
) -> Iterator[dg.AssetCheckResult]:
    parts = published.tables.get(name)
    if broken := checks.broken():
        yield dg.AssetCheckResult(
            asset_key=broken.asset_key,
            check_name=broken.check_name,
            passed=False,
            description=broken.description,
            metadata=broken.metadata,
        )
    elif parts is not None:
        try:
            evaluation = judge(lake, parts, checks.file)
        except PlatformError:  # the load goes on; its checks say what they said of the day before
            logging.getLogger(__name__).exception("%s could not be judged by its rules", name)
        else:
            yield from checks.results(evaluation)


def _made_from(table: Table) -> MadeFrom:
    """The columns of another table, or of a file of the zip."""
    if upstream := _COMES_FROM.get(table.name):
        return {upstream: LINEAGE[table.name]}
    file = next(file.name for file in FILES if table in file.tables)
    named = {name: [f"{file}: {column}" for column in columns] for name, columns in LINEAGE[table.name].items()}
    return {SOURCE.raw_asset: named}


def _answer_metadata(question: Question, rows: pa.Table, undated: int) -> dict[str, Any]:
    picture = base64.b64encode(chart_png(question, rows)).decode()
    largest = rows.sort_by([(question.measure, "descending")]).slice(0, _SAMPLE).to_pylist()
    sample = [dg.TableRecord({name: "" if value is None else value for name, value in row.items()}) for row in largest]
    schema = answer_schema(rows, {name: column.says for name, column in question.columns.items()})
    made_from = {MOVIES_AGGREGATED.name: {name: column.of for name, column in question.columns.items()}}
    return {
        "dagster/row_count": rows.num_rows,
        "chart": dg.MetadataValue.md(f"![{question.asks}](data:image/png;base64,{picture})"),
        "the largest": dg.MetadataValue.table(sample, schema),
        "dagster/column_schema": schema,
        "dagster/column_lineage": column_lineage(question.columns, made_from),
        "movies without a year, left out": undated,
    }
