"""What a policy lets go of the lake: by kind, once it is old enough, and never what a manifest or the ledger needs.

Deliveries and what is loaded of them stay: their manifests name each archived file, and a warehouse is made anew from
clean and staged files. What goes is what only people look at, and memories that nothing reads any more.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from movie_platform.deliveries import manifests
from movie_platform.deliveries.thinning import Thinning, carry_out, thinnings
from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.orchestration.day_checks import FOLDER as CHECKS
from movie_platform.orchestration.day_checks import LOOKED_INTO_AT_MOST
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.quality_movies.cataloguing import list_again
from movie_platform.setting_values import duration

AT_LEAST = timedelta(days=60)
"""Report, checks and metrics look back at most so far; a run that is under way is never so old."""
KEPT = {
    "raw": "it is the sources', and the platform only reads it",
    "archive": "manifests name each archived file",
    "processed": "receipts and the ledger name clean and staged files, and a warehouse is made anew from them",
}
"""What no policy takes away, and why."""
THINNED = {"rejects": ("rejects/", "bad-records/"), "outcomes": ("rule_outcome/",)}
"""Products of deliveries that nothing is made from."""
_MANIFEST = re.compile(re.escape(manifests.FOLDER) + r"(.+/)(\d{9})\.json")


@dataclass(frozen=True)
class Policy:
    """How old each kind has to be before it goes; kinds that it does not name stay for ever."""

    ages: Mapping[str, timedelta]


@dataclass
class Found:
    """Of one kind what may go."""

    kind: str
    objects: list[ObjectInfo] = field(default_factory=list)
    thinned: list[Thinning] = field(default_factory=list)
    problems: list[Thinning] = field(default_factory=list)
    """Old enough, and kept for the reason that each names."""

    @property
    def all(self) -> list[ObjectInfo]:
        return [*self.objects, *chain.from_iterable(of.objects for of in self.thinned)]


def read_policy(file: Path) -> Policy:
    """The policy of a TOML file with a line `<kind> = "<age>"` for each; a `SettingsError` names a wrong line."""
    try:
        lines = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read as a policy of retention: {error}") from error
    ages: dict[str, timedelta] = {}
    for kind, text in lines.items():
        if kind in KEPT:
            raise SettingsError(f"{file}: {kind} is never taken away: {KEPT[kind]}. Remove the line")
        if kind not in (*KINDS, RUNS):
            raise SettingsError(f"{file}: there is no kind {kind}; there are {', '.join((*KINDS, RUNS))}")
        try:
            ages[kind] = duration(text)
        except ValueError as error:
            raise SettingsError(f"{file}: {kind} = {text!r}: {error}") from None
        if not isinstance(ages[kind], timedelta) or ages[kind] < AT_LEAST:
            raise SettingsError(f'{file}: {kind} = {text!r}: allowed is text of at least {AT_LEAST.days} days, "365d"')
    return Policy(ages)


def found(lake: ObjectStore, policy: Policy, now: datetime) -> Iterator[Found]:
    """What may go now, by kind, from listings alone. A kind is looked for when the one before it is gone."""
    for kind, look in KINDS.items():
        if kind in policy.ages:
            yield look(lake, kind, now - policy.ages[kind])


def take_away(lake: ObjectStore, found: Found) -> None:
    """Take away what was found. Interrupted, it is done to some part, and the same again does the rest."""
    for thinning in found.thinned:
        carry_out(lake, thinning)
    lake.delete([info.key for info in found.objects])
    if found.thinned:
        list_again(lake)


def _thinned(lake: ObjectStore, kind: str, before: datetime) -> Found:
    result = Found(kind)
    for source in map(source_of, PIPELINES):
        prefixes = [prefix for prefix in source.made if prefix.startswith(THINNED[kind])]
        for thinning in thinnings(lake, source, prefixes, before):
            (result.problems if thinning.problem else result.thinned).append(thinning)
    return result


def _checks(lake: ObjectStore, kind: str, before: datetime) -> Found:
    """Results of days that no check stands by any more."""
    objects = []
    for step in lake.folders(CHECKS):
        objects += list(lake.objects(f"{CHECKS}{step}/"))[:-LOOKED_INTO_AT_MOST]
    return Found(kind, [info for info in objects if info.modified < before])


def _notices(lake: ObjectStore, kind: str, before: datetime) -> Found:
    """Memories of what was notified: the same notice, should it come again, is sent again."""
    return Found(kind, [info for info in lake.objects("notifications/") if info.modified < before])


def _manifests(lake: ObjectStore, kind: str, before: datetime) -> Found:
    """Manifests of deliveries that another one replaced before the moment: who reads, reads the newest."""
    objects: list[ObjectInfo] = []
    last: tuple[str, ObjectInfo] | None = None
    for info in lake.objects(manifests.FOLDER):
        if numbered := _MANIFEST.fullmatch(info.key):
            if last and last[0] == numbered[1] and info.modified < before:
                objects.append(last[1])
            last = (numbered[1], info)
    return Found(kind, objects)


KINDS: Mapping[str, Callable[[ObjectStore, str, datetime], Found]] = {
    "rejects": _thinned,
    "outcomes": _thinned,
    "checks": _checks,
    "notices": _notices,
    "manifests": _manifests,
}
RUNS = "runs"
"""Dagster's own: runs that loaded nothing."""
