"""The shipped instance files load, locally and against real PostgreSQL and S3."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from movie_platform.orchestration.runs import LOCAL_INSTANCE, instance
from movie_platform.setting_values import PROJECT_ROOT

ROOT = Path(__file__).parents[2]


@dg.op
def say() -> None:
    print("said by a run")


@dg.job
def talk() -> None:
    say()


def test_the_local_instance_is_made_from_the_projects_file(tmp_path: Path) -> None:
    with instance(tmp_path / "home") as made:
        settings = made.get_settings("run_retries")
        assert settings == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
        assert made.run_monitoring_enabled
        assert not made.telemetry_enabled
        assert not made.nux_enabled
        assert made.run_coordinator.dequeue_interval_seconds == 1
        assert made.get_concurrency_config().run_queue_config is not None
        assert made.get_concurrency_config().run_queue_config.max_concurrent_runs == 4


def test_the_projects_dagster_yaml_is_what_a_new_instance_gets() -> None:
    assert (ROOT / "dagster.yaml").read_bytes() == LOCAL_INSTANCE.read_bytes()


def test_the_production_instance_keeps_runs_in_postgresql_and_logs_in_s3(
    tmp_path: Path, postgres: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    shutil.copyfile(ROOT / "deploy" / "dagster.yaml", tmp_path / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres.replace("postgresql://", "postgresql+psycopg2://", 1))
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS_BUCKET", bucket.removeprefix("s3://"))
    with dg.DagsterInstance.from_config(str(tmp_path)) as production:
        result = talk.execute_in_process(instance=production)
        run = production.get_run_by_id(result.run_id)
        assert run is not None
        assert run.is_success
        assert type(production.run_storage).__name__ == "PostgresRunStorage"
    objects = boto3.resource("s3").Bucket(bucket.removeprefix("s3://")).objects.filter(Prefix="compute-logs/")
    assert any(b"said by a run" in entry.get()["Body"].read() for entry in objects if entry.key.endswith(".out"))


def test_an_instance_in_a_folder_that_may_not_be_written_is_opened_as_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {tmp_path}/elsewhere\n")
    may = os.access  # root may write everywhere but on a read-only file system
    monkeypatch.setattr(os, "access", lambda path, mode: path != home and may(path, mode))
    with instance(home) as opened:
        assert opened.get_runs_count() == 0
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]


def test_the_project_root_is_the_checkout() -> None:
    assert PROJECT_ROOT == ROOT


START = """
import sys
from pathlib import Path
from movie_platform.orchestration.runs import instance
with instance(Path(sys.argv[1])) as on:
    print(on.get_runs_count())
"""


def test_several_terminals_may_start_at_once_on_a_new_home(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", START, str(tmp_path / "home")], stdout=-1, stderr=-1, cwd=ROOT)
        for _ in range(4)
    ]
    ended = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended
    assert [out.strip() for out, _ in ended] == [b"0"] * 4
