"""What the archive of a window or day holds: numbered, written last, and exactly one for a number.

A number is taken by creating its object, which of several writers only one can. So two runs of one window cannot both
take their content for the newest, and an older run cannot put its own over a newer one unnoticed.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from movie_platform.deliveries.delivery import Delivery
from movie_platform.deliveries.overtaken import Overtaken
from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectStore

FOLDER = "deliveries/"

Columns = Mapping[str, Mapping[str, str]]
"""By the name of a delivered file its columns in order, each with what it holds by `csv_files.kinds`."""
_VERSION = re.compile(r"sequence (\d+)$")
_KEY = re.compile(r"(\d{9})\.json")


@dataclass(frozen=True)
class ManifestFile:
    """One archived file: the etags of what was delivered and of its copy in the lake, and the digest of both."""

    etag: str
    sha256: str
    size: int
    archived: str = ""
    records: int = 0


@dataclass(frozen=True)
class Manifest:
    """The files of one archived delivery, by name."""

    source: str
    partition: str
    sequence: int
    files: Mapping[str, ManifestFile]
    delivered_at: str = ""
    """When its newest file came, for people to read."""
    columns: Columns = field(default_factory=dict)
    """Of the files that have a header; nothing where an earlier version archived them."""

    @property
    def version(self) -> str:
        return version_of(self.sequence)

    @property
    def digest(self) -> str:
        return digest_of({name: file.sha256 for name, file in self.files.items()})

    def covers(self, delivery: Delivery) -> bool:
        """Whether each of the delivery's files is here as it is; files that went away change nothing."""
        return all(name in self.files and self.files[name].etag == etag for name, etag in delivery.etags.items())


def version_of(sequence: int) -> str:
    """The ledger's version of a sequence number; it sorts behind every time stamp."""
    return f"sequence {sequence:09}"


def sequence_of(version: str) -> int:
    """The sequence number in a ledger's version; 0 where it is a time stamp, as versions before 0.2.0 wrote them."""
    found = _VERSION.search(version)
    return int(found[1]) if found else 0


def digest_of(sha256: Mapping[str, str]) -> str:
    """Of delivered bytes by name: equal for equal content, whatever a store calls it."""
    text = "\n".join(f"{name}\t{digest}" for name, digest in sorted(sha256.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(source: str, partition: str, sequence: int) -> str:
    return f"{FOLDER}{source}/{partition}/{sequence:09}.json"


def latest(lake: ObjectStore, source: str, partition: str) -> Manifest | None:
    """The newest manifest of a window or day; None where nothing was archived yet."""
    sequence = latest_sequence(lake, source, partition)
    return read(lake, source, partition, sequence) if sequence else None


def latest_sequence(lake: ObjectStore, source: str, partition: str) -> int:
    return max(_sequences(lake, source, partition), default=0)


def read(lake: ObjectStore, source: str, partition: str, sequence: int) -> Manifest:
    key = key_of(source, partition, sequence)
    try:
        found = json.loads(lake.read(key))
        files = {name: ManifestFile(**file) for name, file in found["files"].items()}
        columns = dict(found.get("columns", {}))
        return Manifest(source, partition, sequence, files, str(found.get("delivered_at", "")), columns)
    except ObjectMissing:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlatformError(
            f"{lake.uri_of(key)} cannot be read as a manifest: {type(error).__name__}: {error}. Restore it from a "
            "copy, or delete it and materialize the raw side's partition again."
        ) from error


def publish(
    lake: ObjectStore,
    source: str,
    partition: str,
    files: Mapping[str, ManifestFile],
    *,
    after: Manifest | None,
    above: int = 0,
    delivered_at: str = "",
    columns: Columns | None = None,
) -> Manifest:
    """Take the next number for this content; `Overtaken` where another run took one since `after` was read.

    `above` is a number that must be passed too: the ledger's, where it knows more than the lake. Without `columns` they
    are those of `after`.
    """
    if columns is None:
        columns = after.columns if after else {}
    sequence = max(after.sequence if after else 0, above) + 1
    newest = latest_sequence(lake, source, partition)
    made = Manifest(source, partition, sequence, files, delivered_at, columns)
    if newest > (after.sequence if after else 0) or not lake.create(key_of(source, partition, sequence), _text(made)):
        raise Overtaken(f"another run archived another delivery of {partition}")
    return made


def rewrite(lake: ObjectStore, manifest: Manifest) -> None:
    """Put other etags into a manifest whose content is the same: its files were written again as they were."""
    lake.write(key_of(manifest.source, manifest.partition, manifest.sequence), _text(manifest))


def must_be_newest(lake: ObjectStore, manifest: Manifest) -> None:
    """`Overtaken` where another content was archived since."""
    if latest_sequence(lake, manifest.source, manifest.partition) != manifest.sequence:
        raise Overtaken(f"another delivery of {manifest.partition} was archived meanwhile")


def is_whole(lake: ObjectStore, prefix: str, manifest: Manifest) -> bool:
    """Whether the archive's folder holds exactly the manifest's files, with their content."""
    found = {info.key.removeprefix(prefix): info for info in lake.objects(prefix)}
    if found.keys() != manifest.files.keys():
        return False
    for name, file in manifest.files.items():
        info = found[name]
        if info.etag == file.archived and file.archived:
            continue
        if info.size != file.size or sha256_of(lake, info.key) != file.sha256:
            return False
    return True


def must_be_whole(lake: ObjectStore, prefix: str, manifest: Manifest) -> None:
    if not is_whole(lake, prefix, manifest):
        raise Overtaken(f"{prefix} was written by another run at the same time")


def refuse_torn(lake: ObjectStore, prefix: str, manifest: Manifest) -> None:
    """A `PlatformError` where the archive is not what its manifest says: a run ended while it wrote there."""
    if not is_whole(lake, prefix, manifest):
        raise PlatformError(
            f"{lake.uri_of(prefix)} is not whole: its files are not those of manifest {manifest.sequence}, since a run "
            "ended while it archived a correction. Run it from the raw side, or deliver it again."
        )


def sha256_of(lake: ObjectStore, key: str) -> str:
    """Of an object's bytes, read in pieces."""
    digest = hashlib.sha256()
    with lake.open(key) as file:
        while data := file.read(1024 * 1024):
            digest.update(data)
    return digest.hexdigest()


def _sequences(lake: ObjectStore, source: str, partition: str) -> Iterator[int]:
    prefix = f"{FOLDER}{source}/{partition}/"
    for info in lake.objects(prefix):
        if found := _KEY.fullmatch(info.key.removeprefix(prefix)):
            yield int(found[1])


def _text(manifest: Manifest) -> bytes:
    described = {
        "sequence": manifest.sequence,
        "delivered_at": manifest.delivered_at,
        "files": {name: asdict(file) for name, file in sorted(manifest.files.items())},
        **({"columns": manifest.columns} if manifest.columns else {}),
    }
    return json.dumps(described, ensure_ascii=False, indent=1).encode()
