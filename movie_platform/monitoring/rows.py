"""Where the newest rows of each source went and which rules they broke, from the records that runs leave behind."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from movie_platform.deliveries import receipts
from movie_platform.lake import ObjectStore
from movie_platform.lake.parquet import read_parquet, rows_of
from movie_platform.pipelines.imdb_feed.summaries import look_back
from movie_platform.pipelines.movies_dataset.publication import newest_publication
from movie_platform.pipelines.quality_movies.day_records import bad_key, judged_days, outcomes_of, record_of
from movie_platform.pipelines.user_behavior import archive, classification, reviews
from movie_platform.settings import Settings

_FEED_FATES = {
    "out": "good",
    "referenced": "good",
    "quarantined": "bad",
    "of other deliveries' movies": "unreferenced",
}
"""What the feed's accounts call otherwise."""


@dataclass(frozen=True)
class Rows:
    """Of a source's newest deliveries: records by what became of them, broken rules by how many records break each, and
    of each rule that judges a delivery as a whole whether it was passed."""

    fates: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, bool] = field(default_factory=dict)


def feed_rows(settings: Settings, lake: ObjectStore) -> Rows:
    """Of the windows of the look-back. Nothing is written: the sensor keeps the summaries together."""
    fates: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for summary in look_back(lake, settings.feed_lookback, keeps=False).values():
        broken.update(summary.broken_rules)
        for account in summary.accounts:
            for fate, count in account.fates.items():
                fates[_FEED_FATES.get(fate, fate)] += count
    return Rows(fates, broken)


def dataset_rows(_settings: Settings, lake: ObjectStore) -> Rows:
    """Of the newest data set that is published."""
    published = newest_publication(lake)
    fates: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for account in published.report.files if published else ():
        fates.update({"good": account.out, "merged": account.merged, "rejected": account.rejected})
        broken.update(account.reasons)
    return Rows(fates, broken)


def quality_rows(_settings: Settings, lake: ObjectStore) -> Rows:
    """Of the newest day that was judged."""
    day = max(judged_days(lake), default="")
    record = record_of(lake, day) if day else None
    if record is None:
        return Rows()
    fates = {
        "good": record.good,
        "bad": record.bad - record.broken,
        "rejected": record.broken,
        "withheld": record.withheld,
    }
    column = "DataQualityRulesFail"
    bad = read_parquet(lake, bad_key(day), [column]) if record.bad else None
    broken = Counter(rule for rules in bad[column].to_pylist() for rule in rules or ()) if bad is not None else {}
    return Rows(fates, broken, {str(of["Rule"]): of.get("Outcome") == "Passed" for of in outcomes_of(lake, day)})


def behavior_rows(_settings: Settings, lake: ObjectStore) -> Rows:
    """Of the reviews of the newest day for which some were delivered."""
    day = max(receipts.standings(lake, archive.REVIEWS), default="")
    if not day:
        return Rows()
    of = date.fromisoformat(day)
    rejects = read_parquet(lake, reviews.rejects_key(of), ["rule"])
    broken = Counter(rejects["rule"].to_pylist()) if rejects is not None else Counter()
    return Rows({"good": rows_of(lake, classification.stage_key(of)), "rejected": broken.total()}, broken)


ROWS = {
    "imdb_feed": feed_rows,
    "movies_dataset": dataset_rows,
    "quality_movies": quality_rows,
    "user_behavior": behavior_rows,
}
"""By the source's name."""
