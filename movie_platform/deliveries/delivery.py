"""What is on the raw side for one window or day, and what is there that is no delivery."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from movie_platform.lake import ObjectInfo
from movie_platform.printable import printable

NAMED_AT_MOST = 100
"""Rejected keys that a listing names; the others it counts."""


@dataclass(frozen=True)
class Delivery:
    """The files of one window or day, by name; another fingerprint means other content, or the same written again."""

    partition: str
    files: Mapping[str, ObjectInfo]

    @property
    def etags(self) -> dict[str, str]:
        return {name: info.etag for name, info in self.files.items()}

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.etags)

    @property
    def bytes(self) -> int:
        return sum(info.size for info in self.files.values())

    @property
    def first_file_at(self) -> datetime:
        return min(info.modified for info in self.files.values())

    @property
    def newest_file_at(self) -> datetime:
        return max(info.modified for info in self.files.values())

    @property
    def delivered_at(self) -> str:
        """When the newest file came, for people to read; nothing is decided by it."""
        return self.newest_file_at.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass
class Listing:
    """The deliveries of a raw side by window or day, in order, and the keys that are none with the reason of each."""

    deliveries: dict[str, Delivery] = field(default_factory=dict)
    rejected_keys: dict[str, str] = field(default_factory=dict)
    rejected: int = 0

    def reject(self, key: str, why_rejected: str) -> None:
        """Note a key, for people to read: what a terminal would obey in it is spelled out."""
        self.rejected += 1
        key, why_rejected = printable(key), printable(why_rejected)
        if len(self.rejected_keys) < NAMED_AT_MOST:
            self.rejected_keys[key] = why_rejected


def fingerprint_of(etags: Mapping[str, str]) -> str:
    text = "\n".join(f"{name}\t{etag}" for name, etag in sorted(etags.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
