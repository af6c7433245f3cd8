"""Where the vendor's reviews come, where they and the purchases are kept, and how far each day has come."""

from collections.abc import Mapping
from dataclasses import replace

from movie_platform.deliveries import manifests, receipts
from movie_platform.deliveries.copies import Archive
from movie_platform.deliveries.days import DailyFiles
from movie_platform.deliveries.receipts import Standing
from movie_platform.lake import ObjectStore

NAME = "user_behavior"
"""The source's name: of the receipts of its days, its job and its sensor."""
REVIEWS = "movie_review"
"""The archive of the vendor's files; its receipts say that the day's reviews are classified."""
PURCHASES = "user_purchases"
"""The archive of what was read from the shop's database."""
FILES = DailyFiles("movie_review/", distinct_names=True)
ARCHIVE = Archive(REVIEWS, "raw/movie_review/", FILES)


def standings(lake: ObjectStore, first: str = "", last: str = "") -> Mapping[str, Standing]:
    """How far each day has come. Its sequence is that of its reviews and of its purchases together, so it grows with
    each other content of either."""
    days = dict(receipts.standings(lake, NAME, since=first, until=last))
    for part in (REVIEWS, PURCHASES):
        for day, standing in receipts.standings(lake, part, since=first, until=last).items():
            if not standing.archived and not standing.receipts:
                continue  # the day's purchases were refused, and nothing else happened on it
            known = days.get(day, Standing())
            days[day] = replace(known, archived=known.archived + standing.archived)
    return dict(sorted(days.items()))


def sequence(lake: ObjectStore, day: str) -> int:
    """The day's sequence now; 0 where nothing of it was archived by a version with manifests."""
    return sum(manifests.latest_sequence(lake, part, day) for part in (REVIEWS, PURCHASES))
