"""Names of variables that are no setting: those that are nearly one are mistakes."""

import logging
import re
from collections.abc import Collection, Iterable
from functools import cache

PREFIX = "MOVIE_PLATFORM_"
_TYPING_MISTAKES = 2
"""A name that is so many letters from a setting's is meant for it."""
_OF_DEPLOYMENT = {"IMAGE", "TARGET", "CODE_SERVER"}
"""Variables of `deploy/`, which containers may inherit."""
_OF_KUBERNETES = re.compile(r"(?:.+_)?(?:SERVICE_HOST|SERVICE_PORT|PORT)(?:_.+)?")
"""What Kubernetes gives every pod for a service whose name begins as our variables do."""


def misspelled(names: Iterable[str], known: Collection[str], free_prefix: str) -> list[str]:
    """What to say of variables that are no setting and nearly spelled as one; another unknown one is a warning, once a
    process. Behind `free_prefix` users choose how a name ends."""
    found = []
    for name in sorted(names):
        spelled = name.upper()
        ending = spelled.removeprefix(PREFIX)
        if (
            not spelled.startswith(PREFIX)
            or spelled in known
            or ending.startswith(free_prefix)
            or ending in _OF_DEPLOYMENT
            or _OF_KUBERNETES.fullmatch(ending)
        ):
            continue
        distance, nearest = min((edits(spelled, of), of) for of in known)
        if distance <= _TYPING_MISTAKES:
            found.append(f"{name} is no setting; did you mean {nearest}?")
        else:
            _warn_of_unknown(name)
    return found


def edits(one: str, other: str) -> int:
    """The fewest letters to add, drop or replace to make one word of the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        before, row[0] = row[0], number
        for place, against in enumerate(other, start=1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != against))
    return row[-1]


@cache
def _warn_of_unknown(name: str) -> None:
    logging.getLogger(__name__).warning("%s is no setting and changes nothing", name)
