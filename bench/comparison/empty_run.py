"""The least that Dagster does for one partition: an asset that does nothing, on an instance that has run before."""

import sys
from pathlib import Path

import dagster as dg

WINDOWS = dg.TimeWindowPartitionsDefinition("202601010000", "%Y%m%d%H%M", cron_schedule="*/10 * * * *", end_offset=1)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(partitions_def=WINDOWS)
def nothing(context: dg.AssetExecutionContext) -> None: ...


def main(home: Path, window: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").touch()
    job = dg.Definitions([nothing], executor=dg.in_process_executor).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert job.execute_in_process(partition_key=window, instance=instance, run_config=QUIET).success


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
