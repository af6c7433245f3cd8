"""The embedded warehouse's file: who may open it when, and the copy for others."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from movie_platform.errors import WarehouseDamaged, WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.setting_values import PROJECT_ROOT
from movie_platform.settings import load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform_tests.warehouse.conftest import WINDOWS, Loader, movie
from movie_platform_tests.warehouse.test_contract import FIRST, SECOND


@contextmanager
def program(code: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """Another Python process, from the line that it prints until the block ends."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


HOLDER = """
    import sys
    from datetime import timedelta
    from pathlib import Path
    from movie_platform.warehouse.duckdb import DuckDBWarehouse
    with DuckDBWarehouse(Path(sys.argv[1])).connect("loading main.everything"):
        print("ready", flush=True)
        sys.stdin.read()
"""
STRANGER = """
    import sys, duckdb
    connection = duckdb.connect(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    connection.close()
    print("closed", flush=True)
"""

KILLED = """
    import sys, duckdb
    connection = duckdb.connect(sys.argv[1])
    connection.execute("CREATE TABLE late AS SELECT * FROM range(1000)")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def impatient(duckdb_path: Path, lake: ObjectStore) -> Loader:
    return Loader(DuckDBWarehouse(duckdb_path, wait=timedelta(seconds=0.5)), lake)


@pytest.fixture
def patient(duckdb_path: Path, lake: ObjectStore) -> Loader:
    return Loader(DuckDBWarehouse(duckdb_path, wait=timedelta(seconds=30)), lake)


def test_an_address_of_three_slashes_is_relative_and_one_of_four_absolute() -> None:
    relative = open_warehouse(load_settings(warehouse="duckdb:///.data/w.duckdb"))
    absolute = open_warehouse(load_settings(warehouse="duckdb:////data/w.duckdb"))
    assert isinstance(relative, DuckDBWarehouse)
    assert isinstance(absolute, DuckDBWarehouse)
    assert relative.path == PROJECT_ROOT / ".data/w.duckdb"
    assert absolute.path == Path("/data/w.duckdb")


def test_opening_a_warehouse_touches_nothing(duckdb_path: Path) -> None:
    DuckDBWarehouse(duckdb_path)
    assert not duckdb_path.parent.exists() or not list(duckdb_path.parent.iterdir())


def test_who_waits_too_long_is_told_which_load_holds_the_warehouse(impatient: Loader, duckdb_path: Path) -> None:
    with program(HOLDER, duckdb_path) as holder:
        message = rf"process {holder.pid} \(loading main\.everything, since 20.*waiting for a query"
        with pytest.raises(WorldUnavailable, match=message):
            impatient.warehouse.query("SELECT 1")
        with pytest.raises(WorldUnavailable, match=r"waiting for loading main.imdb_movie_windows"):
            impatient.window(FIRST, "1", [movie(1)])


def test_a_holder_that_is_killed_frees_the_warehouse(impatient: Loader, duckdb_path: Path) -> None:
    with program(HOLDER, duckdb_path) as holder:
        holder.kill()
        holder.wait()
        assert impatient.warehouse.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_load_waits_while_another_program_has_the_file_open(patient: Loader, duckdb_path: Path) -> None:
    with program(STRANGER, duckdb_path) as stranger:
        assert stranger.stdin is not None
        assert stranger.stdout is not None
        results = []
        load = threading.Thread(target=lambda: results.append(patient.window(FIRST, "1", [movie(1)])))
        load.start()
        time.sleep(0.3)
        assert not results
        stranger.stdin.write("\n")
        stranger.stdin.flush()
        load.join(20)
    assert results[0].outcome == "loaded"


def test_a_program_that_keeps_the_file_open_is_named(impatient: Loader, duckdb_path: Path) -> None:
    with (
        program(STRANGER, duckdb_path) as stranger,
        pytest.raises(WorldUnavailable, match=rf"held open by process {stranger.pid} \(.*read-only copy"),
    ):
        impatient.window(FIRST, "1", [movie(1)])


def test_threads_take_turns_like_processes(patient: Loader) -> None:
    loads = [threading.Thread(target=patient.window, args=(f"20260101{n:02}00", "1", [movie(n)])) for n in range(6)]
    for load in loads:
        load.start()
    for load in loads:
        load.join(30)
    assert len(patient.rows(WINDOWS)) == 6


def file_of(loader: Loader) -> Path:
    assert isinstance(loader.warehouse, DuckDBWarehouse)
    return loader.warehouse.path


def flipped(data: bytes, *places: int) -> bytes:
    damaged = bytearray(data)
    for place in places:
        damaged[place] ^= 0xFF
    return bytes(damaged)


DAMAGED_WHEN_OPENED: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _data: b"no database " * 1000,
    "empty": lambda _data: b"",
    "cut in the header": lambda data: data[:100],
    "first byte": lambda data: flipped(data, 0),
    "magic": lambda data: flipped(data, 8),
    "both headers": lambda data: flipped(data, 4100, 8200),
}


@pytest.fixture
def in_lockers(tmp_path: Path, lake: ObjectStore) -> Loader:
    """A warehouse in a folder whose name holds the word that DuckDB writes of a held lock, with 20,000 rows."""
    path = tmp_path / "lockers" / "warehouse.duckdb"
    loader = Loader(DuckDBWarehouse(path, wait=timedelta(minutes=10)), lake)
    loader.window(FIRST, "1", [movie(n, f"title {n} {n * n}") for n in range(20_000)])
    return loader


@pytest.mark.parametrize("damage", DAMAGED_WHEN_OPENED)
def test_a_damaged_file_is_named_at_once_with_the_way_out(in_lockers: Loader, damage: str) -> None:
    path = file_of(in_lockers)
    path.write_bytes(DAMAGED_WHEN_OPENED[damage](path.read_bytes()))
    way_out = r"lockers/warehouse\.duckdb is damaged: .*Restore it from a copy, or run `movie-platform warehouse "
    with pytest.raises(WarehouseDamaged, match=way_out):
        in_lockers.warehouse.query("SELECT 1")
    with pytest.raises(WarehouseDamaged, match=way_out):
        in_lockers.window(SECOND, "1", [movie(1)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: flipped(data, *range(12288, len(data), 65536)),
        lambda data: data[: len(data) // 4],
        lambda data: data[:12288] + bytes(len(data) - 12288),
    ],
    ids=["flipped", "cut", "zeros"],
)
def test_damage_in_the_middle_is_named_by_the_query_and_the_load_that_meet_it(
    in_lockers: Loader, damage: Callable[[bytes], bytes]
) -> None:
    path = file_of(in_lockers)
    data = path.read_bytes()
    path.write_bytes(damage(data))
    with pytest.raises(WarehouseDamaged, match=r"warehouse\.duckdb is damaged: "):
        in_lockers.rows(WINDOWS)
    with pytest.raises(WarehouseDamaged, match=r"warehouse\.duckdb is damaged: "):
        in_lockers.window(FIRST, "2", [movie(1)])
    path.write_bytes(data)
    assert len(in_lockers.rows(WINDOWS)) == 20_000


def test_a_damaged_log_of_changes_is_named(in_lockers: Loader) -> None:
    path = file_of(in_lockers)
    log = path.with_name("warehouse.duckdb.wal")
    with program(KILLED, path):
        entries = log.read_bytes()
    log.write_bytes(flipped(entries, len(entries) // 2))
    with pytest.raises(WarehouseDamaged, match=r"Failure while replaying WAL file.*warehouse\.duckdb\.wal"):
        in_lockers.warehouse.query("SELECT 1")


def test_the_published_copy_is_offered_in_the_place_of_a_damaged_file(duckdb_path: Path, lake: ObjectStore) -> None:
    loader = Loader(DuckDBWarehouse(duckdb_path, publish_every=timedelta(minutes=5)), lake)
    loader.window(FIRST, "1", [movie(1)])
    duckdb_path.write_bytes(b"")
    with pytest.raises(WarehouseDamaged, match=r"Restore it from a copy, such as .*warehouse\.published\.duckdb"):
        loader.rows(WINDOWS)


def test_a_question_that_quotes_the_words_of_damage_is_no_damage(impatient: Loader) -> None:
    with pytest.raises(duckdb.ConversionException):
        impatient.warehouse.query("SELECT CAST('Corrupt database file' AS INTEGER)")


def test_a_file_that_cannot_be_opened_is_no_damage_and_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(WorldUnavailable, match="could not be opened"):
        DuckDBWarehouse(tmp_path / "lock", wait=timedelta(minutes=10)).query("SELECT 1")


def published(path: Path) -> Path:
    return path.with_name("warehouse.published.duckdb")


def count(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT count(*) FROM imdb_movie_windows").fetchall()[0][0]


def test_no_copy_is_published_unless_asked_for(impatient: Loader, duckdb_path: Path) -> None:
    impatient.window(FIRST, "1", [movie(1)])
    assert not published(duckdb_path).exists()


def test_the_published_copy_is_renewed_after_loads_but_not_more_often_than_asked(
    duckdb_path: Path, lake: ObjectStore
) -> None:
    loader = Loader(DuckDBWarehouse(duckdb_path, publish_every=timedelta(minutes=5)), lake)
    loader.window(FIRST, "1", [movie(1)])
    assert count(published(duckdb_path)) == 1
    loader.window(SECOND, "1", [movie(2)])
    assert count(published(duckdb_path)) == 1
    past = time.time() - 301
    os.utime(published(duckdb_path), (past, past))
    loader.window(SECOND, "1", [movie(2)])
    assert count(published(duckdb_path)) == 2


def test_a_client_that_holds_the_copy_open_hinders_no_load_and_keeps_what_it_sees(
    duckdb_path: Path, lake: ObjectStore
) -> None:
    loader = Loader(DuckDBWarehouse(duckdb_path, publish_every=timedelta(seconds=0.001)), lake)
    loader.window(FIRST, "1", [movie(1)])
    with duckdb.connect(str(published(duckdb_path)), read_only=True) as client:
        loader.window(SECOND, "1", [movie(2)])
        assert client.execute("SELECT count(*) FROM imdb_movie_windows").fetchall() == [(1,)]
    assert count(published(duckdb_path)) == 2
    assert published(duckdb_path).stat().st_mode & 0o222 == 0


_READER = """
import sys
import duckdb
for _ in sys.stdin:
    with duckdb.connect(sys.argv[1], read_only=True) as copy:
        print(copy.sql("SELECT count(*) FROM imdb_movie_windows").fetchall()[0][0], flush=True)
"""


def test_another_process_reads_the_copy_while_the_warehouse_is_being_written(
    duckdb_path: Path, lake: ObjectStore
) -> None:
    loader = Loader(DuckDBWarehouse(duckdb_path, publish_every=timedelta(seconds=0.001)), lake)
    loader.window(FIRST, "1", [movie(1)])
    with subprocess.Popen(
        [sys.executable, "-c", _READER, str(published(duckdb_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> int:
            print("read", file=reader.stdin, flush=True)
            return int(reader.stdout.readline())

        with duckdb.connect(str(duckdb_path)) as load:
            load.execute("BEGIN")
            load.execute("DELETE FROM imdb_movie_windows")
            assert seen() == 1
            load.execute("ROLLBACK")
        loader.window(SECOND, "1", [movie(2)])
        assert seen() == 2
        reader.stdin.close()


def test_parquet_in_a_bucket_is_fetched_through_the_lake(bucket: str, duckdb_path: Path) -> None:
    loader = Loader(DuckDBWarehouse(duckdb_path), open_store(bucket))
    loader.windows([loader.partition(FIRST, "1", [movie(1)]), loader.partition(SECOND, "1", [movie(2)])])
    assert [row["window"] for row in loader.rows(WINDOWS)] == [FIRST, SECOND]
