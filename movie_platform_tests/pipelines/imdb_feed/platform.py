"""The platform over a folder of its own: what the glue's tests deliver to, run and ask."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetKey, DagsterEventType, DagsterInstance

from movie_platform.definitions import build_defs
from movie_platform.lake import ObjectStore, open_store
from movie_platform.orchestration.runs import RunOutcome, run_partitions
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
            feed_start=W,
            **{"warehouse_wait": "0.2", **settings},
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

    def evaluations(self, window: str) -> dict[str, tuple[bool, str]]:
        """The window's last evaluation of each check: whether it passed, and why not."""
        found: dict[str, tuple[bool, str]] = {}
        kinds = {DagsterEventType.ASSET_CHECK_EVALUATION}
        for asset in ALL:
            for run in self.instance.get_runs():
                for entry in reversed(self.instance.all_logs(run.run_id, of_type=kinds)):
                    event = entry.get_dagster_event().asset_check_evaluation_data
                    if event.partition == window and event.asset_key == AssetKey(asset):
                        found.setdefault(event.check_name, (event.passed, event.description or ""))
        return found

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
