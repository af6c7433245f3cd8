"""A folder on this machine's disk as a store."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK
from typing import IO, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore.store

from movie_platform.errors import ObjectMissing, WorldUnavailable
from movie_platform.lake.store import LeftOut, ObjectInfo, ObjectStore, Writer, ignored

UNDER_WAY = ".under-way"
"""Folder at the store's root for files that are being written: one place to hide and to sweep."""

NO_LINK = "it is a symbolic link, and links below the store's own folder are not followed"
NO_UTF8 = "its name is not UTF-8"

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER_ATTEMPTS = 100


class LocalStore(ObjectStore):
    """Writes go to a locked temporary file and appear by a rename; a file whose lock is free has lost its writer.

    Objects are regular files whose names are UTF-8. The folder itself may be a symbolic link; a link below it, a pipe,
    a device and a socket are listed as left out and never opened.
    """

    def __init__(self, uri: str) -> None:
        self.root = Path(unquote(urlsplit(uri).path))
        try:
            inner = obstore.store.LocalStore(self.root, mkdir=True)
        except OSError as error:
            raise WorldUnavailable(f"{uri} cannot be used: {error}. Check the address and its permissions.") from error
        super().__init__(uri, inner)

    def objects(self, prefix: str = "", *, after: str = "", left_out: LeftOut = ignored) -> Iterator[ObjectInfo]:
        """Descends only into folders that can hold a key greater than `after`."""
        with self._reaching(prefix):
            if not self._is_behind_link(prefix, left_out):
                yield from self._scan(prefix, after, left_out)

    def _is_behind_link(self, prefix: str, left_out: LeftOut) -> bool:
        path = os.fspath(self.root)
        for part in prefix.split("/")[:-1]:
            path = os.path.join(path, part)  # noqa: PTH118 - once a window, on every sensor's tick
            if os.path.islink(path):  # noqa: PTH114
                left_out(path[len(os.fspath(self.root)) + 1 :], NO_LINK)
                return True
        return False

    def _scan(self, folder: str, after: str, left_out: LeftOut) -> Iterator[ObjectInfo]:
        if after.startswith(folder):
            # `after` may name an object inside a folder: that folder sorts before it, and holds keys behind it.
            threshold = after[len(folder) :].split("/", 1)[0]
        elif after > folder:
            return
        else:
            threshold = ""
        found: list[tuple[str, os.stat_result | None]] = []
        for entry in _entries(self.root / folder):
            name = entry.name
            if name < threshold or (name == UNDER_WAY and not folder):
                continue
            try:
                if why := _why_left_out(entry):
                    left_out(_printable(folder + name), why)
                elif entry.is_dir(follow_symlinks=False):
                    found.append((folder + name + "/", None))
                else:
                    found.append((folder + name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
        for key, stat in sorted(found, key=lambda entry: entry[0]):
            if stat is None:
                yield from self._scan(key, after, left_out)
            elif key > after:
                yield _object_info(key, stat)

    def folders(self, prefix: str = "", *, left_out: LeftOut = ignored) -> list[str]:
        with self._reaching(prefix):
            if self._is_behind_link(prefix, left_out):
                return []
            found = []
            for entry in _entries(self.root / prefix):
                if entry.name == UNDER_WAY and not prefix:
                    continue
                if why := _why_left_out(entry):
                    left_out(_printable(prefix + entry.name), why)
                elif entry.is_dir(follow_symlinks=False):
                    found.append(entry.name)
            return sorted(found)

    def info(self, key: str) -> ObjectInfo | None:
        with self._reaching(key):
            try:
                return _object_info(key, self._stat(key))
            except (FileNotFoundError, ObjectMissing):
                return None

    def local_path(self, key: str) -> Path | None:
        with self._reaching(key):
            path = key.rstrip("/")
            if path:
                with suppress(FileNotFoundError):  # what is not there yet has a place all the same
                    self._stat(path)
            return self.root / key

    def read_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        with self.open(key) as file, self._reaching(key):
            return file.read(), _object_info(key, os.fstat(file.fileno()))

    def open(self, key: str) -> BinaryIO:
        with self._reaching(key), self._folder_of(key) as (folder, name):
            self._must_be_regular(key, os.stat(name, dir_fd=folder, follow_symlinks=False))
            # Between two calls a pipe may have taken the file's place: opening one must not wait for its writer.
            file = os.fdopen(os.open(name, _READ, dir_fd=folder), "rb")
            try:
                self._must_be_regular(key, os.fstat(file.fileno()))
            except ObjectMissing:
                file.close()
                raise
            return file

    def _stat(self, key: str) -> os.stat_result:
        with self._folder_of(key) as (folder, name):
            stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
        self._must_be_regular(key, stat)
        return stat

    def _must_be_regular(self, key: str, stat: os.stat_result) -> None:
        if S_ISDIR(stat.st_mode):
            raise FileNotFoundError(key)
        if not S_ISREG(stat.st_mode):
            raise ObjectMissing(self.uri_of(key), f"is no object: {_why_no_file(stat.st_mode)}")

    @contextmanager
    def _folder_of(self, key: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the key's folder, reached from the root without following a link, and the name in it."""
        *folders, name = key.split("/")
        if not {"", ".", ".."}.isdisjoint([*folders, name]):
            raise ObjectMissing(self.uri_of(key), "is no object: its key leads out of the store or to a folder")
        descriptor = os.open(self.root, _FOLDER)
        try:
            for part in folders:
                try:
                    inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                except OSError as error:
                    if S_ISLNK(os.stat(part, dir_fd=descriptor, follow_symlinks=False).st_mode):
                        raise ObjectMissing(self.uri_of(key), f"is no object: in its path, {NO_LINK}") from None
                    if isinstance(error, NotADirectoryError):
                        raise FileNotFoundError(key) from None
                    raise
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

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
        for entry in _entries(self.root / UNDER_WAY):
            path = Path(entry.path)
            try:
                if not entry.is_file(follow_symlinks=False):
                    continue
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
            except (BlockingIOError, FileNotFoundError):  # its writer is alive, or has just finished
                continue
        return removed


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _why_left_out(entry: "os.DirEntry[str]") -> str:
    """Why the entry is neither folder nor object; empty where it is one of them. Asks the disk only for odd entries."""
    if not entry.name.isascii() and not _is_utf8(entry.name):
        return NO_UTF8
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
        return ""
    return _why_no_file(entry.stat(follow_symlinks=False).st_mode)


def _why_no_file(mode: int) -> str:
    if S_ISLNK(mode):
        return NO_LINK
    kind = "a named pipe" if S_ISFIFO(mode) else "a socket" if S_ISSOCK(mode) else "a device"
    return f"it is {kind}, and only regular files are read"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(key: str) -> str:
    """A name that is not UTF-8 comes with lone surrogates, which no log and no JSON takes."""
    return os.fsencode(key).decode("utf-8", "backslashreplace")


def _object_info(key: str, stat: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, stat.st_size, _etag(stat), _EPOCH + timedelta(microseconds=stat.st_mtime_ns // 1000))


def _etag(stat: os.stat_result) -> str:
    """In obstore's form, so that a listing, a write and a read of the same bytes agree; a rename does not change it."""
    return f"{stat.st_ino:x}-{stat.st_mtime_ns // 1000:x}-{stat.st_size:x}"
