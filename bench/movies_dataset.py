"""`dataset build` against a plain DuckDB script and a plain pandas program, from the same zip, in one run.

    python -m bench.movies_dataset [--scale 1] [--rounds 3] [--no-pandas] [--large 4]

The build numbers every record, checks, accounts and writes the rejects; the two others do none of it. The platform does
the same through Dagster, with every check, the lake and the load into DuckDB, on an instance that has run before. Each
runs in a process of its own. A build at the scale of --large (0 for none) shows how
memory grows with the data.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from movie_platform.samples.movies_dataset import write_dataset

HERE = Path(__file__).parent
PROGRAM = (sys.executable, "-m", "movie_platform")
PLAIN_DUCKDB = (sys.executable, str(HERE / "comparison" / "dataset_in_plain_duckdb.py"))
PLAIN_PANDAS = (sys.executable, str(HERE / "comparison" / "dataset_in_plain_pandas.py"))
FIRST_DAY, DAY = "2026-01-01", "2026-01-02"


def measured(*command: str, environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak memory in GB of one program."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**inherited, **(environment or {})}, cwd=HERE.parent
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, _gigabytes(usage)


def _gigabytes(usage: resource.struct_rusage) -> float:
    """Linux counts kilobytes, macOS bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def build(archive: Path, out: Path) -> tuple[float, float]:
    return measured(*PROGRAM, "dataset", "build", str(archive), "--out", str(out))


def through_dagster(archive: Path, folder: Path, day: str) -> tuple[float, float]:
    """A day's delivery on the platform in the folder."""
    delivered = folder / "raw" / "project-data" / day / "the-movies-dataset.zip"
    delivered.parent.mkdir(parents=True)
    os.link(archive, delivered)
    environment = {
        "MOVIE_PLATFORM_RAW_URI": (folder / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (folder / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
        "MOVIE_PLATFORM_DATASET_START": day,
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    return measured(sys.executable, "-m", "bench.movies_dataset", "--materialize", day, environment=environment)


def materialize(day: str) -> None:
    """The day's tables, in this process, on the platform that the environment describes."""
    from movie_platform.definitions import build_defs
    from movie_platform.orchestration.runs import instance, run_partitions
    from movie_platform.pipelines.movies_dataset.tables import TABLES
    from movie_platform.settings import load_settings

    settings = load_settings()
    definitions = build_defs(settings)
    with instance(settings.dagster_home) as on:
        outcome = run_partitions(definitions, [table.name for table in TABLES], [day], on)
    if not outcome.succeeded:
        raise SystemExit(outcome.message)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=float, default=4)
    parser.add_argument("--no-pandas", action="store_true")
    parser.add_argument("--materialize", metavar="DAY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.materialize:
        materialize(options.materialize)
        return
    with tempfile.TemporaryDirectory(prefix="movie-platform-bench-") as name:
        folder = Path(name)
        archive, small = folder / "the-movies-dataset.zip", folder / "small.zip"
        write_dataset(small, scale=0.002)
        write_dataset(archive, scale=options.scale)
        build(small, folder / "warm")
        through_dagster(small, folder / "platform", FIRST_DAY)
        ours, plain, whole = [], [], []
        for _ in range(options.rounds):
            plain.append(measured(*PLAIN_DUCKDB, str(archive), str(folder / "plain")))
            ours.append(build(archive, folder / "ours"))
            shutil.copytree(folder / "platform", folder / "today")
            whole.append(through_dagster(archive, folder / "today", DAY))
            shutil.rmtree(folder / "today")
        seconds, plain_seconds, whole_seconds = (
            statistics.median(run[0] for run in runs) for runs in (ours, plain, whole)
        )
        memory = max(run[1] for run in ours)
        print(f"dataset build at scale {options.scale:g}: {seconds:.1f} s, peak {memory:.2f} GB")
        print(
            f"plain DuckDB script: {plain_seconds:.1f} s; the build takes {seconds / plain_seconds:.2f} times as long"
        )
        print(
            f"through Dagster: {whole_seconds:.1f} s, peak {max(run[1] for run in whole):.2f} GB; "
            f"{whole_seconds / seconds:.2f} times as long as the build"
        )
        if not options.no_pandas:
            pandas_seconds, pandas_memory = measured(*PLAIN_PANDAS, str(archive), str(folder / "pandas"))
            print(
                f"plain pandas program: {pandas_seconds:.1f} s, peak {pandas_memory:.2f} GB; "
                f"the build is {pandas_seconds / seconds:.1f} times as fast"
            )
        if options.large:
            write_dataset(archive, scale=options.large)
            large_seconds, large_memory = build(archive, folder / "ours")
            print(
                f"dataset build at scale {options.large:g}: {large_seconds:.1f} s, peak {large_memory:.2f} GB, "
                f"{large_memory / memory:.2f} times as much memory"
            )


if __name__ == "__main__":
    main()
