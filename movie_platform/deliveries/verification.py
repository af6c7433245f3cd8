"""Every object of the lake against the manifest or the receipt that speaks of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from movie_platform.deliveries import manifests, receipts
from movie_platform.deliveries.receipts import Standing
from movie_platform.deliveries.source import Source
from movie_platform.errors import ObjectMissing, PlatformError
from movie_platform.lake import ObjectInfo, ObjectStore

_AT_ONCE = 65_536


@dataclass
class Verified:
    """How many objects were compared, and of each damaged one what is wrong and the way out."""

    objects: int = 0
    damaged: list[str] = field(default_factory=list)


def verified(lake: ObjectStore, source: Source) -> Verified:
    """Compare what was archived with its manifest by size and SHA-256, and what was made with its receipt by etag.

    Parquet is decoded as well, since the etag of a file on disk does not change where a disk rots.
    """
    found = Verified()
    for name, folder in source.archives:
        for partition, standing in receipts.standings(lake, name).items():
            if standing.archived:
                for problem in _archived(lake, name, folder, partition, found):
                    found.damaged.append(
                        f"{problem} {_way_out(source, partition, 'deliver it again if it is gone, and ')}"
                    )
    made = receipts.made_in(lake, source.made)
    for partition, standing in receipts.standings(lake, source.name).items():
        if standing.is_processed and not _is_as_made(standing, made.get(partition, receipts.made_of({}))):
            what = f"what the lake made of {source.name} {partition} is not what its receipt says: an object was"
            found.damaged.append(f"{what} replaced, taken away or added. {_way_out(source, partition)}")
    for prefix in source.made:
        for info in lake.objects(prefix.rpartition("/")[0] + "/"):
            if info.key.startswith(prefix) and info.key.endswith(".parquet"):
                found.objects += 1
                if problem := _undecodable(lake, info.key):
                    partition = receipts.partition_of(prefix, info.key)
                    found.damaged.append(
                        f"{lake.uri_of(info.key)} is damaged: {problem}. Delete it: {_way_out(source, partition)}"
                    )
    return found


def _archived(lake: ObjectStore, name: str, folder: str, partition: str, found: Verified) -> Iterator[str]:
    try:
        manifest = manifests.latest(lake, name, partition)
    except PlatformError as error:
        yield str(error)
        return
    for file, facts in (manifest.files if manifest else {}).items():
        key, info = _copy(lake, f"{folder}{partition}/" if folder else "", file)
        found.objects += 1
        if info is None:
            yield f"{lake.uri_of(key)} does not exist, and its manifest names it."
        elif info.size != facts.size and facts.size:
            yield f"{lake.uri_of(key)} has {info.size} bytes, and its manifest says {facts.size}."
        elif manifests.sha256_of(lake, key) != facts.sha256:
            yield f"{lake.uri_of(key)} is damaged: its SHA-256 is not the one that its manifest says."


def _copy(lake: ObjectStore, folder: str, name: str) -> tuple[str, ObjectInfo | None]:
    """The lake's copy of a file that a manifest calls by its raw key or by its name."""
    keys = (folder + name, folder + name.rpartition("/")[2]) if folder else (name,)
    found = ((key, info) for key in keys if (info := lake.info(key)))
    return next(found, (keys[0], None))


def _is_as_made(standing: Standing, made: str) -> bool:
    return any(receipt.made == made for receipt in standing.receipts)


def _undecodable(lake: ObjectStore, key: str) -> str:
    """Why the Parquet object cannot be read to its end; empty where it can."""
    try:
        with lake.open(key) as file:
            for _ in pq.ParquetFile(file).iter_batches(_AT_ONCE):
                pass
    except ObjectMissing:
        return ""  # taken away meanwhile, by a run that replaces it
    except (pa.ArrowException, OSError, ValueError) as error:
        return str(error).splitlines()[0].rstrip(".")
    return ""


def _way_out(source: Source, partition: str, first: str = "") -> str:
    return f"To mend it, {first}run `movie-platform run {source.command} --from {partition} --to {partition}`."
