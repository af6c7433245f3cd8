"""A folder on this machine's disk as a store."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore.store

from movie_platform.errors import WorldUnavailable
from movie_platform.lake.store import ObjectInfo, ObjectStore, Writer

UNDER_WAY = ".under-way"
"""Folder at the store's root for files that are being written: one place to hide and to sweep."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER_ATTEMPTS = 100


class LocalStore(ObjectStore):
    """Writes go to a locked temporary file and appear by a rename; a file whose lock is free has lost its writer."""

    def __init__(self, uri: str) -> None:
        self.root = Path(unquote(urlsplit(uri).path))
        try:
            inner = obstore.store.LocalStore(self.root, mkdir=True)
        except OSError as error:
            raise WorldUnavailable(f"{uri} cannot be used: {error}. Check the address and its permissions.") from error
        super().__init__(uri, inner)

    def objects(self, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """Descends only into folders that can hold a key greater than `after`."""
        with self._reaching(prefix):
            yield from self._scan(prefix, after)

    def _scan(self, folder: str, after: str) -> Iterator[ObjectInfo]:
        if after.startswith(folder):
            # `after` may name an object inside a folder: that folder sorts before it, and holds keys behind it.
            threshold = after[len(folder) :].split("/", 1)[0]
        elif after > folder:
            return
        else:
            threshold = ""
        found: list[tuple[str, os.stat_result | None]] = []
        for name in _names(self.root / folder):
            if name < threshold or (name == UNDER_WAY and not folder):
                continue
            try:
                stat = os.stat(self.root / (folder + name))  # noqa: PTH116 - once an object, on every sensor's tick
            except FileNotFoundError:
                continue
            is_folder = stat.st_mode & 0o170000 == 0o040000
            found.append((folder + name + "/", None) if is_folder else (folder + name, stat))
        for key, stat_ in sorted(found, key=lambda entry: entry[0]):
            if stat_ is None:
                yield from self._scan(key, after)
            elif key > after:
                yield _object_info(key, stat_)

    def folders(self, prefix: str = "") -> list[str]:
        with self._reaching(prefix):
            try:
                with os.scandir(self.root / prefix) as entries:
                    return sorted(e.name for e in entries if e.is_dir() and (prefix or e.name != UNDER_WAY))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def info(self, key: str) -> ObjectInfo | None:
        with self._reaching(key):
            try:
                return _object_info(key, (self.root / key).stat())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def local_path(self, key: str) -> Path | None:
        return self.root / key

    def open(self, key: str) -> BinaryIO:
        with self._reaching(key):
            return (self.root / key).open("rb")

    def write(self, key: str, data: bytes) -> str:
        """In few calls, since a window is half a dozen writes."""
        with self._reaching(key):
            path, descriptor = self._opened_temporary()
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
                etag = _etag(os.fstat(descriptor))
                self._in_its_folder(os.replace, path, key)
            except BaseException:
                os.unlink(path)  # noqa: PTH108
                raise
            finally:
                os.close(descriptor)
        return etag

    def create(self, key: str, data: bytes) -> bool:
        with self._reaching(key), self._temporary() as (path, file):
            file.write(data)
            file.flush()
            try:
                self._in_its_folder(os.link, path, key)
            except FileExistsError:
                created = False
            else:
                created = True
            os.unlink(path)  # noqa: PTH108
            return created

    def upload(self, key: str, path: Path) -> str:
        with self._temporary() as (temporary, target), path.open("rb") as source:
            shutil.copyfileobj(source, target, 1024 * 1024)
            with self._reaching(key):
                target.flush()
                etag = _etag(os.fstat(target.fileno()))
                self._in_its_folder(os.replace, temporary, key)
        return etag

    @contextmanager
    def writer(self, key: str) -> Iterator[Writer]:
        with self._temporary() as (path, file):
            yield file
            with self._reaching(key):
                file.flush()
                self._in_its_folder(os.replace, path, key)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[str, IO[bytes]]]:
        with self._reaching(UNDER_WAY):
            path, descriptor = self._opened_temporary()
        with os.fdopen(descriptor, "wb") as file:
            try:
                yield path, file
            except BaseException:
                os.unlink(path)  # noqa: PTH108
                raise

    def _opened_temporary(self) -> tuple[str, int]:
        """A new file, locked for as long as its writer lives."""
        while True:
            path = os.path.join(self.root, UNDER_WAY, uuid.uuid4().hex)  # noqa: PTH118
            try:
                descriptor = os.open(path, _NEW)
            except FileNotFoundError:
                (self.root / UNDER_WAY).mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, _NEW)
            os.fchmod(descriptor, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)  # a sweep found it before it was locked

    def _in_its_folder(self, put: Callable[[str, str], None], path: str, key: str) -> None:
        """Make the folder only where it is missing, also when another writer's `delete` has just taken it away."""
        target = os.path.join(self.root, key)  # noqa: PTH118
        for _ in range(_FOLDER_ATTEMPTS):
            try:
                return put(path, target)
            except FileNotFoundError:
                with suppress(FileNotFoundError, FileExistsError):
                    Path(target).parent.mkdir(parents=True, exist_ok=True)
        return put(path, target)

    def delete(self, keys: Iterable[str]) -> None:
        """Also removes the folders that become empty: on S3 there are none."""
        for key in keys:
            path = self.root / key
            with self._reaching(key):
                try:
                    path.unlink()
                except (FileNotFoundError, NotADirectoryError):
                    continue
            for parent in path.parents:
                if parent == self.root:
                    break
                try:
                    parent.rmdir()
                except OSError:  # it is not empty, or another process was faster
                    break

    def sweep(self) -> int:
        removed = 0
        for name in _names(self.root / UNDER_WAY):
            path = self.root / UNDER_WAY / name
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
            except (BlockingIOError, FileNotFoundError):  # its writer is alive, or has just finished
                continue
        return removed


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - a third of iterdir's time over 100,000 names
    except (FileNotFoundError, NotADirectoryError):
        return []


def _object_info(key: str, stat: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, stat.st_size, _etag(stat), _EPOCH + timedelta(microseconds=stat.st_mtime_ns // 1000))


def _etag(stat: os.stat_result) -> str:
    """In obstore's form, so that a listing, a write and a read of the same bytes agree; a rename does not change it."""
    return f"{stat.st_ino:x}-{stat.st_mtime_ns // 1000:x}-{stat.st_size:x}"
