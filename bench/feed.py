"""Verify, archive and clean 500 windows on local disk, against a plain pandas program that does the same.

Both read each triplet once, prove the four rules, archive the files, join them, and write the same objects: the
clean Parquet twice, and the movies that have no director.
The platform also proves every record and every byte, applies the row rules, and accounts for every record.

Then what Dagster takes of it: windows through `run feed`, against three empty assets with the same partitions and
materializations and one reported arrival a window. Start-up is measured with one window, and taken off both.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from movie_platform.commands.feed import run_windows
from movie_platform.lake import open_store
from movie_platform.orchestration import runs
from movie_platform.pipelines.imdb_feed import processing
from movie_platform.pipelines.imdb_feed.partitions import ten_minute_windows
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.samples.imdb_feed import FeedClient, deliver
from movie_platform.settings import Settings, load_settings

FIRST = "202601010000"
AT_LEAST = 3.0
AT_MOST = 1.5
ROUNDS = 2
EMPTY = ("archived", "cleaned", "loaded")
COLUMNS = {
    "A": {
        *("id", "imdb_movie_id", "title", "release_year", "certificate", "run_time_min", "imdb_rating", "metascore"),
        *("description", "num_voted_users", "gross"),
    },
    "B": {"movie_id", "person_id"},
    "C": {"id", "imdb_person_id", "full_name"},
}


def plain_pandas(raw: Path, lake: Path, window: str) -> int:
    """One window as a program of a page does it."""
    folder = raw / "imdb_raw_data" / window
    names = {kind: f"{window}_type_{kind}.csv" for kind in COLUMNS}
    assert {path.name for path in folder.iterdir()} == set(names.values())
    frames = {}
    for kind, name in names.items():
        data = (folder / name).read_bytes()
        data.decode("utf-8")
        frames[kind] = pd.read_csv(io.BytesIO(data))
        assert set(frames[kind].columns) == COLUMNS[kind]
        assert len(frames[kind])
        target = lake / "archive" / window / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    rows = (
        frames["A"]
        .merge(frames["B"], left_on="id", right_on="movie_id")
        .drop(columns="id")
        .merge(frames["C"], left_on="person_id", right_on="id")
        .drop(columns="id")
        .rename(columns={"full_name": "director_name"})
    )
    without = frames["A"][~frames["A"]["id"].isin(rows["movie_id"])]
    written = {
        f"clean_files/{window}.parquet": rows,
        f"partitioned/filetime={window}/{window}.parquet": rows,
        f"rejects/imdb_feed/{window}.parquet": without.assign(reason="it has no director in type_B"),
    }
    for key, frame in written.items():
        if len(frame):
            target = lake / key
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(target, index=False)
    return len(rows)


def in_plain_pandas(given: argparse.Namespace) -> bool:
    """Whether the platform's way through the lake is as much faster than the plain program as it should be."""
    client = FeedClient(movies=given.catalogue, people=given.people, movies_a_window=given.movies)
    windows = list(span(FIRST, shift(FIRST, LENGTH * (given.windows - 1))))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        raw, lake = open_store((folder / "raw").as_uri()), open_store((folder / "lake").as_uri())
        first = client.triplet(windows[0])
        for window in windows:
            # The client's tables of pairs and people are the same every time; only the movies are made anew.
            deliver(raw, window, client.triplet(window, like=first))
        # Both have loaded what they import before the first window counts.
        processing.process(raw, open_store((folder / "warm").as_uri()), windows[0])
        plain_pandas(folder / "raw", folder / "warm", windows[0])
        # Windows alternate in blocks, so that whatever else this machine does meets both programs.
        ours, theirs, rows = 0.0, 0.0, [0, 0]
        for start in range(0, len(windows), 50):
            block = windows[start : start + 50]
            began = time.perf_counter()
            done = list(processing.process_all(raw, lake, block))
            between = time.perf_counter()
            rows[0] += sum(outcome.clean.rows for outcome in done if outcome.clean)
            ours += between - began
            began = time.perf_counter()
            rows[1] += sum(plain_pandas(folder / "raw", folder / "plain", window) for window in block)
            theirs += time.perf_counter() - began
        assert rows[0] == rows[1], rows
    per = 1000 / len(windows)
    print(f"{len(windows)} windows, {rows[0]} clean rows each way")
    print(
        f"the platform {ours:.2f} s ({ours * per:.1f} ms a window), plain pandas {theirs:.2f} s ({theirs * per:.1f} ms)"
    )
    print(f"ratio {theirs / ours:.2f} (at least {AT_LEAST} wanted)")
    return theirs / ours >= AT_LEAST


def empty_assets(windows: dg.PartitionsDefinition) -> dg.Definitions:
    """Three assets in one step that materialize each window and do nothing else."""

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(name, partitions_def=windows, skippable=True, deps=EMPTY[:at][-1:])
            for at, name in enumerate(EMPTY)
        ],
        can_subset=True,
        partitions_def=windows,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def nothing(context: dg.AssetExecutionContext) -> Iterator[Any]:
        for window in context.partition_keys:
            for name in EMPTY:
                context.log_event(dg.AssetMaterialization(name, partition=window))
        yield from ()

    return dg.Definitions([dg.AssetSpec("arrived", partitions_def=windows), nothing], executor=dg.in_process_executor)


def run_empty(settings: Settings, windows: list[str]) -> None:
    definitions = empty_assets(ten_minute_windows(settings.feed_start))
    with runs.instance(settings.dagster_home) as instance:
        for window in windows:
            instance.report_runless_asset_event(dg.AssetMaterialization("arrived", partition=window))
        assert runs.run_partitions(definitions, EMPTY, windows, instance).succeeded


def run_feed(settings: Settings, windows: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_windows(settings, windows[0], windows[-1])


def event_log_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "history").rglob("*") if path.is_file())


@dataclass
class Place:
    """Where one of both programs runs, and what it took so far."""

    name: str
    run: Callable[[Settings, list[str]], None]
    settings: Settings
    seconds: float = 0.0
    alone: float = 0.0
    """Seconds of a run of one window."""
    size: int = 0
    size_alone: int = 0
    """Bytes of event log of a run of one window."""

    def timed(self, windows: list[str]) -> tuple[float, int]:
        before, began = event_log_bytes(self.settings.dagster_home), time.perf_counter()
        self.run(self.settings, windows)
        return time.perf_counter() - began, event_log_bytes(self.settings.dagster_home) - before


def in_dagster(given: argparse.Namespace) -> bool:
    """Whether a window takes little more of Dagster than three empty assets do.

    Both programs take turns, so that whatever else this machine does meets both.
    """
    count = given.dagster_windows // ROUNDS
    windows = list(span(FIRST, shift(FIRST, LENGTH * (count * ROUNDS + 1))))
    with tempfile.TemporaryDirectory() as folder:
        empty, feed = (
            Place(name, run, settings_in(Path(folder) / run.__name__, windows))
            for name, run in {"three empty assets": run_empty, "the feed": run_feed}.items()
        )
        for place in (empty, feed):
            place.run(place.settings, windows[:1])  # makes the databases, and loads what is imported
            place.alone, place.size_alone = place.timed(windows[1:2])
        for number in range(ROUNDS):
            for place in (empty, feed):
                seconds, size = place.timed(windows[2 + number * count : 2 + (number + 1) * count])
                place.seconds += seconds - place.alone
                place.size += size - place.size_alone
    more = (count - 1) * ROUNDS
    for place in (empty, feed):
        print(
            f"{place.name}: {place.seconds / more * 1000:.1f} ms and {place.size / more / 1000:.1f} KB of event log "
            f"a window; a run of one window {place.size_alone / 1000:.0f} KB"
        )
    ratios = feed.seconds / empty.seconds, feed.size / empty.size
    print(f"{count * ROUNDS} windows: ratio {ratios[0]:.2f} of time, {ratios[1]:.2f} of event log")
    print(f"(at most {AT_MOST} wanted)")
    return max(ratios) <= AT_MOST


def settings_in(folder: Path, windows: list[str]) -> Settings:
    """A platform of its own, with the windows delivered."""
    settings = load_settings(
        raw_uri=(folder / "raw").as_uri(),
        lake_uri=(folder / "lake").as_uri(),
        warehouse=f"duckdb:///{folder}/warehouse.duckdb",
        dagster_home=folder / "dagster",
        feed_start=FIRST,
    )
    client, raw = FeedClient(movies_a_window=60), open_store(settings.raw_uri)
    first = client.triplet(windows[0])
    for window in windows:
        deliver(raw, window, client.triplet(window, like=first))
    return settings


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--windows", type=int, default=500)
    options.add_argument("--movies", type=int, default=300, help="movies in a window")
    options.add_argument("--catalogue", type=int, default=10_000, help="movies, each with its directors in type_B")
    options.add_argument("--people", type=int, default=5_000)
    options.add_argument("--dagster-windows", type=int, default=200, help="windows through Dagster; 0 for none")
    given = options.parse_args()
    fast = not given.windows or in_plain_pandas(given)
    cheap = not given.dagster_windows or in_dagster(given)
    return 0 if fast and cheap else 1


if __name__ == "__main__":
    sys.exit(main())
