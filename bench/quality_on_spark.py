"""A ruleset judged by one machine and by a standalone Spark cluster with one and with two workers, in one run.

    python -m bench.quality_on_spark [--rows 10000000] [--memory 1g]

Each side is a process from start to end: 43 rules, outcomes, and the good and bad rows written. A worker of the cluster
is a process with one core, so that on a machine with two cores two workers and one machine have the same to work with.
Starting the cluster does not count; starting the driver does.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from movie_platform.settings import java_found

ROOT = Path(__file__).parent.parent
HERE = "here"


def command_of(master: str, data: Path, ruleset: Path, out: Path, memory: str = "1g") -> list[str]:
    """One check in a process of its own."""
    files = [str(data), str(ruleset), str(out)]
    return [sys.executable, "-m", "bench.quality_on_spark", "--judge", master, *files, "--memory", memory]


def judge(master: str, data: Path, ruleset: Path, out: Path, memory: str) -> None:
    from movie_platform.quality import evaluate, parse_ruleset

    rules = parse_ruleset(ruleset.read_text())
    if master == HERE:
        evaluation = evaluate(data, rules, nulls="legacy")
        evaluation.write(out)
    else:
        from movie_platform.engine.spark import PYTHON_WORKS, SparkEngine, start_session
        from movie_platform.engine.spark_quality import evaluate_on_spark, write_on_spark
        from movie_platform.engine.stored_parquet import StoredParquet
        from movie_platform.lake import open_store
        from movie_platform.waits import Waits

        session = start_session("bench", master=master, configuration={**PYTHON_WORKS, "spark.executor.memory": memory})
        with SparkEngine(session, work=(data.parent / "work").as_uri()) as engine:
            stored = StoredParquet.of(open_store(data.parent.as_uri()), [data.name], Waits())
            evaluation = evaluate_on_spark(engine, stored, rules, nulls="legacy")
            write_on_spark(engine, evaluation, out.as_uri())
        session.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{evaluation.passed} passed, {evaluation.bad_count:,} rows bad, {peak:.2f} GB of this process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", default="1g", help="of one executor, beside its Python")
    parser.add_argument("--judge", nargs=4, metavar=("MASTER", "DATA", "RULES", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        master, *paths = options.judge
        judge(master, *map(Path, paths), memory=options.memory)
        return
    if not java_found():
        print("There is no Java, so there is nothing to compare.")
        return
    from bench.quality import make_data, rules
    from movie_platform_tests.engine.cluster import cluster_of

    with tempfile.TemporaryDirectory(prefix="movie-platform-bench-") as name:
        folder = Path(name)
        data, ruleset = folder / "movies.parquet", folder / "movies.dqdl"
        make_data(data, options.rows)
        ruleset.write_text(rules().render())

        def seconds_on(master: str) -> float:
            started = time.monotonic()
            command = command_of(master, data, ruleset, folder / master.partition(":")[0], options.memory)
            subprocess.run(command, check=True, cwd=ROOT)
            return time.monotonic() - started

        took = {"one machine": seconds_on(HERE)}
        for workers in (1, 2):
            place = folder / f"cluster-{workers}"
            place.mkdir()
            with cluster_of(place, workers, memory=options.memory) as cluster:
                took[f"Spark, {workers} worker{'s' if workers > 1 else ''}"] = seconds_on(cluster.master)
        for who, seconds in took.items():
            print(
                f"{who}, {options.rows:,} rows: {seconds:.1f} s, {seconds / took['one machine']:.2f} of one machine's"
            )


if __name__ == "__main__":
    main()
