"""The demonstration, as a new user sees it."""

import io
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from movie_platform.commands import demonstration
from movie_platform.orchestration.runs import instance
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


def rows_shown(text: str) -> list[str]:
    """The lines of data tables; the ledger also notes that a later look confirmed what is there."""
    return [line for line in text.splitlines() if ("main." in line or "movies." in line) and "main.loads" not in line]
