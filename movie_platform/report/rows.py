"""The account of every row, from what was delivered to the table that serves it, for each source."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.lake.parquet import read_parquet, rows_of
from movie_platform.pipelines.imdb_feed.processing import archive_prefix, bad_records_key, clean_key, rejects_key
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.pipelines.imdb_feed.transforms import clean
from movie_platform.pipelines.imdb_feed.verification import verify
from movie_platform.pipelines.movies_dataset.publication import newest_publication
from movie_platform.pipelines.quality_movies.day_records import judged_days, record_of
from movie_platform.pipelines.quality_movies.tables import DELIVERIES
from movie_platform.pipelines.user_behavior import classification, metric, purchases, reviews
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC
from movie_platform.report.behavior import metric_days
from movie_platform.report.feed import Windows
from movie_platform.report.markup import Markup, joined, note, tag
from movie_platform.report.markup import table as listing
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs
from movie_platform.table import Table

WINDOWS = 144
"""The newest served windows, a day of them, whose archived files are gone through once more."""
DAYS = 14


def rows_section(inputs: Inputs, feed: Windows) -> Section:
    body = [
        note("Delivered records on the left, where they went on the right; each line has to add up."),
        tag("h3", "IMDB feed"),
        _feed(inputs, feed),
        tag("h3", "The Movies Dataset"),
        _dataset(inputs),
        tag("h3", "Quality movies"),
        _quality(inputs),
        tag("h3", "User behavior"),
        _behavior(inputs),
    ]
    return Section("Rows", joined(body))


def _feed(inputs: Inputs, feed: Windows) -> Markup:
    newest = sorted(feed.served, reverse=True)[:WINDOWS]
    if not newest:
        return note("No window is served yet.")
    totals: dict[str, Counter[str]] = {}
    records: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for accounts, counts in inputs.each(lambda window: _window(inputs, window), newest):
        rows += counts
        for kind, count, fates in accounts:
            records[kind] += count
            totals.setdefault(kind, Counter()).update(fates)
    named = list(dict.fromkeys(fate for fates in totals.values() for fate in fates))
    listed = [
        (kind, records[kind], *(fates[fate] for fate in named), _adds_up(records[kind] == fates.total()))
        for kind, fates in totals.items()
    ]
    about = (
        f"The newest {len(newest)} served windows, {newest[-1]} to {newest[0]}: {rows['clean']:,} clean rows (a movie "
        f"has one for each director), {rows['rejected']:,} records in rejects/, "
        f"{rows['quarantined']:,} in bad-records/. Counted anew from the archived files. "
        f"{_loaded(inputs, IMDB_MOVIE_WINDOWS, newest)}."
    )
    return joined([listing(("file of the windows", "records", *named, "adds up"), listed), note(about)])


def _window(inputs: Inputs, window: str) -> tuple[list[tuple[str, int, dict[str, int]]], Counter[str]]:
    lake, prefix = inputs.lake, archive_prefix(window)
    counts = Counter(
        clean=rows_of(lake, clean_key(window)),
        rejected=rows_of(lake, rejects_key(window)),
        quarantined=rows_of(lake, bad_records_key(window)),
    )
    contents = {info.key.removeprefix(prefix): lake.read(info.key) for info in list(lake.objects(prefix))}
    triplet = verify(window, contents).triplet
    if triplet is None:  # it is being archived anew
        return [], counts
    accounts = clean(triplet).accounts
    return [(account.source.replace(window, "…"), account.records, dict(account.fates)) for account in accounts], counts


def _dataset(inputs: Inputs) -> Markup:
    published = newest_publication(inputs.lake)
    if published is None:
        return note("No data set was published yet.")
    report = published.report
    files = [
        (a.file, a.records, a.out, a.merged, a.rejected, _reasons(a.reasons), _adds_up(a.is_conserved))
        for a in report.files
    ]
    last = {name.rpartition(".")[2]: rows for name, _, rows, _ in inputs.ledger.tables}
    tables = [(name, rows, last.get(name, "not known")) for name, rows in report.rows.items()]
    return joined(
        [
            note(f"The delivery of {published.day}."),
            listing(("file", "records", "out", "merged", "rejected", "rejected because", "adds up"), files),
            listing(("table", "rows in the lake", "rows in the warehouse by its ledger"), tables),
        ]
    )


def _quality(inputs: Inputs) -> Markup:
    days = sorted(judged_days(inputs.lake), reverse=True)[:DAYS]
    records = [record for record in inputs.each(lambda day: record_of(inputs.lake, day), days) if record]
    rows = [
        (r.day, r.rows, r.good, r.bad, r.withheld, _number(inputs, DELIVERIES, r.day), _adds_up(r.is_conserved))
        for r in records
    ]
    return listing(("day", "records", "good", "bad", "withheld", "in the warehouse", "adds up"), rows)


def _behavior(inputs: Inputs) -> Markup:
    rows = [row for day in reversed(metric_days(inputs)[-DAYS:]) for row in _fates(inputs, date.fromisoformat(day))]
    if not rows:
        return note("No day's metric was made yet.")
    columns = ("day", "what", "staged", "in the metric", "no customer", "other side missing", "too large", "rejected")
    days = metric_days(inputs)[-DAYS:]
    made = sum(rows_of(inputs.lake, metric.stage_key(date.fromisoformat(day))) for day in days)
    about = f"{made:,} customers in the metrics of these days. {_loaded(inputs, USER_BEHAVIOR_METRIC, days)}."
    return joined([listing((*columns, "adds up"), rows), note(about)])


def _fates(inputs: Inputs, day: date) -> Iterator[tuple[object, ...]]:
    """Where the day's purchases and reviews went; nothing while a stage is being made anew."""
    bought = read_parquet(inputs.lake, purchases.stage_key(day))
    judged = read_parquet(inputs.lake, classification.stage_key(day))
    if bought is None:
        return
    judged = MOVIE_REVIEW.arrow_schema.empty_table() if judged is None else judged
    with tempfile.TemporaryDirectory(prefix="movie-platform-report-") as name, DuckDBEngine(memory="500MB") as engine:
        paths = [Path(name) / "purchases.parquet", Path(name) / "reviews.parquet"]
        for path, staged in zip(paths, (bought, judged), strict=True):
            pq.write_table(staged, path)
        sides = (engine.parquet(path.stem, [path]).table for path in paths)
        customers = engine.stage("customers", metric.by_customer(*sides)).table
        account = metric.account(engine, customers)
    found = {
        fate: account[fate]
        for fate in (
            metric.IN_METRIC,
            metric.WITHOUT_CUSTOMER,
            metric.WITHOUT_REVIEWS,
            metric.WITHOUT_PURCHASES,
            metric.TOO_LARGE,
        )
    }
    within, nobody, unreviewed, unbought, large = found.values()
    went = (within.purchases, nobody.purchases, unreviewed.purchases, large.purchases)
    yield day, "purchases", bought.num_rows, *went, "-", _adds_up(bought.num_rows == sum(went))
    went = (within.reviews, nobody.reviews, unbought.reviews, large.reviews)
    left_out = rows_of(inputs.lake, reviews.rejects_key(day))
    yield day, "reviews", judged.num_rows, *went, left_out, _adds_up(judged.num_rows == sum(went))


def _number(inputs: Inputs, table: Table, partition: str) -> int | str:
    found = inputs.ledger.rows(table.qualified_name, [partition])
    return "not known" if found is None else found


def _loaded(inputs: Inputs, table: Table, partitions: Sequence[str]) -> str:
    found = inputs.ledger.rows(table.qualified_name, partitions)
    if found is None:
        return "What the warehouse has of them is not known"
    return f"{table.qualified_name} has {found:,} rows of them by the ledger"


def _reasons(reasons: dict[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda of: -of[1]))


def _adds_up(yes: bool) -> Markup:
    return tag("span", "yes" if yes else "NO", class_=f"badge {'fresh' if yes else 'stale'}")
