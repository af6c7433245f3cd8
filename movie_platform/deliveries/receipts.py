"""That everything the lake makes of a delivery is there: written last, and read from a listing alone.

A receipt's name holds the manifest's sequence, the delivery's fingerprint and a digest of the etags of all that was
made: one listing of receipts and one of what was made say of a year of windows whether each is processed, and nothing
is opened. An object that was replaced since, or that somebody deleted, makes its window owed.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from movie_platform.deliveries.manifests import FOLDER, Columns
from movie_platform.errors import InputRefused, ObjectMissing, PlatformError
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.printable import json_printable

NOTHING_DELIVERED = "0" * 16
"""The fingerprint of a day that is processed without a delivery."""
_RECEIPT = re.compile(r"(\d{9})\.([0-9a-f]{16})\.([0-9a-f]{16})\.receipt")
_REFUSED = re.compile(r"([0-9a-f]{16})\.refused")
_MANIFEST = re.compile(r"(\d{9})\.json")


@dataclass(frozen=True)
class Receipt:
    """That what the lake makes of a delivery was there; `made` is the digest of its etags."""

    partition: str
    sequence: int
    fingerprint: str
    made: str

    @property
    def name(self) -> str:
        return f"{self.sequence:09}.{self.fingerprint}.{self.made}.receipt"


@dataclass(frozen=True)
class Standing:
    """How far a window or day has come: the newest archived sequence, and the receipts of the newest one that has any.

    More than one receipt is there only where a run ended between writing its own and removing the one before.
    """

    archived: int = 0
    receipts: tuple[Receipt, ...] = ()
    refused: tuple[str, ...] = ()
    """Fingerprints of deliveries that were refused for what they are; another try would end the same."""

    @property
    def sequence(self) -> int:
        """The newest sequence whose products are there."""
        return self.receipts[0].sequence if self.receipts else 0

    @property
    def is_processed(self) -> bool:
        return bool(self.receipts) and self.sequence >= self.archived

    def has_processed(self, fingerprint: str, made: str | None = None) -> bool:
        """Whether what the lake holds was made from this very delivery; `made`, where given, is what is there now."""
        return self.is_processed and any(
            receipt.fingerprint == fingerprint and made in (None, receipt.made) for receipt in self.receipts
        )

    def with_object(self, partition: str, name: str) -> "Standing":
        if manifest := _MANIFEST.fullmatch(name):
            return replace(self, archived=max(self.archived, int(manifest[1])))
        if refusal := _REFUSED.fullmatch(name):
            return replace(self, refused=(*self.refused, refusal[1]))
        receipt = _parsed(partition, name)
        if receipt is None or receipt.sequence < self.sequence:
            return self
        same = self.receipts if receipt.sequence == self.sequence else ()
        return replace(self, receipts=(*same, receipt))


def made_of(etags: Mapping[str, str]) -> str:
    """The digest of what was made, from the etag of each object by its key."""
    text = "\n".join(f"{key}\t{etag}" for key, etag in sorted(etags.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def put(lake: ObjectStore, source: str, receipt: Receipt, summary: bytes = b"") -> None:
    """Write the receipt, and remove those that it replaces and the notes of refused deliveries.

    A source may keep a summary of what it made in the receipt, for `newest` to be read by.
    """
    folder = f"{FOLDER}{source}/{receipt.partition}/"
    lake.write(folder + receipt.name, summary)
    names = [info.key.removeprefix(folder) for info in lake.objects(folder)]
    lake.delete([folder + name for name in names if name != receipt.name and _replaces(receipt, name)])


@dataclass(frozen=True)
class Refusal:
    """Why a delivery of a day is refused for what it is, and what is served instead."""

    partition: str
    fingerprint: str
    reason: str
    rule: str
    at: str
    """For people to read."""
    columns: Columns = field(default_factory=dict)
    """Of its files, where it is refused for them."""


def refuse(
    lake: ObjectStore, source: str, partition: str, fingerprint: str, refused: PlatformError, rule: str = ""
) -> None:
    """Note that this delivery is refused for what it is, so that it is not tried again as it is."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    rule = rule or (refused.rule if isinstance(refused, InputRefused) else type(refused).__name__)
    columns = refused.columns if isinstance(refused, InputRefused) else {}
    refusal = Refusal(partition, fingerprint, str(refused), rule, at, columns)
    key = f"{FOLDER}{source}/{partition}/{fingerprint}.refused"
    lake.write(key, json_printable(json.dumps(asdict(refusal), ensure_ascii=False, indent=1)).encode())


def accept(lake: ObjectStore, source: str, partition: str) -> None:
    """Remove the notes of refused deliveries, where no receipt does."""
    folder = f"{FOLDER}{source}/{partition}/"
    keys = [info.key for info in lake.objects(folder)]
    lake.delete([key for key in keys if _REFUSED.fullmatch(key.removeprefix(folder))])


def refusals(lake: ObjectStore, source: str, *, of: str = "") -> list[Refusal]:
    """Every refused delivery by day, or those of one; a note that cannot be read is shown as such."""
    found = []
    prefix = f"{FOLDER}{source}/"
    for info in lake.objects(f"{prefix}{of}/" if of else prefix):
        partition, _, name = info.key.removeprefix(prefix).partition("/")
        if refused := _REFUSED.fullmatch(name):
            try:
                found.append(Refusal(**json.loads(lake.read(info.key))))
            except ObjectMissing:  # accepted meanwhile
                continue
            except (ValueError, TypeError) as error:
                found.append(Refusal(partition, refused[1], f"its note cannot be read: {error}", "", ""))
    return found


def standings(lake: ObjectStore, source: str, *, since: str = "", until: str = "") -> dict[str, Standing]:
    """Every window or day that was archived or processed, in order, from one listing."""
    prefix = f"{FOLDER}{source}/"
    found: dict[str, Standing] = {}
    for info in lake.objects(prefix, after=f"{prefix}{since}/" if since else ""):
        partition, _, name = info.key.removeprefix(prefix).partition("/")
        if until and partition > until:
            break
        found[partition] = found.get(partition, Standing()).with_object(partition, name)
    return found


def newest(lake: ObjectStore, source: str, *, since: str = "") -> dict[str, ObjectInfo]:
    """The receipt of what the lake holds of each window or day from `since` on, in order, from one listing."""
    prefix = f"{FOLDER}{source}/"
    found: dict[str, tuple[int, datetime, ObjectInfo]] = {}
    for info in lake.objects(prefix, after=f"{prefix}{since}/" if since else ""):
        partition, _, name = info.key.removeprefix(prefix).partition("/")
        if receipt := _parsed(partition, name):
            ranked = (receipt.sequence, info.modified, info)
            found[partition] = max(found.get(partition, ranked), ranked, key=lambda of: of[:2])
    return {partition: info for partition, (_, _, info) in found.items()}


def standing(lake: ObjectStore, source: str, partition: str) -> Standing:
    folder, found = f"{FOLDER}{source}/{partition}/", Standing()
    for info in lake.objects(folder):
        found = found.with_object(partition, info.key.removeprefix(folder))
    return found


def made_in(lake: ObjectStore, prefixes: Iterable[str], *, since: str = "", until: str = "") -> dict[str, str]:
    """By window or day the digest of what is below the folders now; it is that of a receipt where nothing changed.

    The window or day follows the prefix, and ends at the next slash or dot.
    """
    etags: dict[str, dict[str, str]] = {}
    for prefix in prefixes:
        for partition, key, etag in _objects(lake, prefix, since):
            if until and partition > until:
                break
            etags.setdefault(partition, {})[key] = etag
    return {partition: made_of(of) for partition, of in etags.items()}


def _objects(lake: ObjectStore, prefix: str, since: str) -> Iterator[tuple[str, str, str]]:
    folder = prefix.rpartition("/")[0] + "/"
    for info in lake.objects(folder, after=prefix + since if since else ""):
        if info.key.startswith(prefix):
            yield partition_of(prefix, info.key), info.key, info.etag


def partition_of(prefix: str, key: str) -> str:
    """The window or day of a key that was made below the prefix."""
    return re.split(r"[/.]", key.removeprefix(prefix), maxsplit=1)[0]


def _parsed(partition: str, name: str) -> Receipt | None:
    found = _RECEIPT.fullmatch(name)
    return Receipt(partition, int(found[1]), found[2], found[3]) if found else None


def _replaces(receipt: Receipt, name: str) -> bool:
    other = _parsed(receipt.partition, name)
    return _REFUSED.fullmatch(name) is not None or (other is not None and other.sequence <= receipt.sequence)
