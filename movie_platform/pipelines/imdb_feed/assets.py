"""The feed's assets: what was delivered, what was archived, what is clean, and what the warehouse serves."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import ResourceParam

from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.orchestration.corrections import of_newest
from movie_platform.orchestration.events import OWNERS, PLATFORM_FAULT, UNREACHABLE, load_metadata, versions
from movie_platform.orchestration.table_metadata import columns_of, described, form, table_metadata
from movie_platform.pipelines.imdb_feed import checks, processing, refusals
from movie_platform.pipelines.imdb_feed.arrivals import RANGE_AT_MOST
from movie_platform.pipelines.imdb_feed.checks import ARCHIVE, CLEAN
from movie_platform.pipelines.imdb_feed.deliveries import MAX_BYTES
from movie_platform.pipelines.imdb_feed.loading import load
from movie_platform.pipelines.imdb_feed.processing import CODE_VERSION, Outcome, Provenance
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.tables import DELIVERED, IMDB_CLEAN, IMDB_MOVIES, MADE_OF
from movie_platform.progress import Progress
from movie_platform.warehouse import FORCE, LoadResult, Warehouse
from movie_platform.warehouse.catalog import Catalog

GROUP = "imdb_feed"
RAW = dg.AssetKey(SOURCE.raw_asset)
MOVIES = dg.AssetKey("imdb_movies")
IN_WAREHOUSE, IN_CATALOG = "in_warehouse", "in_catalog"
"""What a window breaks that is processed and could not be loaded."""


def feed_assets(
    windows: dg.PartitionsDefinition,
    shown: dg.PartitionsDefinition,
    lookback: timedelta,
    max_bytes: int = MAX_BYTES,
) -> dg.AssetsDefinition:
    """Archive, clean and load in one step, so that a bad window never holds back another one of its run.

    The windows are those that this process can run, of which the UI may show only the newest.

    Its checks have a step of their own, `feed_checks`, which a run does not need: the step that made the windows says
    how the feed stands after them. Dagster plans each check of a run once per window of it, and keeps that for ever.
    """

    def spec(key: dg.AssetKey, after: dg.AssetKey, description: str, kinds: set[str], **metadata: Any) -> dg.AssetSpec:
        return dg.AssetSpec(
            key,
            deps=[after],
            skippable=True,
            description=description,
            metadata=metadata,
            group_name=GROUP,
            owners=OWNERS,
            kinds=kinds,
            code_version=CODE_VERSION,
            partitions_def=windows,
        )

    @dg.multi_asset(
        name="imdb_feed",
        specs=[
            spec(
                ARCHIVE,
                RAW,
                "The triplet, byte for byte, of every window that verified: `archive/<window>/`.",
                {"csv"},
                **described(DELIVERED, in_warehouse=False, made_from={SOURCE.raw_asset: DELIVERED.unchanged}),
            ),
            spec(
                CLEAN,
                ARCHIVE,
                "Movies joined with their directors, typed, one row per movie and director: "
                "`clean_files/<window>.parquet`, and the same in `partitioned/filetime=<window>/`. Rejected records "
                "lie in `rejects/imdb_feed/`, those that break a row rule in `bad-records/imdb_feed/`.",
                {"parquet", "pandera"},
                **described(IMDB_CLEAN, in_warehouse=False, made_from={"imdb_archive": MADE_OF}),
            ),
            spec(
                MOVIES,
                CLEAN,
                "Every movie as the highest window that it appears in delivered it. `imdb_movie_windows` beside it "
                "holds the rows of every window.",
                {"table"},
                **described(IMDB_MOVIES, in_warehouse=True, made_from={"imdb_clean": IMDB_CLEAN.unchanged}),
            ),
        ],
        can_subset=True,
        partitions_def=windows,
        backfill_policy=dg.BackfillPolicy.multi_run(RANGE_AT_MOST),
    )
    def imdb_feed(
        context: dg.AssetExecutionContext,
        raw_feed: ResourceParam[ObjectStore],
        lake: ResourceParam[ObjectStore],
        warehouse: ResourceParam[Warehouse],
        catalog: ResourceParam[Any],
        progress: ResourceParam[Progress],
    ) -> Iterator[Any]:
        selected = context.selected_asset_keys
        keys = list(context.partition_keys)
        _rebuild_log(context, lake)  # a run that was killed may have left it behind its markers
        if ARCHIVE in selected:
            only_archive = CLEAN not in selected
            work = processing.process_all(raw_feed, lake, keys, until_archive=only_archive, max_bytes=max_bytes)
        elif CLEAN in selected:
            work = processing.clean_all_again(lake, keys)
        else:
            work = (Outcome(window, provenance=processing.provenance_of(lake, window)) for window in keys)
        outcomes = list(progress.track(work, len(keys), "windows"))
        newest = {
            ARCHIVE: max((of.window for of in outcomes if of.provenance and of.rules), default=""),
            CLEAN: max((of.window for of in outcomes if of.provenance and of.clean), default=""),
        }
        _record(context, lake, progress.track(outcomes, len(outcomes), "records of windows"), newest)
        not_loaded = _loaded(context, lake, warehouse, outcomes) if MOVIES in selected else []
        not_listed = _registered(catalog, lake, outcomes)
        refused = [*(outcome.refusal for outcome in outcomes if outcome.refusal), *not_loaded, *not_listed]
        _rebuild_log(context, lake)
        yield from _evaluated(context, lake, lookback)
        if len(keys) > 1:
            _work_out_statuses(context, shown)
        postponed = {outcome.window: outcome.postponed for outcome in outcomes if outcome.postponed}
        refused = list({refusal.window: refusal for refusal in refused}.values())
        _fail_where_refused(context, refused, len(keys), postponed)

    return imdb_feed


def _rebuild_log(context: dg.AssetExecutionContext, lake: ObjectStore) -> None:
    """A lake that takes no log holds back no window."""
    try:
        refusals.rebuild_log(lake)
    except PlatformError:
        context.log.exception(f"{refusals.LOG} could not be written; the next run writes it")


def _record(
    context: dg.AssetExecutionContext, lake: ObjectStore, outcomes: Iterable[Outcome], newest: Mapping[dg.AssetKey, str]
) -> None:
    """What each window left in the lake.

    Only the newest window of each asset names its columns, which take as many bytes as all the rest of the event.
    """
    for outcome in outcomes:
        for event in lake_events(outcome, lake):
            if event.asset_key not in context.selected_asset_keys:
                continue
            if event.partition == newest[event.asset_key]:
                event = event.with_metadata({**event.metadata, **columns_of(context, event.asset_key)})
            context.log_event(event)
        if outcome.provenance is None and outcome.refusal is None and not outcome.postponed:
            context.log.info(f"{outcome.window}: nothing is there to be processed")


def _evaluated(
    context: dg.AssetExecutionContext, lake: ObjectStore, lookback: timedelta
) -> Iterator[dg.AssetCheckEvaluation]:
    """How the feed stands after this run. Where the lake cannot say it now, the sensor's next tick does."""
    try:
        found = checks.evaluations(lake, lookback)
    except PlatformError:
        context.log.exception("How the feed stands cannot be read; the sensor evaluates the checks")
        return
    yield from of_newest(context.instance, (of for of in found if of.asset_key in context.selected_asset_keys))


def _work_out_statuses(context: dg.AssetExecutionContext, windows: dg.PartitionsDefinition) -> None:
    """Let Dagster work out and keep now which windows are there: the next page that shows them would wait for it.

    It is 0.1 ms a window that is new since then, so 5 s for each asset after a year of windows.
    """
    for asset in sorted({RAW, *context.selected_asset_keys}):
        context.instance.get_status_by_partition(asset, [], windows)


def feed_checks(lookback: timedelta) -> dg.AssetChecksDefinition:
    """The checks by themselves, as the lake says now."""

    @dg.multi_asset_check(
        name="imdb_feed_checks", specs=[*checks.archive_checks(), *checks.clean_checks()], can_subset=True
    )
    def imdb_feed_checks(context: dg.AssetCheckExecutionContext, lake: ResourceParam[ObjectStore]) -> Iterator[Any]:
        asked = context.selected_asset_check_keys
        found = (of for of in checks.evaluations(lake, lookback) if of.asset_check_key in asked)
        yield from of_newest(context.instance, found)
        for check in sorted(asked):
            yield dg.Output(None, f"{check.asset_key.to_python_identifier()}_{check.name}")

    return imdb_feed_checks


def _loaded(
    context: dg.AssetExecutionContext, lake: ObjectStore, warehouse: Warehouse, outcomes: list[Outcome]
) -> list[Refusal]:
    """Load what is processed; a window that is not loaded is listed as refused, and so tried again within the hour.

    What a refused window serves is loaded too: its own run may not have got that far before the refused delivery came.
    """
    made = {outcome.window: outcome.provenance for outcome in outcomes if outcome.provenance}
    refused = {outcome.window: outcome.refusal for outcome in outcomes if outcome.refusal}
    cleared = {outcome.window: outcome.cleared for outcome in outcomes}
    for window, refusal in refused.items():
        if refusal.serves and (served := processing.provenance_of(lake, window)):
            made[window] = served
    loads = load(warehouse, lake, list(made.values()), run_id=context.run.run_id, force=FORCE in context.run.tags)
    events: list[dg.AssetMaterialization] = []
    for result in loads.results:
        if result.partition in refused and result.outcome != "loaded":
            continue
        if result.outcome == "refused":  # another run archived a newer delivery, and loads it
            continue
        provenance = made[result.partition]
        events.append(load_event(result, provenance.digest, provenance.clean_rows))
        if CLEAN not in context.selected_asset_keys:
            refusals.clear_where(lake, result.partition, rule=IN_WAREHOUSE)
    for event in events[:-1]:
        context.log_event(event)
    for newest in events[-1:]:
        context.log_event(newest.with_metadata({**newest.metadata, **columns_of(context, MOVIES)}))
    not_loaded = []
    for failed, reason in loads.failed:
        reason = f"rows are in the lake and not in the warehouse: {reason}"
        if earlier := refused.get(failed.window):
            rules = (*earlier.rules, IN_WAREHOUSE)
            reason = f"{earlier.reason}; the served version's {reason}"
            refusal = replace(earlier, reason=reason, rules=rules, transient=True)
            _put(context, lake, refusal)
        else:
            refusal = _transient(lake, failed, f"its {reason}", IN_WAREHOUSE, cleared[failed.window])
        not_loaded.append(refusal)
    return not_loaded


def _put(context: dg.AssetExecutionContext, lake: ObjectStore, refusal: Refusal) -> None:
    """A lake that takes no marker holds back no other window: what is not loaded is found by the ledger."""
    try:
        refusals.put(lake, refusal)
    except PlatformError:
        context.log.exception(f"{refusal.window}: its refusal could not be written")


def _registered(catalog: Catalog | None, lake: ObjectStore, outcomes: list[Outcome]) -> list[Refusal]:
    """Make the clean windows known to Athena and Redshift Spectrum, where a catalog is set."""
    made = {o.window: o.provenance for o in outcomes if o.clean and o.provenance}
    if catalog is None or not made:
        return []
    folders = {window: processing.partitioned_key(window).rpartition("/")[0] + "/" for window in made}
    try:
        catalog.register(IMDB_CLEAN, folders, partition_key="filetime")
    except WorldUnavailable as error:
        return [
            _transient(lake, provenance, f"it is in the lake and not in the catalog: {error}", IN_CATALOG, None)
            for provenance in made.values()
        ]
    return []


def _transient(lake: ObjectStore, provenance: Provenance, reason: str, rule: str, earlier: Refusal | None) -> Refusal:
    """List a processed window as one that still owes something, so that it is tried again within the hour."""
    files = {name: facts.etag for name, facts in provenance.files.items()}
    return processing.refuse(
        lake, provenance.window, reason, rules=(rule,), transient=True, files=files, earlier=earlier
    )


_LEFT_OUT = ("rejected", "quarantined")
"""What is counted in the metadata of a clean window where there is any."""


def lake_events(outcome: Outcome, lake: ObjectStore) -> Iterator[dg.AssetMaterialization]:
    """What a window left in the lake.

    An event below 1.8 KB is half a page of SQLite, and takes a whole one where it is longer. So it says what is this
    window's own: the files' digests are in its manifest, the account of its rows in its receipt.
    """
    provenance, clean = outcome.provenance, outcome.clean
    if provenance is None:
        return
    version = provenance.digest[:16]
    if outcome.rules:
        metadata: dict[str, Any] = {
            "dagster/partition_row_count": sum(facts.rows for facts in provenance.files.values()),
            "rules that hold": ", ".join(judged.rule for judged in outcome.rules if judged.passed),
            **form(files_with_a_byte_order_mark=", ".join(outcome.with_bom)),
        }
        tags = versions(version, CODE_VERSION, {RAW: provenance.fingerprint})
        yield dg.AssetMaterialization(ARCHIVE, partition=outcome.window, metadata=metadata, tags=tags)
    if clean:
        uri = lake.uri_of(processing.clean_key(outcome.window))
        metadata = table_metadata(rows=clean.rows, uri=uri, part=True)
        metadata |= {f"records {fate}": count for fate in _LEFT_OUT if (count := getattr(clean, fate))}
        metadata |= form(records_that_break_a_row_rule=dict(clean.summary.broken_rules))
        tags = versions(version, CODE_VERSION, {ARCHIVE: version})
        yield dg.AssetMaterialization(CLEAN, partition=outcome.window, metadata=metadata, tags=tags)


def load_event(result: LoadResult, digest: str, rows: int) -> dg.AssetMaterialization:
    """A window's rows in the warehouse: loaded now, or there already for the reason given."""
    metadata = load_metadata(result)
    metadata.pop("version")  # it is in the ledger
    if result.outcome != "refused":
        metadata["dagster/partition_row_count"] = rows
    tags = versions(digest[:16], CODE_VERSION, {CLEAN: digest[:16]})
    return dg.AssetMaterialization(MOVIES, partition=result.partition, metadata=metadata, tags=tags)


_LACKING: dict[tuple[str, ...], Set[dg.AssetKey]] = {(IN_WAREHOUSE,): {MOVIES}, (IN_CATALOG,): {CLEAN}}
"""The assets that lack a window which is processed and not loaded or listed; any other refused one all of them lack."""


def _observe(context: dg.AssetExecutionContext, refusal: Refusal) -> None:
    """Say on the window's page of every asset that lacks it why it does: the UI shows nothing else of it there."""
    lacking = _LACKING.get(refusal.rules, context.selected_asset_keys)
    metadata = form(
        **refusals.place_of(refusal.reason),
        reason=refusal.reason,
        attempts=refusal.attempts,
        served_meanwhile=refusal.serves or "nothing",
        what_next=refusal.what_next,
    )
    for asset in sorted(lacking):
        observed = dg.AssetObservation(asset, partition=refusal.window, description=refusal.reason, metadata=metadata)
        context.log_event(observed)


def _fail_where_refused(
    context: dg.AssetExecutionContext, refused: list[Refusal], windows: int, postponed: Mapping[str, str]
) -> None:
    """A run that leaves a window unprocessed is a failed run: the good windows stay, the others show as failed."""
    for refusal in refused:
        context.log.error(f"{refusal.window} is refused: {refusal.reason}. What next: {refusal.what_next}")
        _observe(context, refusal)
    messages = []
    if refused:
        first = refused[0]
        messages.append(
            f"{len(refused)} of {windows} windows are refused, {first.window} because {first.reason}. What next: "
            f"{first.what_next}"
        )
    if postponed:
        messages.append(
            f"{len(postponed)} of {windows} windows are left for later and not refused, from {min(postponed)} on: "
            f"{postponed[min(postponed)]}. The hourly reconciliation asks for them again"
        )
        context.log.error(messages[-1])
    if messages:
        raise dg.Failure(
            "; ".join(messages),
            metadata={
                **form(refused={refusal.window: refusal.reason for refusal in refused}, postponed=dict(postponed)),
                PLATFORM_FAULT: bool(postponed) or any(refusal.transient for refusal in refused),
                UNREACHABLE: bool(postponed),
            },
            allow_retries=False,
        )
