"""The Movies Dataset built on DuckDB and on a standalone Spark cluster with one and with two workers, in one run.

    python -m bench.spark [--scale 1] [--memory 3g]

A worker is a process with one core, so that on a machine with two cores two workers and DuckDB have the same to work
with. Starting the cluster does not count; starting the driver does, as it does in a run.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from movie_platform.progress import LogProgress
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform.settings import java_found

ROOT = Path(__file__).parent.parent
DUCKDB = "duckdb"


def seconds_of(engine: str, archive: Path, folder: Path, memory: str) -> float:
    """One build in a process of its own."""
    command = [sys.executable, "-m", "bench.spark", "--build", engine, str(archive), str(folder), "--memory", memory]
    started = time.monotonic()
    subprocess.run(command, check=True, cwd=ROOT)
    return time.monotonic() - started


def build(engine: str, archive: Path, folder: Path, memory: str) -> None:
    from movie_platform.pipelines.movies_dataset.build import build_dataset

    if engine == DUCKDB:
        from movie_platform.engine.in_process import DuckDBEngine

        with DuckDBEngine() as here:
            report = build_dataset(archive, folder / "out", here, progress=LogProgress())
    else:
        from movie_platform.engine.spark import SparkEngine, start_session

        session = start_session("bench", master=engine, configuration={"spark.executor.memory": memory})
        with SparkEngine(session, work=(folder / "work").as_uri()) as there:
            report = build_dataset(archive, folder / "out", there, progress=LogProgress())
        session.stop()
    if not report.is_conserved:
        raise SystemExit(f"{engine} does not account for every row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--memory", default="3g", help="of one executor")
    parser.add_argument("--build", nargs=3, metavar=("ENGINE", "ZIP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        engine, archive, folder = options.build
        build(engine, Path(archive), Path(folder), options.memory)
        return
    if not java_found():
        print("There is no Java, so there is nothing to compare.")
        return
    from movie_platform_tests.engine.cluster import cluster_of

    with tempfile.TemporaryDirectory(prefix="movie-platform-bench-") as name:
        folder = Path(name)
        archive = folder / "the-movies-dataset.zip"
        write_dataset(archive, scale=options.scale)
        took = {"DuckDB in process": seconds_of(DUCKDB, archive, folder / "duckdb", options.memory)}
        for workers in (1, 2):
            place = folder / f"cluster-{workers}"
            place.mkdir()
            with cluster_of(place, workers, memory=options.memory) as cluster:
                who = f"Spark, {workers} worker{'s' if workers > 1 else ''}"
                took[who] = seconds_of(cluster.master, archive, place, options.memory)
        for who, seconds in took.items():
            print(
                f"{who} at scale {options.scale:g}: {seconds:.1f} s, {seconds / min(took.values()):.1f} times the best"
            )


if __name__ == "__main__":
    main()
