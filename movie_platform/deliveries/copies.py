"""A delivery's way from the raw side into the archive: fetched once, kept byte for byte, proven to be what is there."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from movie_platform.csv_files.kinds import columns_of
from movie_platform.deliveries import manifests
from movie_platform.deliveries.days import DailyFiles, is_day
from movie_platform.deliveries.delivery import Delivery, fingerprint_of
from movie_platform.deliveries.manifests import Manifest, ManifestFile
from movie_platform.deliveries.overtaken import Overtaken
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.lake.store import COPY_BYTES, copying

Find = Callable[[], Delivery | None]
"""Looks at the raw side for the window or day once more."""


@dataclass(frozen=True)
class FetchedFile:
    """A delivered file on this machine's disk."""

    key: str
    path: Path
    etag: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Archive:
    """Where a source keeps the files of its days: `<root><day>/<name of the file>`."""

    source: str
    root: str
    shape: DailyFiles
    full_keys: bool = False
    """Whether a file's name in the archive is its whole raw key."""

    def folder(self, day: str) -> str:
        return f"{self.root}{day}/"

    def name(self, key: str) -> str:
        return key if self.full_keys else key.rpartition("/")[2]

    def key(self, day: str, name: str) -> str:
        """The raw key of a file of an archive that has no manifest."""
        return name if self.full_keys else f"{self.shape.prefix}{day}/{name}"

    def days(self, lake: ObjectStore) -> list[str]:
        return [name for name in lake.folders(self.root) if is_day(name)]


@dataclass(frozen=True)
class ArchivedDay:
    """A day as it is archived, its files on this machine's disk."""

    manifest: Manifest
    files: tuple[FetchedFile, ...]
    fingerprint: str
    """Of what is on the raw side, so that a receipt can name it."""

    def must_be_current(self, lake: ObjectStore, find: Find) -> None:
        """`Overtaken` where the day was delivered anew, or another content was archived, since it was read."""
        if self.manifest.sequence:
            manifests.must_be_newest(lake, self.manifest)
        now = find()
        if now is not None and now.fingerprint != self.fingerprint:
            raise Overtaken(f"{self.manifest.partition} was delivered anew")


@contextmanager
def archived(
    raw: ObjectStore, lake: ObjectStore, archive: Archive, day: str, find: Find
) -> Iterator[ArchivedDay | None]:
    """Archive what is on the raw side for the day now, and hand out its files; None where nothing ever was.

    Where files only went away the day stays as it is archived. Raises `Overtaken` where the raw side, or the archive,
    changed meanwhile: the caller starts again.
    """
    before, found = _newest(lake, archive, day), find()
    with tempfile.TemporaryDirectory(prefix="movie-platform-delivery-") as name:
        folder = Path(name)
        if found is None or (before and before.covers(found) and _is_whole(lake, archive, before)):
            yield _as_archived(lake, archive, before, folder, found) if before else None
            return
        files = [_fetched(raw, key, info, folder / str(n)) for n, (key, info) in enumerate(sorted(found.files.items()))]
        files += _kept(lake, archive, before, found, folder)
        manifest = _archive(raw, lake, archive, before, found, sorted(files, key=lambda file: file.key), find)
        yield ArchivedDay(manifest, tuple(sorted(files, key=lambda file: file.key)), found.fingerprint)


def as_archived(lake: ObjectStore, archive: Archive, day: str, folder: Path) -> ArchivedDay | None:
    """The day as its manifest says, without the raw side; a `PlatformError` where the archive is torn."""
    manifest = _newest(lake, archive, day)
    return _as_archived(lake, archive, manifest, folder, None) if manifest else None


def must_be_unchanged(find: Find, delivery: Delivery) -> None:
    """`Overtaken` where other files are on the raw side than the delivery's. Files that went away change nothing."""
    now = find()
    if now is not None and any(delivery.etags.get(name) != etag for name, etag in now.etags.items()):
        raise Overtaken(f"{delivery.partition} was delivered anew")


def _archive(
    raw: ObjectStore,
    lake: ObjectStore,
    archive: Archive,
    before: Manifest | None,
    found: Delivery,
    files: list[FetchedFile],
    find: Find,
) -> Manifest:
    must_be_unchanged(find, found)
    prefix = archive.folder(found.partition)
    digest = manifests.digest_of({file.key: file.sha256 for file in files})
    if before and before.sequence and before.digest == digest and _is_whole(lake, archive, before):
        # The same content, written again: other etags, and no other delivery.
        etags = {file.key: file.etag for file in files}
        touched = {key: replace(of, etag=etags[key]) for key, of in before.files.items()}
        manifest = replace(before, files=touched)
        manifests.rewrite(lake, manifest)
        return manifest
    made = {
        file.key: ManifestFile(
            file.etag, file.sha256, file.size, lake.upload(prefix + archive.name(file.key), file.path)
        )
        for file in files
    }
    names = {archive.name(key) for key in made}
    lake.delete([info.key for info in lake.objects(prefix) if info.key.removeprefix(prefix) not in names])
    must_be_unchanged(find, found)
    columns = {
        archive.name(file.key): columns_of(partial(_open, file.path))
        for file in files
        if file.key.casefold().endswith(".csv")
    }
    manifest = manifests.publish(
        lake, archive.source, found.partition, made, after=before, delivered_at=found.delivered_at, columns=columns
    )
    must_be_unchanged(find, found)
    if not _is_whole(lake, archive, manifest):
        raise Overtaken(f"{prefix} was written by another run at the same time")
    return manifest


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _fetched(store: ObjectStore, key: str, info: ObjectInfo, path: Path, place: str = "") -> FetchedFile:
    digest, size = hashlib.sha256(), 0
    uri = store.uri_of(place or key)
    with copying(uri, path), store.open(place or key) as source, path.open("wb") as target:
        while data := source.read(COPY_BYTES):
            digest.update(data)
            size += len(data)
            target.write(data)
    now = store.info(place or key)
    if now is None or now.etag != info.etag:
        raise Overtaken(f"{uri} was replaced while it was read")
    return FetchedFile(key, path, info.etag, digest.hexdigest(), size)


def _kept(
    lake: ObjectStore, archive: Archive, before: Manifest | None, found: Delivery, folder: Path
) -> list[FetchedFile]:
    """What the day keeps of files that are on the raw side no more, from the archive.

    Files directly below the prefix have moved on to a later day. The others are kept where nothing else changed.
    """
    if before is None:
        return []
    prefix, has_changed = archive.folder(found.partition), not before.covers(found)
    taken = {archive.name(key) for key in found.files}
    return [
        _from_archive(lake, prefix + archive.name(key), key, file, folder)
        for key, file in before.files.items()
        if archive.name(key) not in taken and (archive.shape.is_loose(key) or not has_changed)
    ]


def _as_archived(
    lake: ObjectStore, archive: Archive, manifest: Manifest, folder: Path, found: Delivery | None
) -> ArchivedDay:
    prefix = archive.folder(manifest.partition)
    manifests.refuse_torn(lake, prefix, by_name(archive, manifest))
    files = tuple(
        _from_archive(lake, prefix + archive.name(key), key, file, folder)
        for key, file in sorted(manifest.files.items())
    )
    etags = {key: file.etag for key, file in manifest.files.items()}
    return ArchivedDay(manifest, files, found.fingerprint if found else fingerprint_of(etags))


def _from_archive(lake: ObjectStore, place: str, key: str, file: ManifestFile, folder: Path) -> FetchedFile:
    info = lake.info(place)
    if info is None:
        raise Overtaken(f"{lake.uri_of(place)} is gone")
    path = folder / hashlib.sha256(key.encode()).hexdigest()[:16]
    fetched = _fetched(lake, key, info, path, place)
    if fetched.sha256 != file.sha256:
        raise Overtaken(f"{lake.uri_of(place)} is not what its manifest says")
    return FetchedFile(key, path, file.etag, fetched.sha256, fetched.size)


def _newest(lake: ObjectStore, archive: Archive, day: str) -> Manifest | None:
    """The newest manifest, or one of sequence 0 for an archive that was made before there were manifests."""
    if manifest := manifests.latest(lake, archive.source, day):
        return manifest
    folder = archive.folder(day)
    files = {}
    for info in lake.objects(folder):
        digest = manifests.sha256_of(lake, info.key)
        key = archive.key(day, info.key.removeprefix(folder))
        files[key] = ManifestFile("", digest, info.size, info.etag)
    return Manifest(archive.source, day, 0, files) if files else None


def _is_whole(lake: ObjectStore, archive: Archive, manifest: Manifest) -> bool:
    return manifests.is_whole(lake, archive.folder(manifest.partition), by_name(archive, manifest))


def by_name(archive: Archive, manifest: Manifest) -> Manifest:
    """The manifest by the files' names in the archive."""
    files: Mapping[str, ManifestFile] = {archive.name(key): file for key, file in manifest.files.items()}
    return Manifest(manifest.source, manifest.partition, manifest.sequence, files, manifest.delivered_at)
