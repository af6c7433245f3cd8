"""The doctor examines whom the platform is to tell."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from movie_platform.commands.main import cli


@pytest.fixture
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", (tmp_path / "raw").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", (tmp_path / "lake").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")


@pytest.mark.usefixtures("_home")
def test_each_channel_is_examined(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    arn = boto3.client("sns").create_topic(Name="doctor")["TopicArn"]
    monkeypatch.setenv("MOVIE_PLATFORM_NOTIFY", f"log,sns:{arn}")
    done = CliRunner().invoke(cli, ["doctor"], env={"COLUMNS": "250"})
    assert done.exit_code == 0, done.output
    assert "the topic is there" in done.output


@pytest.mark.usefixtures("_home")
def test_a_folder_that_cannot_be_made_is_a_finding_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", "file:///dev/null/lake")
    done = CliRunner().invoke(cli, ["doctor"], env={"COLUMNS": "250"})
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "file:///dev/null/lake cannot be used" in done.output


@pytest.mark.usefixtures("_home")
def test_a_channel_that_is_not_there_fails_the_examination(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_NOTIFY", "events:nobody")
    done = CliRunner().invoke(cli, ["doctor"], env={"COLUMNS": "250"})
    assert done.exit_code == 1
    assert "events:nobody refuses" in done.output
