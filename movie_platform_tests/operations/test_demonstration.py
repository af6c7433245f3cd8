"""The demonstration, as a new user sees it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from movie_platform.operations import demonstration
from movie_platform.settings import load_settings


def test_the_demonstration_runs_every_pipeline_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(
        raw_uri=(tmp_path / "raw").as_uri(),
        lake_uri=(tmp_path / "lake").as_uri(),
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
        dagster_home=tmp_path / "dagster",
    )
    shown = []
    for _ in range(2):
        console = Console(file=io.StringIO(), record=True, width=160)
        monkeypatch.setattr(demonstration, "out", console)
        assert demonstration.demonstrate(settings)
        shown.append(console.export_text())
    for text in shown:
        assert "main.imdb_movies" in text
        assert "three_files" in text
        assert "make dev" in text
    tables = [line for line in shown[0].splitlines() if "main." in line or "movies." in line]
    assert tables
    assert tables == [line for line in shown[1].splitlines() if "main." in line or "movies." in line]
