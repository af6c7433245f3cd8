"""What every store can do. `local.py` and `s3.py` differ only in how they list, address and clean up."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError

from movie_platform.disks import NEXT, problem_of
from movie_platform.errors import ObjectMissing, WorldUnavailable
from movie_platform.waits import Patience

COPY_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing shows of an object; another `etag` means other content."""

    key: str
    size: int
    etag: str
    modified: datetime

    def day(self, named: str | None) -> date | None:
        """The day that the key names; where it names none, the day the object came, in UTC. None for what is no day."""
        if named is None:
            return self.modified.astimezone(UTC).date()
        try:
            return date.fromisoformat(named)
        except ValueError:
            return None


LeftOut = Callable[[str, str], object]
"""Takes the printable key of what a store lists and does not touch, and why: links, pipes and the like on a disk."""


def ignored(key: str, why: str) -> None:
    """For listings whose reader does not ask what was left out."""


class Writer(Protocol):
    """Where bytes of an object under way go."""

    def write(self, data: bytes, /) -> object: ...


@contextmanager
def copying(uri: str, copy: Path) -> Iterator[None]:
    """Say of an object that is copied to this machine's disk, for the time of some work, that the disk has no room."""
    try:
        yield
    except OSError as error:
        if problem := problem_of(error):
            raise WorldUnavailable(f"{copy}, a copy of {uri}, could not be written: {problem}. {NEXT}") from error
        raise


class ObjectStore(ABC):
    """A bucket, or a prefix of one, or a local folder. Keys are relative to it and use `/`."""

    def __init__(self, uri: str, inner: Any) -> None:
        self.uri = uri
        self.inner = inner

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def uri_of(self, key: str) -> str:
        return f"{self.uri}/{key}"

    @abstractmethod
    def objects(self, prefix: str = "", *, after: str = "", left_out: LeftOut = ignored) -> Iterator[ObjectInfo]:
        """Objects below the folder `prefix` (ends in `/`, or is empty) whose key is greater than `after`, in order.

        What is there and no object goes to `left_out`.
        """

    @abstractmethod
    def folders(self, prefix: str = "", *, left_out: LeftOut = ignored) -> list[str]:
        """Names of the folders directly below the folder `prefix`, sorted."""

    @abstractmethod
    def info(self, key: str) -> ObjectInfo | None:
        """The object as a listing shows it, or None."""

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Where an engine may read the object as a file, where the store is on this machine's disk; `ObjectMissing`
        where what is there is no object."""

    def read(self, key: str) -> bytes:
        return self.read_with_info(key)[0]

    def read_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The bytes and what they are, from one read: the etag is that of these bytes."""
        with self._reaching(key):
            result = obstore.get(self.inner, key)
            return bytes(result.bytes()), self._info(key, result.meta)

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """A seekable reader that fetches what is asked for; of one version of the object, never of two."""

    def on_disk(self, key: str, copy: Path) -> Path:
        """The object as a file of this machine: where it is, or fetched to the path `copy`."""
        if local := self.local_path(key):
            return local
        with copying(self.uri_of(key), copy), self.open(key) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
        return copy

    @abstractmethod
    def write(self, key: str, data: bytes) -> str:
        """Replace the object as a whole; the etag of what was written."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Write the object unless it is there; whether it was written. Of several callers exactly one gets True."""

    @abstractmethod
    def upload(self, key: str, path: Path) -> str:
        """Replace the object by a file's content, in parallel parts where it is large; the etag of what was written."""

    @abstractmethod
    def writer(self, key: str) -> AbstractContextManager[Writer]:
        """Stream an object of any size; it appears when the block ends well, and not at all otherwise."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""

    def patient(self, patience: Patience) -> "ObjectStore":
        """The same store for who has no more time than `patience`. A disk of this machine answers or fails at once."""
        return self

    @abstractmethod
    def sweep(self) -> int:
        """Remove what killed writers left behind and no reader ever sees; the number of remains removed."""

    def _info(self, key: str, meta: Any) -> ObjectInfo:
        return ObjectInfo(key, meta["size"], (meta["e_tag"] or "").strip('"'), meta["last_modified"])

    @contextmanager
    def _reaching(self, key: str) -> Iterator[None]:
        """Say which object could not be reached, as an error that knows whether trying again may help."""
        try:
            yield
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(self.uri_of(key)) from None
        except (BaseError, OSError) as error:
            if isinstance(error, OSError) and (problem := problem_of(error)):
                raise WorldUnavailable(
                    f"{self.uri_of(key)} could not be written: {problem}. Nothing of it is there. {NEXT}"
                ) from error
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise WorldUnavailable(
                f"{self.uri_of(key)} could not be reached: {first_line}. Check the address, permissions and network, "
                "or run `movie-platform doctor`."
            ) from error
