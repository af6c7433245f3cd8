"""What is on the raw side for a window: listed, and read once."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

from movie_platform.csv_files.strict import Open
from movie_platform.deliveries import Delivery, Listing
from movie_platform.lake import LeftOut, ObjectInfo, ObjectStore, ignored
from movie_platform.pipelines.imdb_feed.tables import TRIPLET
from movie_platform.pipelines.imdb_feed.verification import (
    REMEMBERED_BYTES,
    Verification,
    examine,
    file_name,
    verify,
)
from movie_platform.pipelines.imdb_feed.windows import LENGTH, is_window, key_of, span, start_of

NAME = "imdb_feed"
RAW_PREFIX = "imdb_raw_data/"
LOOKED_INTO_AT_MOST = 2_000
"""Folders on disk that a scan tries one by one before a listing of all names is cheaper: two weeks of windows."""
MAX_BYTES = 100_000_000
"""Of one file. A window is held in memory, and a file takes up to six times its size there: 2 GB for the three."""


def is_complete(delivery: Delivery) -> bool:
    """Whether the window's three files are there."""
    return all(file_name(delivery.partition, kind) in delivery.files for kind in TRIPLET)


def find(raw: ObjectStore, window: str) -> Delivery | None:
    """The window's delivery as it is there now; None where no file is."""
    return of(window, raw.objects(f"{RAW_PREFIX}{window}/"))


def of(window: str, objects: Iterable[ObjectInfo]) -> Delivery | None:
    prefix = f"{RAW_PREFIX}{window}/"
    # A console leaves an empty object named like the folder; it is no file.
    files = {info.key.removeprefix(prefix): info for info in objects if info.key.rstrip("/") + "/" != prefix}
    return Delivery(window, files) if files else None


def why_rejected(folder: str, start: str) -> str:
    """Why a folder of the raw side is no window of the feed; empty where it is one."""
    if not is_window(folder):
        return "the name is no ten-minute window (YYYYMMDDHHMM in UTC, at a full ten minutes)"
    if folder < start:
        return f"it is before the feed's first window {start} (MOVIE_PLATFORM_FEED_START)"
    return ""


def folders(
    raw: ObjectStore, floor: str, now: datetime, left_out: LeftOut = ignored
) -> Iterator[tuple[str, list[ObjectInfo]]]:
    """The raw side's folders from the floor on, with their files.

    On this machine's disk a listing has to read all names of a folder. Behind a floor it is cheaper to look into each
    folder that can be there, an hour ahead of the clock included. Folders of another name, and those before the
    feed's start, are then named by the hourly reconciliation, whose report the next tick passes on.
    """
    if floor and raw.local_path(RAW_PREFIX) and now - start_of(floor) <= LENGTH * LOOKED_INTO_AT_MOST:
        for window in span(floor, key_of(now + timedelta(hours=1))):
            if objects := list(raw.objects(f"{RAW_PREFIX}{window}/", left_out=left_out)):
                yield window, objects
        return
    listed = raw.objects(RAW_PREFIX, after=RAW_PREFIX + floor if floor else "", left_out=left_out)
    for folder, found in groupby(listed, key=lambda info: info.key.removeprefix(RAW_PREFIX).split("/", 1)[0]):
        yield folder, list(found)


@dataclass(frozen=True)
class Windows:
    """A folder for each ten-minute window: `imdb_raw_data/<window>/<file>`."""

    def listing(self, raw: ObjectStore, first: str, now: datetime, last: str = "") -> Listing:
        """Every window that was delivered from the first to the last, and the folders that are none."""
        found = Listing()
        for folder, objects in folders(raw, first if last else "", now, found.reject):
            if last and folder > last:
                break
            if reason := why_rejected(folder, first):
                found.reject(RAW_PREFIX + folder, reason)
            elif folder > key_of(now):
                found.reject(RAW_PREFIX + folder, "its time has not come")
            elif delivery := of(folder, objects):
                found.deliveries[folder] = delivery
        return found

    def find(self, raw: ObjectStore, partition: str, now: datetime) -> Delivery | None:
        return find(raw, partition)


def too_large(delivery: Delivery, max_bytes: int) -> str:
    """Why the window must not be read into memory, by the listing's sizes; empty where it may."""
    names = (file_name(delivery.partition, kind) for kind in TRIPLET)
    sizes = {name: delivery.files[name].size for name in names if name in delivery.files}
    return "; ".join(
        f"size: {name} has {size:,} bytes, and at most {max_bytes:,} are allowed: deliver it smaller, or raise "
        "MOVIE_PLATFORM_FEED_MAX_BYTES and run the window again"
        for name, size in sizes.items()
        if size > max_bytes
    )


def judged(raw: ObjectStore, delivery: Delivery) -> tuple[Delivery, dict[str, bytes], Verification]:
    """The triplet's bytes, the delivery as these bytes were, and how they fare.

    A large file is looked through on disk before it is read into memory: where the window is refused, no bytes come.
    """
    if any(info.size > REMEMBERED_BYTES for info in delivery.files.values()):
        with tempfile.TemporaryDirectory(prefix="movie-platform-delivery-") as folder:
            found = examine(delivery.partition, _on_disk(raw, delivery, Path(folder)))
        if found.reason:
            return delivery, {}, found
    delivery, contents = read(raw, delivery)
    return delivery, contents, verify(delivery.partition, contents)


def _on_disk(raw: ObjectStore, delivery: Delivery, folder: Path) -> dict[str, Open]:
    """The delivery's files as `read` has them: those that do not belong to a triplet are empty."""
    names = {file_name(delivery.partition, kind) for kind in TRIPLET}
    files: dict[str, Open] = {}
    for number, (name, info) in enumerate(delivery.files.items()):
        if name not in names:
            files[name] = io.BytesIO
        elif raw.local_path(info.key):
            files[name] = partial(raw.open, info.key)
        else:
            files[name] = partial(io.FileIO, raw.on_disk(info.key, folder / str(number)))
    return files


def read(raw: ObjectStore, delivery: Delivery) -> tuple[Delivery, dict[str, bytes]]:
    """The triplet's bytes, and the delivery as these bytes were: a file may have been replaced since the listing.

    Files that do not belong to a triplet are named and not read.
    """
    contents: dict[str, bytes] = {}
    infos = dict(delivery.files)
    for name in (file_name(delivery.partition, kind) for kind in TRIPLET):
        if name in infos:
            contents[name], infos[name] = raw.read_with_info(infos[name].key)
    contents |= {name: b"" for name in infos if name not in contents}
    return Delivery(delivery.partition, infos), contents
