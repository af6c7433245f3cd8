"""The demonstration, as a new user sees it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from movie_platform.commands import demonstration
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
    shown, loaded = [], []
    for _ in range(2):
        console = Console(file=io.StringIO(), record=True, width=160)
        monkeypatch.setattr(demonstration, "out", console)
        assert demonstration.demonstrate(settings)
        shown.append(console.export_text())
        loaded.append([row for row in open_warehouse(settings).ledger() if row.outcome == "loaded"])
    for text in shown:
        assert "main.imdb_movies" in text
        assert "three_files" in text
        assert "make dev" in text
    assert rows_shown(shown[0])
    assert rows_shown(shown[0]) == rows_shown(shown[1])
    assert loaded[0] == loaded[1]


def rows_shown(text: str) -> list[str]:
    """The lines of data tables; the ledger also notes that a later look confirmed what is there."""
    return [line for line in text.splitlines() if ("main." in line or "movies." in line) and "main.loads" not in line]
