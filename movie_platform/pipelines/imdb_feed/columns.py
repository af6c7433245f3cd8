"""The columns of the feed's newest windows, from what the lake has anyway.

A window whose header is not exactly as expected is refused, and its marker has the header. One that is processed has
every column, and the summary in its receipt counts the records whose values could not be read. So nothing is kept for a
window that is as expected.
"""

from movie_platform.csv_files.kinds import kind_of_type
from movie_platform.deliveries.columns import DeliveredColumns, Expectation
from movie_platform.deliveries.manifests import Columns
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.deliveries import NAME
from movie_platform.pipelines.imdb_feed.summaries import WindowSummary, look_back
from movie_platform.pipelines.imdb_feed.tables import TRIPLET
from movie_platform.settings import Settings

OTHER_VALUES = "something else"

EXPECTED = Expectation(
    NAME,
    files={f"type_{of.type}": {name: kind_of_type(type_) for name, type_ in of.columns.items()} for of in TRIPLET},
    if_new="the window is refused, and what was served before stays",
    if_gone="the window is refused, and what was served before stays",
    if_unreadable="records that cannot be read are in bad-records/imdb_feed/",
)


def delivered_columns(lake: ObjectStore, settings: Settings) -> DeliveredColumns:
    """Of the processed windows of the look-back, and of those that were refused since the newest of them."""
    processed = look_back(lake, settings.feed_lookback, keeps=False)
    refused = set(refusals.windows(lake, since=max(processed, default="")))

    def read(window: str) -> Columns | None:
        marker = refusals.get(lake, window) if window in refused else None
        if marker and marker.columns:
            return marker.columns
        return _as_processed(processed[window]) if window in processed else None

    return DeliveredColumns(sorted({*processed, *refused}), read)


def _as_processed(summary: WindowSummary) -> Columns:
    """Every column, each with other values than expected where at least half of the records have such."""
    found = {file: dict(columns) for file, columns in EXPECTED.files.items()}
    for rule, count in summary.broken_rules.items():
        for account in summary.accounts:
            file = account.source.partition("_")[2].removesuffix(".csv")
            column = next((name for name in found.get(file, {}) if rule in _rules(name)), None)
            if column and 2 * count >= account.records and account.fates.get("quarantined", 0) >= count:
                found[file][column] = OTHER_VALUES
    return found


def _rules(column: str) -> tuple[str, str]:
    return f"{column}_is_a_number", f"{column}_is_a_whole_number"
