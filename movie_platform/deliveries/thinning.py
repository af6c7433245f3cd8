"""Taking away products of deliveries that nothing is made from, so that each receipt still says what is there.

A receipt holds a digest of everything that was made. Before objects go, another receipt is written beside it that holds
the digest of what will be left; when they are gone, the first one goes too. So one of the two is true before and after,
and who is interrupted goes on by doing the same again. A run that finds neither true meanwhile makes the window or day
anew, which changes nothing but that the objects are back.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from movie_platform.deliveries import receipts
from movie_platform.deliveries.manifests import FOLDER
from movie_platform.deliveries.receipts import Receipt, made_of, partition_of
from movie_platform.deliveries.source import Source
from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectInfo, ObjectStore


@dataclass(frozen=True)
class Exchange:
    """A receipt that is true when the objects are gone, and those that it takes the place of."""

    source: str
    receipt: Receipt
    before: tuple[Receipt, ...]


@dataclass(frozen=True)
class Thinning:
    """Objects of a window or day that may go; `problem` says why they stay all the same."""

    source: str
    partition: str
    objects: tuple[ObjectInfo, ...]
    exchanges: tuple[Exchange, ...] = ()
    problem: str = ""


def thinnings(lake: ObjectStore, source: Source, prefixes: Collection[str], before: datetime) -> Iterator[Thinning]:
    """What may go of the products below these of the source's prefixes: objects that were written before the moment."""
    old: dict[str, list[ObjectInfo]] = {}
    for prefix in prefixes:
        for info in _below(lake, prefix):
            if info.modified < before:
                old.setdefault(partition_of(prefix, info.key), []).append(info)
    if not old:
        return
    kinds = {source.name: source.made, **source.made_in_parts}
    made = {name: _etags(lake, of) for name, of in kinds.items()}
    standings = {name: receipts.standings(lake, name, since=min(old), until=max(old)) for name in kinds}
    for partition, objects in sorted(old.items()):
        going = {info.key for info in objects}
        exchanges, problem = [], ""
        for name, of in kinds.items():
            if not any(key.startswith(prefix) for key in going for prefix in of):
                continue
            standing = standings[name].get(partition, receipts.Standing())
            there = made[name].get(partition, {})
            left = made_of({key: etag for key, etag in there.items() if key not in going})
            if not standing.is_processed:
                problem = "it is not processed"
            elif not {made_of(there), left} & {receipt.made for receipt in standing.receipts}:
                problem = "its products are not those of its receipt"
            else:
                exchanges.append(Exchange(name, replace(standing.receipts[-1], made=left), standing.receipts))
        yield Thinning(source.name, partition, tuple(objects), () if problem else tuple(exchanges), problem)


def carry_out(lake: ObjectStore, thinning: Thinning) -> None:
    """Take the objects away. What a run wrote anew since it was found stays."""
    for exchange in thinning.exchanges:
        folder = f"{FOLDER}{exchange.source}/{thinning.partition}/"
        if exchange.receipt.name not in {receipt.name for receipt in exchange.before}:
            try:
                lake.write(folder + exchange.receipt.name, lake.read(folder + exchange.before[-1].name))
            except ObjectMissing:
                return  # a run replaced the receipt meanwhile
    found = [lake.info(info.key) for info in thinning.objects]
    etags = {info.etag for info in thinning.objects}
    lake.delete([info.key for info in found if info and info.etag in etags])
    for exchange in thinning.exchanges:
        folder = f"{FOLDER}{exchange.source}/{thinning.partition}/"
        lake.delete([folder + of.name for of in exchange.before if of.name != exchange.receipt.name])


def _etags(lake: ObjectStore, prefixes: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for prefix in prefixes:
        for info in _below(lake, prefix):
            found.setdefault(partition_of(prefix, info.key), {})[info.key] = info.etag
    return found


def _below(lake: ObjectStore, prefix: str) -> Iterator[ObjectInfo]:
    for info in lake.objects(prefix.rpartition("/")[0] + "/"):
        if info.key.startswith(prefix):
            yield info
