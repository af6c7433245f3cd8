"""What every store promises, on a local folder and on S3."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from movie_platform.errors import ObjectMissing, WorldUnavailable
from movie_platform.lake import LocalStore, ObjectStore, open_store


def keys(store: ObjectStore, prefix: str = "", after: str = "") -> list[str]:
    return [info.key for info in store.objects(prefix, after=after)]


def test_an_object_reads_back_byte_for_byte_with_the_etag_of_the_listing(store: ObjectStore) -> None:
    store.write("a/b c/ü.bin", b"\x00\xff\r\n")
    data, info = store.read_with_info("a/b c/ü.bin")
    assert data == b"\x00\xff\r\n"
    assert [info] == list(store.objects("a/"))
    assert store.info("a/b c/ü.bin") == info
    assert info.size == 4


def test_other_content_has_another_etag(store: ObjectStore) -> None:
    store.write("x", b"one")
    before = store.info("x")
    time.sleep(0.002)
    store.write("x", b"two")
    after = store.info("x")
    assert before is not None
    assert after is not None
    assert before.etag != after.etag


def test_a_listing_starts_behind_a_key_and_keeps_key_order(store: ObjectStore) -> None:
    for key in ["p/1/a", "p/1/b", "p/10/a", "p/2/a", "p/2.csv", "q/1"]:
        store.write(key, b"")
    assert keys(store, "p/") == ["p/1/a", "p/1/b", "p/10/a", "p/2.csv", "p/2/a"]
    assert keys(store, "p/", after="p/1/a") == ["p/1/b", "p/10/a", "p/2.csv", "p/2/a"]
    assert keys(store, "p/", after="p/10") == ["p/10/a", "p/2.csv", "p/2/a"]
    assert keys(store, "p/", after="p/2/a") == []
    assert keys(store, "nothing/") == []
    assert store.folders("p/") == ["1", "10", "2"]
    assert store.folders() == ["p", "q"]


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    assert store.info("not/there") is None
    with pytest.raises(ObjectMissing, match="not/there does not exist"):
        store.read("not/there")


def test_of_many_creators_one_wins(store: ObjectStore) -> None:
    won: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(n) if store.create("once", b"%d" % n) else None)
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("once") == b"%d" % won[0]


def test_a_streamed_object_appears_whole_or_not_at_all(store: ObjectStore) -> None:
    with store.writer("big") as target:
        for _ in range(3):
            target.write(b"x" * 5_000_000)
        assert store.info("big") is None
    assert store.read("big") == b"x" * 15_000_000
    with pytest.raises(ValueError, match="source broke"), store.writer("half") as target:
        target.write(b"x" * 9_000_000)
        raise ValueError("source broke")
    assert keys(store) == ["big"]


def test_an_error_of_the_caller_keeps_its_own_type(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.writer("x") as target:
        target.write(b"")
        (tmp_path / "nowhere").read_bytes()


def test_an_object_is_a_file_of_this_machine_where_it_is_or_as_a_copy(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a/b", b"x" * 10)
    copy = tmp_path / "copy"
    found = store.on_disk("a/b", copy)
    assert found.read_bytes() == b"x" * 10
    assert copy.exists() == (store.local_path("a/b") is None)


def test_a_file_is_uploaded_whole(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(20_000_000))
    store.upload("copy", source)
    assert store.read("copy") == source.read_bytes()


def test_an_open_object_can_be_read_from_its_end(store: ObjectStore) -> None:
    store.write("zip", b"0123456789")
    with store.open("zip") as file:
        file.seek(-3, os.SEEK_END)
        assert bytes(file.read()) == b"789"
        file.seek(2)
        assert bytes(file.read(2)) == b"23"


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore) -> None:
    store.write("d/1", b"")
    store.write("d/2", b"")
    store.delete(["d/1", "d/none"])
    assert keys(store) == ["d/2"]
    store.delete([])
    store.delete(["d/2"])
    assert store.folders() == []


def test_a_reader_never_sees_half_an_object(store: ObjectStore) -> None:
    versions = [bytes([n]) * 300_000 for n in range(1, 4)]
    store.write("hot", versions[0])
    stop = threading.Event()

    def rewrite() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            store.write("hot", versions[n % 3])

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(50):
            assert store.read("hot") in versions
    finally:
        stop.set()
        writer.join()


def _write_slowly(uri: str, started: Path) -> None:
    with open_store(uri).writer("never") as target:
        target.write(b"half")
        started.touch()
        time.sleep(60)


def test_what_a_killed_writer_leaves_is_hidden_and_swept_but_a_live_writers_is_kept(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    assert isinstance(store, LocalStore)
    started = tmp_path / "started"
    process = multiprocessing.get_context("spawn").Process(target=_write_slowly, args=(store.uri, started))
    process.start()
    while not started.exists():
        assert process.is_alive()
        time.sleep(0.01)
    assert store.sweep() == 0
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert keys(store) == []
    assert store.folders() == []
    assert store.sweep() == 1
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_a_sweep_never_takes_the_file_of_a_writer_that_is_about_to_lock_it(tmp_path: Path) -> None:
    store = LocalStore((tmp_path / "store").as_uri())
    done = threading.Event()

    def sweep() -> int:
        swept = 0
        while not done.is_set():
            swept += store.sweep()
        return swept

    with ThreadPoolExecutor(1) as pool:
        sweeper = pool.submit(sweep)
        try:
            for number in range(2_000):
                store.write(f"{number % 10}", b"content")
        finally:
            done.set()
    assert sweeper.exception() is None


def test_an_unreachable_store_says_what_and_where(aws: str) -> None:
    with pytest.raises(WorldUnavailable, match=r"s3://no-such-bucket-at-all/.* could not be reached"):
        list(open_store("s3://no-such-bucket-at-all").objects("x/"))


def test_an_object_replaced_while_it_is_open_never_mixes_two_versions(bucket: str) -> None:
    store = open_store(bucket)
    store.write("zip", b"a" * 20_000_000)
    with store.open("zip") as file:
        file.read(10)
        store.write("zip", b"b" * 20_000_000)
        with pytest.raises(WorldUnavailable, match="zip could not be reached"):
            file.seek(15_000_000)
            file.read(10)


def test_a_writer_never_trips_over_a_folder_that_another_one_empties(tmp_path: Path) -> None:
    """On disk a folder goes with its last object; on S3 there are none."""
    store = open_store((tmp_path / "store").as_uri())
    failures: list[Exception] = []

    def write_and_delete(name: str) -> None:
        try:
            for _ in range(300):
                store.write(f"a/b/{name}", b"x")
                store.delete([f"a/b/{name}"])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write_and_delete, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("size", [0, 5, 9 * 1024 * 1024])
def test_a_write_says_the_etag_that_a_listing_shows(store: ObjectStore, tmp_path: Path, size: int) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"x" * size)
    written = {"a/written": store.write("a/written", b"x" * size), "a/uploaded": store.upload("a/uploaded", path)}
    assert {info.key: info.etag for info in store.objects("a/")} == written
    assert {key: store.read_with_info(key)[1].etag for key in written} == written
