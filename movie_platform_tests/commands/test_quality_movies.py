"""The quality movies in the terminal."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from movie_platform.commands.main import cli
from movie_platform.lake import ObjectStore, open_store
from movie_platform_tests.notify.receivers import web_server
from movie_platform_tests.pipelines.quality_movies.conftest import RATING, delivery, movie


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", (tmp_path / "raw").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", (tmp_path / "lake").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "rules.dqdl").write_text(f"Rules = [ {RATING} ]")
    monkeypatch.setenv("MOVIE_PLATFORM_QUALITY_RULESET", str(tmp_path / "rules.dqdl"))
    return tmp_path


@pytest.fixture
def raw(home: Path) -> ObjectStore:
    return open_store((home / "raw").as_uri())


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env={"COLUMNS": "200"})


def test_simulated_days_run_and_show_what_came_of_them(home: Path, raw: ObjectStore) -> None:
    done = command("simulate", "quality", "--days", "4", "--start", "2026-03-01", "--rows", "60", "--defects")
    assert done.exit_code == 0
    assert "2026-03-04: no column Gross" in done.output
    ran = command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-04")
    assert ran.exit_code == 0, ran.output
    assert "blocked" in ran.output


def test_whoever_is_notified_hears_of_a_run_from_the_terminal_too(
    home: Path, raw: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.write("input_data/2026-03-01/x.csv", delivery(movie("A")))
    with web_server() as receiver:
        monkeypatch.setenv("MOVIE_PLATFORM_NOTIFY", "apprise:ops")
        monkeypatch.setenv("MOVIE_PLATFORM_NOTIFY_URL_OPS", f"json://127.0.0.1:{receiver.port}/x")
        assert command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-01").exit_code == 0
        (home / "rules.dqdl").write_text("Rules = [ no rule at all")
        assert command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-01").exit_code == 1
        titles = [json.loads(body)["title"] for _, body in receiver.received]
    assert [title.partition(":")[0] for title in titles] == ["Passed", "Succeeded", "FAILED with 1 failed checks"]


def test_a_replay_releases_what_passes_now(home: Path, raw: ObjectStore) -> None:
    raw.write("input_data/2026-03-01/x.csv", delivery(movie("A"), movie("B", "8.2")))
    assert command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-01").exit_code == 0
    (home / "rules.dqdl").write_text('Rules = [ ColumnValues "imdb_rating" > 8 ]')
    assert command("quality", "replay").exit_code == 0
    lake = open_store((home / "lake").as_uri())
    assert lake.info("bad-records/quality_movies/2026-03-01.parquet") is None
    assert command("quality", "replay").output.strip() == "Nothing is quarantined."


def test_a_broken_ruleset_is_our_failure(home: Path, raw: ObjectStore) -> None:
    raw.write("input_data/2026-03-01/x.csv", delivery(movie("A")))
    (home / "rules.dqdl").write_text("Rules = [")
    assert command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-01").exit_code == 1


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-03-02", "2026-03-01", "is after --to"),
        ("2025-03-02", "2025-03-03", "before the first day"),
        ("March", "2026-03-01", "is no day"),
    ],
)
def test_a_wrong_range_is_said(home: Path, first: str, last: str, message: str) -> None:
    done = command("run", "quality", "--from", first, "--to", last)
    assert done.exit_code == 2
    assert message in done.output


def test_a_range_without_deliveries_is_nothing_wrong(home: Path) -> None:
    done = command("run", "quality", "--from", "2026-03-01", "--to", "2026-03-02")
    assert done.exit_code == 0
    assert "Nothing was delivered" in done.output
