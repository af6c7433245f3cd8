"""The report is an asset of its own: made every hour, after what it shows."""

from pathlib import Path

import dagster as dg

from movie_platform.definitions import build_defs
from movie_platform.lake import open_store
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.report.page import KEY
from movie_platform_tests.report.conftest import settings_below


def test_the_asset_puts_the_page_into_the_lake(tmp_path: Path) -> None:
    settings = settings_below(tmp_path)
    definitions = build_defs(settings)
    job = definitions.resolve_implicit_global_asset_job_def()
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        done = job.execute_in_process(asset_selection=[dg.AssetKey("platform_report")], instance=instance)
    lake = open_store(settings.lake_uri)
    (event,) = done.get_asset_materialization_events()
    assert event.materialization.metadata["dagster/uri"].value == lake.uri_of(KEY)
    assert event.materialization.metadata["size (kB)"].value == round(len(lake.read(KEY)) / 1000, 1)


def test_it_depends_on_every_source_and_is_made_every_hour(tmp_path: Path) -> None:
    definitions = build_defs(settings_below(tmp_path))
    spec = next(s for s in definitions.resolve_all_asset_specs() if s.key == dg.AssetKey("platform_report"))
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {
        asset for pipeline in PIPELINES for asset in source_of(pipeline).assets
    }
    schedule = definitions.resolve_schedule_def("platform_report_hourly")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("12 * * * *", "UTC")
