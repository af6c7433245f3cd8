"""The data set in the terminal, run as its users run it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from movie_platform.setting_values import PACKAGE_PARENT
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of


@pytest.fixture
def command(tmp_path: Path) -> "Command":
    return Command(tmp_path)


class Command:
    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "MOVIE_PLATFORM_RAW_URI": (folder / "raw").as_uri(),
            "MOVIE_PLATFORM_LAKE_URI": (folder / "lake").as_uri(),
            "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
            "DAGSTER_HOME": str(folder / "dagster"),
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "movie_platform", *arguments],
            env=self.environment,
            cwd=PACKAGE_PARENT,
            capture_output=True,
            text=True,
            check=False,
        )


def test_build_shows_where_every_record_went_and_is_quiet_on_stderr(command: Command, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [movie(1), movie(1), movie("x")]})
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("links.csv", "movieId,imdbId,tmdbId,letterboxd\n1,1,1,a\n")
    done = command("dataset", "build", str(archive), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "movies_master" in done.stdout
    assert "not an integer (id)" in done.stdout
    assert "keywords.csv is not in the zip" in done.stdout
    assert "links.csv has a new column 'letterboxd'" in done.stdout
    assert (tmp_path / "out" / "movies_master.parquet").is_file()


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_build_writes_other_formats(command: Command, tmp_path: Path, kind: str) -> None:
    archive = zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [movie(1, genres="[{'id': 1, 'name': 'War'}]")]})
    assert command("dataset", "build", str(archive), "--out", str(tmp_path), "--format", kind).returncode == 0
    assert '"War"' in (tmp_path / f"movies_master.{kind}").read_text().replace('""', '"')
    assert not list(tmp_path.glob("*.parquet"))


def test_a_refused_zip_ends_with_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    done = command("dataset", "build", str(tmp_path / "a.zip"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("a.zip is truncated or no zip")
    assert not (tmp_path / "out").exists()


def test_answers_without_movies_say_how_to_get_some(command: Command) -> None:
    done = command("answers")
    assert done.returncode == 1
    assert "The warehouse holds no movies yet" in done.stderr


def test_simulate_run_and_answer(command: Command) -> None:
    assert command("simulate", "dataset", "--scale", "0.001", "--date", "2026-03-02").returncode == 0
    ran = command("run", "dataset", "--from", "2026-03-01", "--to", "2026-03-31")
    assert ran.returncode == 0, ran.stderr
    assert "Deliveries gone through: 1, 2026-03-02 to 2026-03-02" in ran.stdout
    answers = json.loads(command("answers", "--json").stdout)
    assert len(answers["genre_profit_by_year"]) > 5
    assert answers["movies_without_year"] >= 0
