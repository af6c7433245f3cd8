"""What lies in the raw side's folder of a window: listed, and read once."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.imdb_feed.tables import TRIPLET
from movie_platform.pipelines.imdb_feed.verification import file_name

RAW_PREFIX = "imdb_raw_data/"


@dataclass(frozen=True)
class Delivery:
    """The files of one window, by name; another fingerprint means other content."""

    window: str
    files: Mapping[str, ObjectInfo]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of({name: info.etag for name, info in self.files.items()})

    @property
    def version(self) -> str:
        """When the newest file came: of two deliveries of a window the later one counts."""
        return self.newest_file_at.isoformat(timespec="microseconds")

    @property
    def newest_file_at(self) -> datetime:
        return max(info.modified for info in self.files.values())

    @property
    def first_file_at(self) -> datetime:
        return min(info.modified for info in self.files.values())

    @property
    def is_complete(self) -> bool:
        return all(file_name(self.window, kind) in self.files for kind in TRIPLET)


def fingerprint_of(etags: Mapping[str, str]) -> str:
    text = "\n".join(f"{name}\t{etag}" for name, etag in sorted(etags.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def find(raw: ObjectStore, window: str) -> Delivery | None:
    """The window's delivery as it lies there now; None where no file does."""
    return of(window, raw.objects(f"{RAW_PREFIX}{window}/"))


def of(window: str, objects: Iterable[ObjectInfo]) -> Delivery | None:
    prefix = f"{RAW_PREFIX}{window}/"
    # A console leaves an empty object named like the folder; it is no file.
    files = {info.key.removeprefix(prefix): info for info in objects if info.key.rstrip("/") + "/" != prefix}
    return Delivery(window, files) if files else None


def read(raw: ObjectStore, delivery: Delivery) -> tuple[Delivery, dict[str, bytes]]:
    """The triplet's bytes, and the delivery as these bytes were: a file may have been replaced since the listing.

    Files that do not belong to a triplet are named and not read.
    """
    contents: dict[str, bytes] = {}
    infos = dict(delivery.files)
    for name in (file_name(delivery.window, kind) for kind in TRIPLET):
        if name in infos:
            contents[name], infos[name] = raw.read_with_info(infos[name].key)
    contents |= {name: b"" for name in infos if name not in contents}
    return Delivery(delivery.window, infos), contents
