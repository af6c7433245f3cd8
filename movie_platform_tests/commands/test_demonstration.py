"""The demonstration, as a new user sees it."""

import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from movie_platform.commands import demonstration
from movie_platform.definitions import build_defs
from movie_platform.orchestration.runs import instance
from movie_platform.orchestration.table_metadata import LINEAGE, SCHEMA
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift
from movie_platform.settings import load_settings
from movie_platform.warehouse import open_warehouse

SMALL = {"FEED_WINDOWS": 22, "QUALITY_DAYS": 2, "DATASET_SCALE": 0.001, "BEHAVIOR_DAYS": 2}
"""Enough for each pipeline to run, to refuse and to set aside something."""


def test_the_demonstration_runs_every_pipeline_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(
        raw_uri=(tmp_path / "raw").as_uri(),
        lake_uri=(tmp_path / "lake").as_uri(),
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
        dagster_home=tmp_path / "dagster",
    )
    for name, size in SMALL.items():
        monkeypatch.setattr(demonstration, name, size)
    shown, loaded, now = [], [], datetime.now(UTC)
    for _ in range(2):
        console = Console(file=io.StringIO(), record=True, width=160)
        monkeypatch.setattr(demonstration, "out", console)
        assert demonstration.demonstrate(settings, now)
        shown.append(console.export_text())
        loaded.append([row for row in open_warehouse(settings).ledger() if row.outcome == "loaded"])
    for text in shown:
        assert "main.imdb_movies" in text
        assert "three_files" in text
        assert "make dev" in text
        assert all(title in text for title in ("IMDB feed", "Quality movies", "The Movies Dataset", "User behavior"))
    assert_it_ends_now_and_every_run_has_a_job(tmp_path, now)
    assert_every_materialization_names_its_columns_and_reads_like_a_form(tmp_path)
    assert rows_shown(shown[0])
    assert rows_shown(shown[0]) == rows_shown(shown[1])
    assert loaded[0] == loaded[1]


def assert_it_ends_now_and_every_run_has_a_job(folder: Path, now: datetime) -> None:
    starts = dict(line.split("=") for line in (folder / demonstration.STARTS_FILE).read_text().splitlines())
    assert starts["MOVIE_PLATFORM_FEED_START"] == shift(key_of(now), -LENGTH * (SMALL["FEED_WINDOWS"] - 1))
    assert starts["MOVIE_PLATFORM_DATASET_START"] == now.date().isoformat()
    with instance(folder / "dagster") as on:
        runs = on.get_runs()
        assert {run.job_name for run in runs} == {
            "imdb_feed_job",
            "movies_dataset_job",
            "quality_movies_job",
            "user_behavior_job",
            "platform_report_job",
        }
        archived = on.get_materialized_partitions(dg.AssetKey("imdb_archive"))
    assert max(archived) == key_of(now)


def assert_every_materialization_names_its_columns_and_reads_like_a_form(folder: Path) -> None:
    settings = load_settings(warehouse=f"duckdb:///{folder}/warehouse.duckdb")
    wrong, without_an_event = [], []
    with instance(folder / "dagster") as on:
        for spec in build_defs(settings).resolve_all_asset_specs():
            name, record = spec.key.to_user_string(), on.fetch_materializations(spec.key, limit=1).records
            events = [of.asset_materialization for of in record]
            events += [of.asset_observation for of in on.fetch_observations(spec.key, limit=1).records]
            if not events:
                without_an_event.append(name)
            for event in events:
                wrong += [f"{name}: {label} = {value}" for label, value in unreadable(event.metadata)]
            if record and spec.group_name != "report":
                wanted = {SCHEMA} if spec.tags["layer"] == "delivered" else {SCHEMA, LINEAGE}
                wrong += [f"{name}: no {label}" for label in wanted - events[0].metadata.keys()]
    assert without_an_event == []
    assert wrong == []


def unreadable(metadata: Mapping[str, dg.MetadataValue]) -> Iterator[tuple[str, object]]:
    """Entries whose name is that of a variable, that hold nothing, or a hash."""
    for label, value in metadata.items():
        written = str(value.value)
        if label.startswith("dagster/"):
            continue
        if "_" in label or written in ("", "[]", "{}", "None") or re.search(r"[0-9a-f]{40}", written):
            yield label, written


def rows_shown(text: str) -> list[str]:
    """The lines of data tables; the ledger also notes that a later look confirmed what is there."""
    return [line for line in text.splitlines() if ("main." in line or "movies." in line) and "main.loads" not in line]
