"""What lies on the raw side for a day: listed, and fetched once into files that everything else is made from.

A file lies in the folder of its day, or directly in `input_data/`, where its day is that of its delivery (LastModified
in UTC). A file of the second kind that is replaced on a later day belongs to that day too: what the earlier day had of
it lies in the archive.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectInfo, ObjectStore

RAW_PREFIX = "input_data/"
COPY_BYTES = 8 * 2**20
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Delivery:
    """The files of one day, by key; another fingerprint means other content."""

    day: str
    files: Mapping[str, ObjectInfo]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of({key: info.etag for key, info in self.files.items()})

    @property
    def version(self) -> str:
        """When the newest file came: of two deliveries of a day the later one counts."""
        return max(info.modified for info in self.files.values()).astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Listing:
    """What a look at the raw side found, and what of it is no delivery, and why."""

    days: Mapping[str, Delivery]
    strange: Mapping[str, str]


@dataclass(frozen=True)
class FetchedFile:
    """A delivered file on this machine's disk."""

    key: str
    path: Path
    etag: str
    modified: str
    sha256: str
    size: int


def fingerprint_of(etags: Mapping[str, str]) -> str:
    text = "\n".join(f"{key}\t{etag}" for key, etag in sorted(etags.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def listed(objects: Iterable[ObjectInfo], start: date, today: date) -> Listing:
    """The deliveries among the objects of the raw side."""
    days: dict[str, dict[str, ObjectInfo]] = {}
    strange: dict[str, str] = {}
    for info in objects:
        name = info.key.removeprefix(RAW_PREFIX)
        if not name or name.endswith("/"):  # a console leaves an empty object named like the folder
            continue
        if reason := _strangeness(name, start, today):
            strange[info.key] = reason
            continue
        days.setdefault(_day_of(name, info), {})[info.key] = info
    for day in [day for day in days if date.fromisoformat(day) < start]:
        strange |= dict.fromkeys(days.pop(day), _too_early(start))
    return Listing({day: Delivery(day, files) for day, files in sorted(days.items())}, strange)


def look(raw: ObjectStore, start: date, now: datetime) -> Listing:
    """Everything that was delivered."""
    return listed(raw.objects(RAW_PREFIX), start, now.astimezone(UTC).date())


def _strangeness(name: str, start: date, today: date) -> str:
    folder, separator, rest = name.rpartition("/")
    if not rest.lower().endswith(".csv"):
        return "it is no .csv file"
    if not separator:
        return ""
    if not is_day(folder):
        return "its folder is no day (YYYY-MM-DD)"
    if date.fromisoformat(folder) > today:
        return "its day has not come"
    return _too_early(start) if date.fromisoformat(folder) < start else ""


def _too_early(start: date) -> str:
    return f"it lies before the first day {start} (MOVIE_PLATFORM_QUALITY_START)"


def _day_of(name: str, info: ObjectInfo) -> str:
    folder = name.rpartition("/")[0]
    return folder or info.modified.astimezone(UTC).date().isoformat()


def archive_prefix(day: str) -> str:
    return f"archive/quality_movies/{day}/"


@contextmanager
def fetched(
    raw: ObjectStore, lake: ObjectStore, day: str, delivery: Delivery | None, earlier: Mapping[str, tuple[str, str]]
) -> Iterator[list[FetchedFile]]:
    """All files of a day: those that lie on the raw side now, and from the archive what has moved on to later days.

    Where nothing lies on the raw side the day is as it is archived. `earlier` are etag and time of the files as they
    were archived.
    """
    listed_now = delivery.files if delivery else {}
    archived = {info.key.removeprefix(archive_prefix(day)): info for info in lake.objects(archive_prefix(day))}
    kept = {
        key: info
        for key, info in archived.items()
        if key not in listed_now and (not listed_now or "/" not in key.removeprefix(RAW_PREFIX))
    }
    with tempfile.TemporaryDirectory(prefix="movie-platform-quality-") as folder:
        files = []
        for number, (key, info) in enumerate(sorted(listed_now.items())):
            files.append(_copied(raw, key, key, info, Path(folder) / f"{number}.csv"))
        for number, (key, info) in enumerate(sorted(kept.items()), start=len(files)):
            copied = _copied(lake, archive_prefix(day) + key, key, info, Path(folder) / f"{number}.csv")
            etag, modified = earlier.get(key, (copied.etag, copied.modified))
            files.append(FetchedFile(key, copied.path, etag, modified, copied.sha256, copied.size))
        yield sorted(files, key=lambda file: file.key)


def archive(lake: ObjectStore, day: str, files: Iterable[FetchedFile]) -> None:
    """Keep the files byte for byte; what an earlier delivery had under another name goes."""
    wanted = {archive_prefix(day) + file.key: file for file in files}
    stale = [info.key for info in lake.objects(archive_prefix(day)) if info.key not in wanted]
    for key, file in wanted.items():
        lake.upload(key, file.path)
    lake.delete(stale)


def archived_days(lake: ObjectStore) -> list[str]:
    return [name for name in lake.folders("archive/quality_movies/") if is_day(name)]


def _copied(store: ObjectStore, place: str, key: str, info: ObjectInfo, path: Path) -> FetchedFile:
    digest, size = hashlib.sha256(), 0
    with store.open(place) as source, path.open("wb") as target:
        while data := source.read(COPY_BYTES):
            digest.update(data)
            size += len(data)
            target.write(data)
    now = store.info(place)
    if now is None or now.etag != info.etag:
        raise WorldUnavailable(f"{store.uri_of(place)} was replaced while it was read; the run can be repeated")
    modified = info.modified.astimezone(UTC).isoformat(timespec="microseconds")
    return FetchedFile(key, path, info.etag, modified, digest.hexdigest(), size)
