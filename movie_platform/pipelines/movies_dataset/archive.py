"""The zip that is delivered: what is in it, and whether it may be opened at all."""

import copy
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, BinaryIO, cast

from movie_platform.csv_files.columns import CsvFile
from movie_platform.errors import InputRefused


def _inflating() -> Any:
    """The library that inflates, with the interface of zlib."""
    try:
        from isal import isal_zlib
    except ImportError:  # no wheel for this processor: the standard library gives the same, at a third of the speed
        return zlib
    return isal_zlib


inflating = _inflating()

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, EOFError)
"""What reading a member ends in when the zip is at fault; an OSError is the fault of where it is kept."""
_PACKED_BYTES = 2**20
"""Read of a member at a time, packed."""


@dataclass(frozen=True)
class Limits:
    """A member that expands beyond one of these is a bomb, not a data set."""

    max_bytes: int = 20 * 10**9
    max_ratio: float = 200.0


class Archive:
    """A zip whose directory was examined: its members can be opened, each as often as needed."""

    def __init__(self, name: str, zipped: zipfile.ZipFile) -> None:
        self.name = name
        self._zipped = zipped
        self._members = {member.filename: member for member in zipped.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        """Bytes of a member, unpacked."""
        return self._members[name].file_size

    def file(self, name: str) -> CsvFile:
        return CsvFile(name, lambda: self._open(name))

    def _open(self, name: str) -> BinaryIO:
        member = self._members[name]
        # As if it were stored: zipfile finds the packed bytes and checks what stands before them.
        packed = copy.copy(member)
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, member.compress_size
        del packed.CRC
        with _intact(self.name, name):
            stream = self._zipped.open(packed)
        return cast(BinaryIO, _Member(self.name, member, stream))


@contextmanager
def _intact(archive: str, name: str) -> Iterator[None]:
    """What the zip's own headers and checksums refuse is the sender's fault, not ours."""
    try:
        yield
    except _DAMAGE as error:
        why = str(error) or "it ends before its time"
        raise InputRefused(f"{name} in {archive} is damaged: {why}", rule="damaged zip") from None


class _Member:
    """Unpacks a member, and refuses it where it is damaged: it has the size and the checksum of the zip's directory."""

    def __init__(self, archive: str, member: zipfile.ZipInfo, packed: IO[bytes]) -> None:
        self._archive, self._member, self._packed = archive, member, packed
        self._left = member.file_size
        self._checksum = 0
        stored = member.compress_type == zipfile.ZIP_STORED
        self._inflate = None if stored else inflating.decompressobj(-zlib.MAX_WBITS)

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        parts = []
        with _intact(self._archive, self._member.filename):
            while size and (part := self._next(size)):
                size -= len(part)
                parts.append(part)
            if self._left and size:
                raise EOFError
            if not self._left and self._checksum != self._member.CRC:
                raise zipfile.BadZipFile("its checksum is another one")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _next(self, size: int) -> bytes:
        """Up to so many bytes; none at the end of what is packed."""
        part = b""
        if self._inflate is None:
            part = self._packed.read(size)
        else:
            while not part and not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._packed.read(_PACKED_BYTES)
                try:
                    part = self._inflate.decompress(packed, size)
                except inflating.error as error:
                    raise zipfile.BadZipFile(f"invalid packed data: {error}") from None
                if not packed and not part:
                    break
        self._left -= len(part)
        self._checksum = inflating.crc32(part, self._checksum)
        return bytes(part)

    def close(self) -> None:
        self._packed.close()

    def __enter__(self) -> "_Member":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_archive(source: Path | BinaryIO, name: str, limits: Limits, *, required: tuple[str, ...]) -> Iterator[Archive]:
    """The zip at a path or in a seekable stream, examined before anything is read of it.

    Refused, as `InputRefused`: what is truncated or no zip, encrypted, packed by a method that not everybody unpacks,
    has an absolute name or one with `..`, the same name twice, a member beyond the limits or outside of the zip, or
    lacks a required file. A member that turns out to be damaged is refused when it is opened or read.
    """
    try:
        zipped = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise InputRefused(f"{name} is truncated or no zip: {error}", rule="readable zip") from None
    with zipped:
        members = zipped.infolist()
        for member in members:
            _examine(member, name, limits)
            if not 0 <= member.header_offset <= zipped.start_dir - member.compress_size:
                raise InputRefused(
                    f"{member.filename} in {name} is damaged: it is outside of the zip", rule="damaged zip"
                )
        names: set[str] = set()
        for member in members:
            if member.filename in names:
                raise InputRefused(f"{name} holds {member.filename!r} twice", rule="distinct names")
            names.add(member.filename)
        for file in required:
            if file not in names:
                raise InputRefused(f"{name} holds no {file}, and nothing can be built without it", rule="required file")
        yield Archive(name, zipped)


def _examine(member: zipfile.ZipInfo, archive: str, limits: Limits) -> None:
    path = member.filename
    if (
        PurePosixPath(path).is_absolute()
        or PureWindowsPath(path).drive
        or path.startswith("\\")
        or ".." in PurePosixPath(path.replace("\\", "/")).parts
    ):
        raise InputRefused(f"{archive} holds {path!r}, a name that leads out of its folder", rule="names within")
    if member.flag_bits & _ENCRYPTED:
        raise InputRefused(f"{path} in {archive} is encrypted: deliver it without a password", rule="not encrypted")
    if member.compress_type not in _METHODS:
        raise InputRefused(
            f"{path} in {archive} is packed by method {member.compress_type}: deliver it deflated or stored",
            rule="packing",
        )
    if member.file_size > limits.max_bytes:
        raise InputRefused(
            f"{path} in {archive} expands to {member.file_size:,} bytes, and at most {limits.max_bytes:,} are allowed "
            "(MOVIE_PLATFORM_DATASET_MAX_BYTES)",
            rule="size",
        )
    if member.file_size > limits.max_ratio * max(member.compress_size, 1):
        raise InputRefused(
            f"{path} in {archive} expands to {member.file_size / max(member.compress_size, 1):,.0f} times its packed "
            f"size, and at most {limits.max_ratio:,.0f} times is allowed (MOVIE_PLATFORM_DATASET_MAX_RATIO)",
            rule="ratio",
        )
