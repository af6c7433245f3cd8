"""The platform over a folder of its own: what the glue's tests deliver to, run and ask."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetKey, DagsterInstance
from dagster._core.loader import LoadingContextForTest  # what the UI shows is decided by Dagster's own code

from movie_platform.definitions import build_defs
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.runs import RunOutcome, run_partitions
from movie_platform.pipelines.imdb_feed.checks import KEYS
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.settings import load_settings
from movie_platform.warehouse import LedgerRow, open_warehouse
from movie_platform_tests.pipelines.imdb_feed.triplets import W

ALL = ("imdb_archive", "imdb_clean", "imdb_movies")


class Platform:
    """Raw side, lake, warehouse and Dagster's instance, each fresh."""

    def __init__(self, folder: Path, *, raw: str | None = None, lake: str | None = None, **settings: Any) -> None:
        self.folder = folder
        self.settings = load_settings(
            raw_uri=raw or (folder / "raw").as_uri(),
            lake_uri=lake or (folder / "lake").as_uri(),
            warehouse=f"duckdb:///{folder}/warehouse.duckdb",
            dagster_home=folder / "dagster",
            **{"feed_start": W, "warehouse_wait": "0.2", **settings},
        )
        self.raw, self.lake = open_store(self.settings.raw_uri), open_store(self.settings.lake_uri)
        self.warehouse = open_warehouse(self.settings)
        self.definitions = build_defs(self.settings)
        self.instance = DagsterInstance.ephemeral()

    def run(self, *windows: str, assets: Sequence[str] = ALL) -> RunOutcome:
        return run_partitions(self.definitions, assets, windows, self.instance)

    def tick(self, cursor: str | None = None, *, raw: ObjectStore | None = None) -> Any:
        """One tick of the sensor: what the daemon is given to launch, report and remember."""
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources={"raw_feed": raw or self.raw, "lake": self.lake},
        ) as context:
            return repository.get_sensor_def("imdb_feed_arrivals").evaluate_tick(context)

    def statuses(self, asset: str, *windows: str) -> dict[str, set[str]]:
        """What the UI's partition bar shows of the windows, by status."""
        status = self.instance.get_status_by_partition(
            AssetKey(asset), windows, self.definitions.resolve_assets_def(asset).partitions_def
        )
        found: dict[str, set[str]] = {}
        for window, of in (status or {}).items():
            if of is not None:
                found.setdefault(of.value, set()).add(window)
        return found

    def evaluations(self) -> dict[str, dg.AssetCheckEvaluation | None]:
        """What the UI's badges say of each check: its last evaluation, or None where the UI shows none."""
        storage = self.instance.event_log_storage
        records = storage.get_latest_asset_check_execution_by_key(KEYS)
        found: dict[str, dg.AssetCheckEvaluation | None] = {}
        for key, record in records.items():
            current = record.targets_latest_materialization(LoadingContextForTest(self.instance))
            is_evaluated = isinstance(record.evaluation, dg.AssetCheckEvaluation)
            found[key.name] = record.evaluation if asyncio.run(current) and is_evaluated else None
        return found

    def shown(self) -> dict[str, bool | None]:
        return {name: of and of.passed for name, of in self.evaluations().items()}

    def observations(self, asset: str, window: str) -> list[str]:
        """What was observed of the window, newest first."""
        return [observed.description or "" for observed in self.observed(asset, window)]

    def observed(self, asset: str, window: str) -> list[dg.AssetObservation]:
        filter_ = dg.AssetRecordsFilter(AssetKey(asset), asset_partitions=[window])
        records = self.instance.fetch_observations(filter_, limit=50).records
        return [r.asset_observation for r in records if r.asset_observation]

    def materializations(self, asset: str, window: str) -> list[Mapping[str, Any]]:
        """Metadata of the window's materializations, newest first."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(AssetKey(asset), asset_partitions=[window]), limit=50
        ).records
        return [
            {k: v.value for k, v in r.asset_materialization.metadata.items()}
            for r in records
            if r.asset_materialization
        ]

    def ledger(self) -> list[LedgerRow]:
        return self.warehouse.ledger(IMDB_MOVIE_WINDOWS)

    def titles(self, table: str = "imdb_movies") -> list[tuple[str, int, str]]:
        found = self.warehouse.query(f'SELECT "window", movie_id, title FROM {table} ORDER BY ALL')
        return [(row["window"], row["movie_id"], row["title"]) for row in found.to_pylist()]
