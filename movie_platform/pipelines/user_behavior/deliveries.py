"""Which review files lie on the raw side, each with its day, and their way into the lake."""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date

from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.pipelines.user_behavior.reviews import raw_prefix

PREFIX = "movie_review/"
COPY_BYTES = 8 * 2**20
_KEY = re.compile(rf"{PREFIX}(?:(\d{{4}}-\d{{2}}-\d{{2}})/)?([^/]+\.csv)", re.IGNORECASE)


@dataclass(frozen=True)
class Delivery:
    """The review files of one day by name; another fingerprint means other content."""

    day: date
    files: Mapping[str, ObjectInfo]

    @property
    def fingerprint(self) -> str:
        text = "\n".join(f"{info.key}\t{info.etag}" for _, info in sorted(self.files.items()))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def version(self) -> str:
        """When the newest file came."""
        return max(info.modified for info in self.files.values()).astimezone(UTC).isoformat(timespec="microseconds")

    @property
    def bytes(self) -> int:
        return sum(info.size for info in self.files.values())


def find_deliveries(raw: ObjectStore) -> dict[date, Delivery]:
    """Every delivery by its day, in order. A file outside of a day's folder belongs to the day of its arrival; of two
    files of one name for a day, the one that came last counts."""
    found: dict[date, dict[str, ObjectInfo]] = {}
    for info in raw.objects(PREFIX):
        match = _KEY.fullmatch(info.key)
        day = info.day(match[1]) if match else None
        if match and day:
            files = found.setdefault(day, {})
            known = files.get(match[2])
            if known is None or known.modified <= info.modified:
                files[match[2]] = info
    return {day: Delivery(day, files) for day, files in sorted(found.items())}


def find_delivery(raw: ObjectStore, day: date) -> Delivery:
    """The delivery of a day; without files where there was none."""
    return find_deliveries(raw).get(day, Delivery(day, {}))


@dataclass(frozen=True)
class Copied:
    """What a day's copy in the lake is."""

    files: Mapping[str, str]
    """sha256 by name."""
    bytes: int

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(f"{n}\t{d}" for n, d in sorted(self.files.items())).encode()).hexdigest()


def copy_to_lake(raw: ObjectStore, lake: ObjectStore, delivery: Delivery) -> Copied:
    """Copy a day's files byte for byte to `raw/movie_review/<day>/`, and remove what is no longer part of the day.

    A file outside of a day's folder that was replaced on a later day is that day's from then on; the earlier day keeps
    the copy that it has.
    """
    prefix = raw_prefix(delivery.day)
    digests = {name: _copy(raw, lake, info, prefix + name) for name, info in sorted(delivery.files.items())}
    replaced = {info.key.removeprefix(PREFIX) for info in raw.objects(PREFIX)}
    size = delivery.bytes
    for info in lake.objects(prefix):
        name = info.key.removeprefix(prefix)
        if name in digests:
            continue
        if name in replaced:
            digests[name] = _digest(lake, info.key)
            size += info.size
        else:
            lake.delete([info.key])
    return Copied(digests, size)


def _digest(store: ObjectStore, key: str) -> str:
    digest = _Digesting(lambda data: None)
    with store.open(key) as file:
        shutil.copyfileobj(file, digest, COPY_BYTES)
    return digest.hexdigest()


def _copy(raw: ObjectStore, lake: ObjectStore, info: ObjectInfo, key: str) -> str:
    with raw.open(info.key) as source, lake.writer(key) as target:
        digest = _Digesting(target.write)
        shutil.copyfileobj(source, digest, COPY_BYTES)
        now = raw.info(info.key)
        if now is None or now.etag != info.etag:
            raise WorldUnavailable(f"{raw.uri_of(info.key)} was replaced while it was read; the run can be repeated")
    return digest.hexdigest()


class _Digesting:
    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
