"""1,000 windows of 60 rows as one range into DuckDB, against one hand-written DELETE and INSERT ... SELECT.

    python -m bench.warehouse [--windows 1000] [--rows 60] [--rounds 3]

Both replace the same windows from the same Parquet files, in a warehouse that holds them already. The platform's load
also checks and counts the rows, recomputes `imdb_movies` and writes the ledger.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS, IMDB_MOVIES
from movie_platform.warehouse import LatestPartition, PartitionLoad, Provenance, Source
from movie_platform.warehouse.duckdb import DuckDBWarehouse


def deliver(lake: ObjectStore, folder: Path, windows: int, rows: int) -> list[tuple[str, Source]]:
    schema = pa.schema([field for field in IMDB_MOVIE_WINDOWS.arrow_schema if field.name != "window"])
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - a window's name holds no zone
    placed = []
    for number in range(windows):
        window = f"{start + timedelta(minutes=10 * number):%Y%m%d%H%M}"
        content = {field.name: _values(field, number, rows) for field in schema}
        key = f"clean_files/{window}.parquet"
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(content, schema=schema), path)
        placed.append((window, Source(key, f"{window}-{rows}", rows)))
    return placed


def _values(field: pa.Field, window: int, rows: int) -> pa.Array:
    if field.name == "movie_id":
        return pa.array([(window * 7 + row) % 5000 for row in range(rows)], field.type)
    if pa.types.is_string(field.type):
        return pa.array([f"{field.name}, of {row} \u2014 'text'\nin two lines" for row in range(rows)], field.type)
    return pa.array([row % 10 for row in range(rows)]).cast(field.type)


def by_hand(database: Path, files: Sequence[Path], windows: Sequence[str]) -> None:
    columns = ", ".join(f'"{name}"' for name in IMDB_MOVIE_WINDOWS.column_names if name != "window")
    with duckdb.connect(str(database)) as connection:
        connection.execute("BEGIN")
        connection.execute('DELETE FROM imdb_movie_windows WHERE "window" BETWEEN ? AND ?', [windows[0], windows[-1]])
        connection.execute(
            f'INSERT INTO imdb_movie_windows ({columns}, "window") '
            f"SELECT {columns}, parse_filename(filename, true) FROM read_parquet(?, filename = true)",
            [[str(file) for file in files]],
        )
        connection.execute("COMMIT")


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(arguments: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-warehouse-") as name:
        folder = Path(name)
        lake = open_store((folder / "lake").as_uri())
        placed = deliver(lake, folder / "lake", options.windows, options.rows)
        windows = [window for window, _ in placed]
        files = [folder / "lake" / source.key for _, source in placed]
        ours = DuckDBWarehouse(folder / "ours.duckdb")

        def load(version: int) -> None:
            results = ours.replace_partitions(
                IMDB_MOVIE_WINDOWS,
                [PartitionLoad(window, str(version), (source,)) for window, source in placed],
                lake=lake,
                provenance=Provenance(f"code-{version}"),
                derived=[LatestPartition(IMDB_MOVIES, ("movie_id",))],
            )
            assert all(result.outcome == "loaded" for result in results)

        load(0)
        with duckdb.connect(str(folder / "hand.duckdb")) as connection:
            columns = ", ".join(f'"{c.name}" {ours.dialect.type_name(c)}' for c in IMDB_MOVIE_WINDOWS.columns)
            connection.execute(f"CREATE TABLE imdb_movie_windows ({columns})")
        by_hand(folder / "hand.duckdb", files, windows)
        hand = [timed(lambda: by_hand(folder / "hand.duckdb", files, windows)) for _ in range(options.rounds)]
        loads = [timed(lambda n=n: load(n)) for n in range(1, options.rounds + 1)]
    ratio = statistics.median(loads) / statistics.median(hand)
    print(f"by hand   {statistics.median(hand):.2f} s")
    print(f"platform  {statistics.median(loads):.2f} s   ratio {ratio:.2f} (at most 2)")
    return ratio


if __name__ == "__main__":
    main()
