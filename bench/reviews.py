"""Reviews classified per second, by each classifier on DuckDB in process and on a local Spark, in one run.

    python -m bench.reviews [--reviews 20000] [--words 60]

The job is the one of a run: a CSV file in the lake becomes the day's stage. Starting Spark does not count. The second
opinion is part of it, as in a run: the lexicon takes most of the time, so each classifier's own speed stands beside.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from movie_platform.engine import Engine
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.lake import open_store
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.classification import classify_day, stage_key
from movie_platform.pipelines.user_behavior.classifiers import CLASSIFIERS, points
from movie_platform.progress import LogProgress
from movie_platform.samples import user_behavior as samples
from movie_platform.settings import java_found

DAY = date(2026, 1, 5)


def engines() -> Iterator[tuple[str, Engine]]:
    with DuckDBEngine() as here:
        yield "DuckDB in process", here
    if not java_found():
        print("There is no Java, so Spark is left out.")
        return
    with session() as started:
        from movie_platform.engine.spark import SparkEngine

        with SparkEngine(started) as there:
            yield "Spark, local[2]", there


@contextmanager
def session() -> Iterator:
    from movie_platform.engine.spark import start_session

    started = start_session("bench", master="local[2]")
    yield started
    started.stop()


def alone(texts: list[str]) -> None:
    for name in CLASSIFIERS:
        points(name, texts[:1])
        began = time.monotonic()
        points(name, texts)
        print(f"{name} alone, in one process: {len(texts) / (time.monotonic() - began):,.0f} reviews/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=60, help="about how long a review of the first part is")
    options = parser.parse_args()
    content = samples.reviews(DAY, options.reviews, defects=0).content
    sentences = [line.partition(",")[2] for line in content.decode().splitlines()[1:2_001]]
    each = max(1, options.words // 15)
    alone([" ".join(sentences[start : start + each]) for start in range(len(sentences) - each)])
    staged: dict[str, set[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="movie-platform-bench-") as folder:
        for who, engine in engines():
            for name in ("model", "token"):
                lake = open_store((Path(folder) / f"{engine.name}-{name}").as_uri())
                lake.write(f"{reviews.raw_prefix(DAY)}movie_review.csv", content)
                began = time.monotonic()
                classify_day(engine, LogProgress(), lake=lake.uri, day=DAY.isoformat(), classifier=name)
                seconds = time.monotonic() - began
                print(f"{who}, {name} with its second opinion: {options.reviews / seconds:,.0f} reviews/s")
                staged.setdefault(name, set()).add(lake.read(stage_key(DAY)))
    if any(len(stages) > 1 for stages in staged.values()):
        raise SystemExit("the engines do not agree")


if __name__ == "__main__":
    main()
