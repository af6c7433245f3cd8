"""The table of speed: each piece of work beside an anchor of the same run, as ratios of whole processes.

    python -m bench.table [--rounds 5] [--only WORDS] [--scales 0.5,1] [--polars PYTHON] [--commit]

Work and anchor take turns, so that whatever else the machine does meets both. A ratio is that of the medians, of wall
time and of processor time (user and system); the spread is that of the ratios round by round. The whole table goes to
bench/results.md. Where both ratios are more than 15 % above those of bench/ratios.json, the row is marked: a busy
machine lengthens wall times, and a real regression shows in both. --commit keeps the new ratios.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.movies_dataset import PLAIN_DUCKDB, PROGRAM
from bench.quality import make_data, rules, rules_as_data
from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.samples.imdb_feed import FeedClient, deliver
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform.settings import java_found

HERE = Path(__file__).parent
RATIOS, RESULTS = HERE / "ratios.json", HERE / "results.md"
COMPARISON = HERE / "comparison"
REGRESSION = 1.15
TINY = 0.002
"""The scale of a data set whose build is all start-up."""
FIRST = "202601010000"
DAY, WARM_DAY = "2026-01-05", "2026-01-04"
Program = Callable[[int], Sequence[str]]
"""The command of a round, which may be another one each time: a window is run once."""


@dataclass(frozen=True)
class Row:
    work: str
    program: Program
    anchor: str
    anchor_program: Program
    goal: float
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[int], object] = lambda _: None
    """What comes before each round and is not timed: a row that is left out makes no data."""
    ends_with: int = 0
    """What the work exits with."""


@dataclass(frozen=True)
class Took:
    wall: float
    processor: float
    gigabytes: float


@dataclass(frozen=True)
class Measured:
    row: Row
    work: Sequence[Took]
    anchor: Sequence[Took]

    @property
    def wall(self) -> float:
        return _median(self.work, "wall") / _median(self.anchor, "wall")

    @property
    def processor(self) -> float:
        return _median(self.work, "processor") / _median(self.anchor, "processor")

    @property
    def spread(self) -> tuple[float, float]:
        ratios = [work.wall / anchor.wall for work, anchor in zip(self.work, self.anchor, strict=True)]
        return min(ratios), max(ratios)

    def is_worse_than(self, before: Mapping[str, float] | None) -> bool:
        if before is None:
            return False
        return self.wall > REGRESSION * before["wall"] and self.processor > REGRESSION * before["processor"]


def _median(of: Sequence[Took], name: str) -> float:
    return statistics.median(getattr(took, name) for took in of)


def timed(command: Sequence[str], environment: Mapping[str, str], ends_with: int = 0) -> Took:
    """One process from its start to its end, children included; any other end than expected ends the benchmark."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**inherited, **environment}, cwd=HERE.parent
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != ends_with:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Took(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e9)


def measure(row: Row, rounds: int) -> Measured:
    """The first round only loads what is imported, and does not count."""
    work, anchor = [], []
    for number in range(rounds + 1):
        row.prepare(number)
        anchor.append(timed(row.anchor_program(number), row.environment))
        work.append(timed(row.program(number), row.environment, row.ends_with))
    return Measured(row, work[1:], anchor[1:])


def always(*command: str) -> Program:
    return lambda _: command


def python(code: str) -> Program:
    return always(sys.executable, "-c", code)


def start_rows(folder: Path) -> Iterator[Row]:
    rules = folder / "rules.dqdl"
    rules.write_text('Rules = [ IsComplete "title", RowCount > 0 ]')
    environment = platform_in(folder / "start")
    dagster = ("import dagster", python("import dagster"))
    for work, program, goal in (
        ("--help", always(*PROGRAM, "--help"), 0.3),
        ("status", always(*PROGRAM, "status"), 0.6),
        ("quality explain", always(*PROGRAM, "quality", "explain", str(rules)), 0.6),
        ("import movie_platform.definitions", python("import movie_platform.definitions"), 1.5),
    ):
        yield Row(work, program, *dagster, goal, environment)


def feed_rows(folder: Path, rounds: int) -> Iterator[Row]:
    place = folder / "feed"
    windows = list(span(FIRST, shift(FIRST, LENGTH * rounds)))
    raw, client = open_store((place / "raw").as_uri()), FeedClient(movies_a_window=60)
    for window in windows:
        deliver(raw, window, client.triplet(window))

    def run(number: int) -> Sequence[str]:
        return (*PROGRAM, "run", "feed", "--from", windows[number], "--to", windows[number])

    def empty(number: int) -> Sequence[str]:
        return (sys.executable, str(COMPARISON / "empty_run.py"), str(folder / "empty"), windows[number])

    environment = platform_in(place, MOVIE_PLATFORM_FEED_START=FIRST)
    yield Row("run feed, one window", run, "empty Dagster run", empty, 2.0, environment)


def dataset_rows(folder: Path, scales: Sequence[float]) -> Iterator[Row]:
    def build(archive: Path) -> Program:
        return always(*PROGRAM, "dataset", "build", str(archive), "--out", str(folder / "ours"))

    def script(archive: Path) -> Program:
        return always(*PLAIN_DUCKDB, str(archive), str(folder / "plain"))

    def made(scale: float) -> Path:
        return folder / f"{scale:g}.zip"

    def make(scale: float) -> None:
        if not made(scale).exists():
            write_dataset(made(scale), scale=scale)

    def row(scale: float, goal: float) -> Row:
        what = f"dataset build, scale {scale:g}"
        anchor = "plain DuckDB script"
        return Row(what, build(made(scale)), anchor, script(made(scale)), goal, prepare=lambda _: make(scale))

    yield row(TINY, goal=3.0)
    yield from (row(scale, goal=1.0) for scale in scales)
    if scales:
        smallest = min(scales)
        yield _through_dagster(folder, smallest, build(made(smallest)), made, make)


def _through_dagster(
    folder: Path, scale: float, build: Program, made: Callable[[float], Path], make: Callable[[float], None]
) -> Row:
    """With checks, lake and load, on a platform that has run a small delivery before."""
    used, today = folder / "used", folder / "today"

    def prepare(number: int) -> None:
        if not number:
            make(TINY)
            make(scale)
            _put(made(TINY), used, WARM_DAY)
            timed(materialize(WARM_DAY), dataset_platform(used, WARM_DAY))
        with suppress(FileNotFoundError):
            shutil.rmtree(today)
        shutil.copytree(used, today)
        _put(made(scale), today, DAY)

    program = always(*materialize(DAY))
    environment = dataset_platform(today, WARM_DAY)
    what = f"the same through Dagster, scale {scale:g}"
    return Row(what, program, "the build", build, 1.4, environment, prepare)


def materialize(day: str) -> Sequence[str]:
    return (sys.executable, "-m", "bench.movies_dataset", "--materialize", day)


def dataset_platform(place: Path, start: str) -> dict[str, str]:
    return platform_in(place, MOVIE_PLATFORM_DATASET_START=start)


def _put(archive: Path, place: Path, day: str) -> None:
    delivered = place / "raw" / "project-data" / day / "the-movies-dataset.zip"
    delivered.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(archive, delivered)


def quality_rows(folder: Path, polars: str, rows: int = 1_000_000) -> Iterator[Row]:
    if subprocess.run([polars, "-c", "import polars"], capture_output=True, check=False).returncode:
        print(f"quality check is left out: {polars} has no Polars; name a Python that has it with --polars")
        return
    data, ruleset, plain = (folder / name for name in ("movies.parquet", "movies.dqdl", "movies.json"))

    def make(number: int) -> None:
        if not number:
            make_data(data, rows)
            ruleset.write_text(rules().render())
            plain.write_text(json.dumps(rules_as_data(rules())))

    options = ("--rules", str(ruleset), "--nulls", "legacy", "--out", str(folder / "judged"))
    check = always(*PROGRAM, "quality", "check", str(data), *options)
    by_hand = (str(COMPARISON / "quality_in_polars.py"), str(data), str(plain), str(folder / "by_hand"))
    what = f"quality check, {rows:,} rows, 43 rules"
    yield Row(what, check, "Polars by hand", always(polars, *by_hand), 1.0, prepare=make, ends_with=1)


def behavior_rows(folder: Path) -> Iterator[Row]:
    place = folder / "behavior"
    environment = platform_in(place, MOVIE_PLATFORM_BEHAVIOR_START=DAY)

    def deliver_once(number: int) -> None:
        size = ("--purchases", "20000", "--reviews", "100000")
        if not number:
            timed((*PROGRAM, "simulate", "behavior", "--days", "1", "--start", DAY, *size), environment)

    file = place / "raw" / "movie_review" / DAY / "movie_review.csv"
    by_hand = (sys.executable, str(COMPARISON / "behavior_by_hand.py"), str(file), str(place / "warehouse.duckdb"), DAY)
    run = always(*PROGRAM, "run", "behavior", "--from", DAY, "--to", DAY, "--force")
    anchor = always(*by_hand, str(folder / "metric.parquet"))
    yield Row(
        "run behavior, 100,000 reviews", run, "one model, one join by hand", anchor, 3.0, environment, deliver_once
    )


def cluster_rows(folder: Path, rows: int) -> Iterator[Row]:
    from bench.quality import make_data, rules
    from bench.quality_on_spark import HERE as ONE_MACHINE
    from bench.quality_on_spark import command_of
    from movie_platform_tests.engine.cluster import cluster_of

    if not rows or not java_found():
        return
    place = folder / "cluster"
    data, ruleset = place / "movies.parquet", place / "movies.dqdl"
    masters: list[str] = []
    with ExitStack() as stack:

        def prepare(number: int) -> None:
            if not number:
                place.mkdir()
                make_data(data, rows)
                ruleset.write_text(rules().render())
                masters.append(stack.enter_context(cluster_of(place, 2)).master)

        def on_spark(_: int) -> Sequence[str]:
            return command_of(masters[0], data, ruleset, place / "spark")

        here = always(*command_of(ONE_MACHINE, data, ruleset, place / "here"))
        what = f"quality check on a cluster of two workers, {rows:,} rows"
        yield Row(what, on_spark, "one machine with the same cores", here, 3.0, platform_in(place), prepare)


def platform_in(place: Path, **more: str) -> dict[str, str]:
    return {
        "MOVIE_PLATFORM_RAW_URI": (place / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (place / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{place}/warehouse.duckdb",
        "DAGSTER_HOME": str(place / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH", "")])]),
        **more,
    }


COLUMNS = ("work", "seconds", "CPU", "GB", "anchor", "seconds", "ratio", "CPU ratio", "spread", "goal", "")


def cells(found: Measured, before: Mapping[str, float] | None) -> tuple[str, ...]:
    low, high = found.spread
    remark = "REGRESSION" if found.is_worse_than(before) else "" if found.wall <= found.row.goal else "above its goal"
    return (
        found.row.work,
        f"{_median(found.work, 'wall'):.2f}",
        f"{_median(found.work, 'processor'):.2f}",
        f"{max(took.gigabytes for took in found.work):.2f}",
        found.row.anchor,
        f"{_median(found.anchor, 'wall'):.2f}",
        f"{found.wall:.2f}",
        f"{found.processor:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{found.row.goal:g}",
        remark,
    )


def machine() -> str:
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return f"{system}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def page(lines: Sequence[Sequence[str]], rounds: int) -> str:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [COLUMNS, ["---"] * len(COLUMNS), *lines]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    how = f"medians of {rounds} rounds, work and anchor in turn"
    return f"# Speed, as ratios\n\n{made}; {machine()}; {how}.\n\n{table}\n"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", default="", help="rows whose work holds these words")
    options.add_argument("--scales", default="0.5,1", help="of the data set; an empty text for none")
    options.add_argument("--polars", default=sys.executable, metavar="PYTHON", help="a Python that has Polars")
    options.add_argument("--commit", action="store_true", help="keep the ratios to compare with")
    options.add_argument("--cluster-rows", type=int, default=10_000_000, help="judged on a Spark cluster; 0 for none")
    given = options.parse_args()
    scales = [float(scale) for scale in given.scales.split(",") if scale]
    before = json.loads(RATIOS.read_text()) if RATIOS.exists() else {}
    kept, lines, worse = dict(before), [], False
    with tempfile.TemporaryDirectory(prefix="movie-platform-bench-") as name:
        folder = Path(name)
        groups = (
            lambda: start_rows(folder),
            lambda: feed_rows(folder, given.rounds),
            lambda: dataset_rows(folder, scales),
            lambda: quality_rows(folder, given.polars),
            lambda: behavior_rows(folder),
            lambda: cluster_rows(folder, given.cluster_rows),
        )
        for row in (row for group in groups for row in group()):
            if given.only not in row.work:
                continue
            found = measure(row, given.rounds)
            lines.append(cells(found, before.get(row.work)))
            worse = worse or found.is_worse_than(before.get(row.work))
            kept[row.work] = {"wall": round(found.wall, 3), "processor": round(found.processor, 3)}
            print(" | ".join(lines[-1]), flush=True)
    if not given.only:
        RESULTS.write_text(page(lines, given.rounds))
        print(f"written to {RESULTS}")
    if given.commit:
        RATIOS.write_text(json.dumps(kept, indent=1) + "\n")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
