"""A disk that is full or read-only: one message, nothing half, and all of it taken up when there is room."""

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy

from movie_platform.commands.feed import run_windows
from movie_platform.disks import FULL, READ_ONLY
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.settings import load_settings
from movie_platform.warehouse.duckdb import DuckDBWarehouse
from movie_platform.warehouse.duckdb.connection import faults_named
from movie_platform_tests.deliveries.sources import Feed, Quality, subject_of
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver
from movie_platform_tests.pipelines.quality_movies.conftest import delivery as quality_file
from movie_platform_tests.pipelines.quality_movies.conftest import movie as quality_movie
from movie_platform_tests.warehouse.conftest import WINDOWS, Loader, movie

NO_LARGER = "no file may be that large there"


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What every process may do to itself; the system's answer differs from that of a full disk in its number alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, FULL), (errno.EROFS, READ_ONLY)])
def test_a_lake_without_room_says_so_holds_nothing_half_and_is_filled_later(
    number: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(tmp_path)
    deliver(platform.raw, W)
    with monkeypatch.context() as patch:

        def no_room(descriptor: int, data: memoryview) -> int:
            raise OSError(number, os.strerror(number))

        patch.setattr("movie_platform.lake.local.os.write", no_room)
        with pytest.raises(WorldUnavailable, match=f"a/b could not be written: .*{says}"):
            platform.lake.write("a/b", b"x")
    assert list(platform.lake.objects()) == []
    assert list((tmp_path / "lake" / ".under-way").iterdir()) == []
    assert platform.run(W).succeeded
    assert refusals.windows(platform.lake) == []
    assert [row.partition for row in platform.ledger()] == [W]


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(DuckDBWarehouse(tmp_path / "warehouse.duckdb"), open_store((tmp_path / "lake").as_uri()))


@pytest.mark.parametrize(("rows", "limit", "file"), [(200, 4_000, ".wal"), (130_000, 1_300_000, "")])
def test_a_warehouse_without_room_loads_nothing_of_a_load_and_all_of_it_later(
    rows: int, limit: int, file: str, loader: Loader, tmp_path: Path
) -> None:
    loader.window("202601010000", "1", [movie(1)])
    load = loader.partition("202601010010", "1", [movie(n, f"title {n * 7919}") for n in range(rows)])
    path = f"{tmp_path}/warehouse.duckdb"
    with no_file_larger_than(limit):
        with pytest.raises(WorldUnavailable) as caught:
            loader.windows([load])
        assert len(loader.rows(WINDOWS)) == 1
    assert f"loading main.imdb_movie_windows: {path}{file} could not be written: {NO_LARGER}" in str(caught.value)
    assert [row.partition for row in loader.warehouse.ledger(WINDOWS)] == ["202601010000"]
    assert loader.windows([load])[0].outcome == "loaded"
    assert loader.warehouse.query("SELECT count(*) AS n FROM imdb_movie_windows").to_pylist() == [{"n": rows + 1}]


def test_a_warehouse_without_room_for_its_temporary_files_says_which(loader: Loader, tmp_path: Path) -> None:
    spills = "CREATE TEMPORARY TABLE t AS SELECT range AS a, md5(range::text) AS b FROM range(1000000)"

    def spill(*more: str) -> str:
        with pytest.raises(WorldUnavailable) as caught, loader.warehouse.connect("a query") as connection:
            for sql in ("SET memory_limit = '20MB'", *more, spills):
                connection.execute(sql)
        return str(caught.value)

    with no_file_larger_than(1_000_000):
        assert f"a query: {tmp_path}/warehouse.duckdb.tmp/duckdb_temp_" in spill()
    assert f"a query: the folder of its temporary files could not be written: {FULL}" in spill(
        "SET max_temp_directory_size = '1MB'"
    )


@pytest.mark.parametrize(
    ("error", "file", "says"),
    [
        (duckdb.IOException('IO Error: Cannot open file "/w/a.duckdb": Read-only file system'), "/w/a", READ_ONLY),
        (
            duckdb.TransactionException(
                'TransactionContext Error: Failed to commit: Could not write file "/w/a.duckdb.wal": No space left on '
                "device"
            ),
            "/w/a.duckdb.wal",
            FULL,
        ),
        (
            duckdb.FatalException(
                "FATAL Error: Failed: database has been invalidated because of a previous fatal error. Original error: "
                '"IO Error: Could not write file "/w/a.duckdb": Disk quota exceeded"'
            ),
            "/w/a.duckdb",
            "the disk's quota is used up",
        ),
    ],
)
def test_what_duckdb_says_of_a_disk_is_known(error: duckdb.Error, file: str, says: str) -> None:
    says = f"loading a: {file}.* could not be written: {says}"
    with pytest.raises(WorldUnavailable, match=says), faults_named(Path("/w/a.duckdb"), "loading a"):
        raise error


def test_a_value_that_reads_like_an_error_of_the_disk_is_none() -> None:
    text = "Conversion Error: Could not convert string 'IO Error: Could not write file \"a\": No space left on device'"
    with pytest.raises(duckdb.ConversionException), faults_named(Path("/w/a.duckdb"), "loading a"):
        raise duckdb.ConversionException(text)


def test_a_window_whose_load_finds_no_room_is_refused_for_now_and_made_up_for(tmp_path: Path) -> None:
    subject, other = (
        subject_of(Feed, (tmp_path / name / "raw").as_uri(), (tmp_path / name / "lake").as_uri(), tmp_path / name)
        for name in ("full", "undisturbed")
    )
    for feed in (subject, other):
        feed.deliver(7)
        feed.process()
    with no_file_larger_than(8_000):
        subject.load()
    refusal = refusals.get(subject.lake, W)
    assert refusal is not None
    assert (refusal.transient, NO_LARGER in refusal.reason) == (True, True)
    assert subject.owed().keys() == {W}
    subject.settle()
    other.load()
    assert (subject.loaded(), subject.in_lake()) == (7, other.in_lake())
    assert refusals.windows(subject.lake) == []


def test_a_published_copy_that_finds_no_room_takes_none_and_the_load_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", publish_every=timedelta(seconds=1))
    loader = Loader(warehouse, open_store((tmp_path / "lake").as_uri()))
    with monkeypatch.context() as patch:

        def half(source: object, target: object, size: int) -> None:
            target.write(b"half")  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr("movie_platform.warehouse.duckdb.published.shutil.copyfileobj", half)
        with pytest.raises(WorldUnavailable, match=f"read-only copy, could not be renewed: {FULL}"):
            loader.window(W, "1", [movie(1)])
    assert sorted(path.name for path in tmp_path.glob("*warehouse*")) == ["warehouse.duckdb", "warehouse.duckdb.lock"]
    assert [row.partition for row in warehouse.ledger(WINDOWS)] == [W]
    assert warehouse.published.path.exists()


def test_a_warehouse_whose_folder_is_read_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("movie_platform.warehouse.duckdb.lock.os.open", refuse)
    with pytest.raises(
        WorldUnavailable, match=rf"reading the ledger: .*duckdb\.lock could not be opened .*{READ_ONLY}"
    ):
        DuckDBWarehouse(tmp_path / "warehouse.duckdb").ledger()


def test_a_copy_for_the_time_of_the_work_that_finds_no_room_is_named(tmp_path: Path) -> None:
    class Far(LocalStore):
        def local_path(self, key: str) -> Path | None:
            return None

    store: ObjectStore = Far((tmp_path / "lake").as_uri())
    store.write("a", b"x" * 50_000)
    with no_file_larger_than(10_000), pytest.raises(WorldUnavailable, match=f"/copy, a copy of .*/a, .*{NO_LARGER}"):
        store.on_disk("a", tmp_path / "copy")


def test_a_day_whose_files_find_no_room_beside_the_lake_is_made_when_there_is_some(tmp_path: Path) -> None:
    day = subject_of(Quality, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    rows = [quality_movie(f"content {number}") for number in range(300)]
    day.raw.write(f"input_data/{day.partition}/movies.csv", quality_file(*rows))
    with (
        no_file_larger_than(10_000),
        pytest.raises(WorldUnavailable, match=f"a copy of .*/movies.csv, .*{NO_LARGER}"),
    ):
        day.run()
    assert list(day.lake.objects()) == []
    day.settle()
    assert day.warehouse.query("SELECT count(*) AS n FROM movies.imdb_movies_rating").to_pylist() == [{"n": 300}]


PRAGMAS = {FULL: "PRAGMA max_page_count = 1", READ_ONLY: "PRAGMA query_only = ON"}
"""By which SQLite answers as on such a disk: no page more than there are, and no write."""


@contextmanager
def sqlite(pragma: str, *, when: Path) -> Iterator[None]:
    """Dagster opens its databases for each question: those opened once the path is there take nothing more."""

    def connected(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection) and when.exists():
            connection.execute(pragma)

    sqlalchemy.event.listen(sqlalchemy.Pool, "connect", connected)
    try:
        yield
    finally:
        sqlalchemy.event.remove(sqlalchemy.Pool, "connect", connected)


@pytest.mark.parametrize("says", [FULL, pytest.param(READ_ONLY, marks=pytest.mark.soak)])
def test_a_run_whose_dagster_home_takes_nothing_says_so_and_the_same_command_goes_on(says: str, tmp_path: Path) -> None:
    settings = load_settings(
        raw_uri=(tmp_path / "raw").as_uri(),
        lake_uri=(tmp_path / "lake").as_uri(),
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
        dagster_home=tmp_path / "home",
        feed_start=W,
    )
    deliver(open_store(settings.raw_uri), W)
    beginning = f"{tmp_path}/home (DAGSTER_HOME), where Dagster keeps runs and events, could not be written: {says}"
    archive = tmp_path / "lake" / "archive"
    for when in (tmp_path, archive):  # from the beginning, and from the middle of the assets' step on
        assert not archive.exists()
        with sqlite(PRAGMAS[says], when=when), pytest.raises(WorldUnavailable) as caught:
            run_windows(settings, W, W)
        assert str(caught.value).startswith(beginning)
    assert archive.exists()
    assert run_windows(settings, W, W)
    assert [row.partition for row in Platform(tmp_path).ledger()] == [W]
    assert refusals.windows(open_store(settings.lake_uri)) == []


SMALL_DISK = """
set -e
mount -t tmpfs -o size="$SIZE" none "$DISK"
trap 'umount -l "$DISK"' EXIT
platform() { echo "== $1"; shift; "$PYTHON" -m movie_platform "$@" 2>&1 || echo "ended with $?"; }
platform "deliver" simulate feed --windows 2 --start 202601010000
platform "first" run feed --from 202601010000 --to 202601010000
head -c 1G /dev/zero > "$DISK/filler" 2>/dev/null || true
platform "full" run feed --from 202601010000 --to 202601010010
rm "$DISK/filler"
mount -o remount,ro "$DISK"
platform "read-only" run feed --from 202601010000 --to 202601010010
mount -o remount,rw "$DISK"
platform "again" run feed --from 202601010000 --to 202601010010 --json
platform "then" run feed --from 202601010000 --to 202601010010
"""
"""A disk of its own for a folder of the platform: full, read-only, and with room again."""


@pytest.mark.soak
@pytest.mark.parametrize("what", ["lake", "warehouse", "home"])
def test_the_command_on_a_real_disk_without_room_says_so_and_goes_on_when_there_is_some(
    what: str, tmp_path: Path
) -> None:
    as_oneself = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*as_oneself, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody but root mount a disk of memory")
    disk = tmp_path / what
    disk.mkdir()
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "DISK": str(disk),
        "SIZE": "20m",
        "DAGSTER_HOME": str(tmp_path / "home"),
        "MOVIE_PLATFORM_RAW_URI": (tmp_path / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (tmp_path / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{tmp_path}/warehouse/warehouse.duckdb",
        "MOVIE_PLATFORM_FEED_START": "202601010000",
    }
    ran = subprocess.run([*as_oneself, "bash", "-c", SMALL_DISK], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    parts = dict(part.split("\n", 1) for part in ran.stdout.split("== ")[1:])
    for when, says in (("full", FULL), ("read-only", READ_ONLY)):
        said = " ".join(parts[when].split())
        assert "ended with 1" in said, parts
        assert str(disk) in said, parts
        assert says in said, parts
        assert "Traceback" not in said, parts
    assert '"succeeded": true' in parts["again"], parts
    assert "Windows skipped, since they are processed and loaded already: 2" in parts["then"], parts
