"""What lies on a raw disk and is no regular file: named with its reason, never opened, and no hindrance to the rest."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from movie_platform.deliveries.days import DailyFiles
from movie_platform.errors import ObjectMissing
from movie_platform.lake import LocalStore
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, Schedule, scan
from movie_platform.pipelines.imdb_feed.deliveries import Windows
from movie_platform.pipelines.imdb_feed.status import feed_status

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
WINDOW = "202603010000"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text("a secret")
    return path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore((tmp_path / "store").as_uri())
    store.write("p/sound.csv", b"1")
    return store


def link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def dangling(path: Path, secret: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def loop(path: Path, secret: Path) -> None:
    path.symlink_to(path.name)


def link_to_folder(path: Path, secret: Path) -> None:
    path.symlink_to(secret.parent)


def pipe(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path, secret: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path has at most 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(path.name)
    finally:
        os.chdir(here)


ODD = {
    link: "symbolic link",
    dangling: "symbolic link",
    loop: "symbolic link",
    link_to_folder: "symbolic link",
    pipe: "a named pipe",
    bound_socket: "a socket",
}


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_what_is_no_regular_file_is_named_and_never_opened(
    make: Callable[[Path, Path], None], store: LocalStore, secret: Path
) -> None:
    make(store.root / "p/odd.csv", secret)
    left_out: dict[str, str] = {}
    assert [info.key for info in store.objects("p/", left_out=left_out.__setitem__)] == ["p/sound.csv"]
    assert list(left_out) == ["p/odd.csv"]
    assert ODD[make] in left_out["p/odd.csv"]
    assert store.info("p/odd.csv") is None
    for look in (store.read, store.read_with_info, store.open, store.local_path):
        with pytest.raises(ObjectMissing, match=r"p/odd.csv is no object: .*" + ODD[make]):
            look("p/odd.csv")


def test_a_device_is_left_out(tmp_path: Path) -> None:
    store = LocalStore("file:///dev")
    with pytest.raises(ObjectMissing, match="null is no object: it is a device"):
        store.read("null")


@pytest.mark.parametrize("make", [link_to_folder, loop], ids=["to a folder", "to itself"])
def test_nothing_behind_a_linked_folder_is_seen(
    make: Callable[[Path, Path], None], store: LocalStore, secret: Path
) -> None:
    make(store.root / "p/folder", secret)
    for prefix in ("", "p/", "p/folder/", "p/folder/deeper/"):
        left_out: dict[str, str] = {}
        assert "secret.csv" not in str(list(store.objects(prefix, left_out=left_out.__setitem__)))
        assert list(left_out) == ["p/folder"]
    folders: dict[str, str] = {}
    assert store.folders("p/", left_out=folders.__setitem__) == store.folders("p/folder/") == []
    assert list(folders) == ["p/folder"]
    assert store.info("p/folder/secret.csv") is None
    for look in (store.read, store.open, store.local_path):
        with pytest.raises(ObjectMissing, match=r"secret\.csv is no object: in its path, it is a symbolic link"):
            look("p/folder/secret.csv")


@pytest.mark.parametrize("key", ["../secret.csv", "p/../../secret.csv", "{secret}", "p//sound.csv", "./p/sound.csv"])
def test_a_key_never_leads_out_of_the_store(key: str, store: LocalStore, secret: Path) -> None:
    key = key.format(secret=secret)
    assert store.info(key) is None
    for look in (store.read, store.open, store.local_path):
        with pytest.raises(ObjectMissing, match="is no object"):
            look(key)


def test_the_root_itself_may_be_a_link(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store.root)
    linked = LocalStore((tmp_path / "link").as_uri())
    linked.write("p/new.csv", b"2")
    assert [info.key for info in linked.objects("p/")] == ["p/new.csv", "p/sound.csv"]
    assert (linked.read("p/sound.csv"), store.read("p/new.csv")) == (b"1", b"2")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_name_that_is_not_utf8_is_left_out_under_a_name_that_can_be_printed(kind: str, store: LocalStore) -> None:
    odd = os.fsencode(store.root) + b"/p/caf\xe9.csv"
    if kind == "folder":
        os.mkdir(odd)  # noqa: PTH102
    else:
        Path(os.fsdecode(odd)).write_bytes(b"x")
    left_out: dict[str, str] = {}
    assert [info.key for info in store.objects(left_out=left_out.__setitem__)] == ["p/sound.csv"]
    assert left_out == {"p/caf\\xe9.csv": "its name is not UTF-8"}
    assert store.folders("p/") == []


def test_what_replaces_a_link_is_an_object_and_leaves_its_target_alone(store: LocalStore, secret: Path) -> None:
    link(store.root / "p/odd.csv", secret)
    store.write("p/odd.csv", b"new")
    assert (store.read("p/odd.csv"), secret.read_text()) == (b"new", "a secret")


def test_a_sweep_passes_over_a_pipe(store: LocalStore) -> None:
    os.mkfifo(store.root / ".under-way/pipe")
    assert store.sweep() == 0


def test_a_daily_source_rejects_the_key_and_takes_the_other_files(store: LocalStore, secret: Path) -> None:
    link(store.root / "p/odd.csv", secret)
    found = DailyFiles("p/").listing(store, "2026-01-01", datetime.now(UTC))
    assert [list(delivery.files) for delivery in found.deliveries.values()] == [["p/sound.csv"]]
    assert "symbolic link" in found.rejected_keys["p/odd.csv"]


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_the_feed_names_the_key_in_listing_scan_and_status_and_goes_on(
    make: Callable[[Path, Path], None], store: LocalStore, secret: Path, tmp_path: Path
) -> None:
    lake = LocalStore((tmp_path / "lake").as_uri())
    store.write(f"imdb_raw_data/{WINDOW}/other.csv", b"1")
    make(store.root / f"imdb_raw_data/{WINDOW}/odd.csv", secret)
    make(store.root / "imdb_raw_data/202603010010", secret)
    schedule = Schedule("202602010000", grace=NOW - NOW, lookback=NOW - NOW)
    listing = Windows().listing(store, "202602010000", NOW)
    scanned = scan(store, lake, Cursor(), schedule, NOW)
    for found in (listing, scanned.listing):
        assert sorted(found.rejected_keys) == ["imdb_raw_data/202603010000/odd.csv", "imdb_raw_data/202603010010"]
        assert all(ODD[make] in why for why in found.rejected_keys.values())
    assert list(listing.deliveries) == [delivery.partition for delivery in scanned.arrived] == [WINDOW]
    status = feed_status(store, lake, "202602010000", NOW)
    assert (status.waiting, list(status.rejected.rejected_keys)) == ((WINDOW,), ["imdb_raw_data/202603010010"])
