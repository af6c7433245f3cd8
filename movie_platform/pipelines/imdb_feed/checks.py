"""What the UI says of the feed as it stands: the rules of verification, the row rules, the account of every row.

A check does not say how the window of one run came out, but how all that is delivered and served stands, worked out
from the lake. So it says the same after any run of any windows, in whichever order they end.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from movie_platform.deliveries import fingerprint_of
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.refusals import Refusal
from movie_platform.pipelines.imdb_feed.summaries import WindowSummary, look_back, receipts_of
from movie_platform.pipelines.imdb_feed.verification import RULES

ARCHIVE = dg.AssetKey("imdb_archive")
CLEAN = dg.AssetKey("imdb_clean")
ROWS_CONSERVED = "rows_conserved"
ROW_RULES = {
    "imdb_rating_between_0_and_10": "Every rating is a number between 0 and 10, or blank.",
    "ids_not_null": "Every record has its ids: movie, person, and IMDB's own.",
    "title_not_null": "Every movie has a title.",
    "numbers_readable": "Every number of every record can be read as one.",
}
KEYS = [
    *(dg.AssetCheckKey(ARCHIVE, rule) for rule in RULES),
    *(dg.AssetCheckKey(CLEAN, rule) for rule in (ROWS_CONSERVED, *ROW_RULES)),
]
NAMED = 20
"""Windows or records that a table names, the newest first; the description counts all of them."""


def archive_checks() -> list[dg.AssetCheckSpec]:
    fails = "It fails as long as any delivered window is refused for it."
    return [dg.AssetCheckSpec(rule, asset=ARCHIVE, description=f"{meaning} {fails}") for rule, meaning in RULES.items()]


def clean_checks() -> list[dg.AssetCheckSpec]:
    judged = "Judged are the newest window and those of the look-back before it (MOVIE_PLATFORM_FEED_LOOKBACK)."
    conserved = (
        "Every record of the three files is in the clean rows, merged, rejected, quarantined, or not of this delivery."
    )
    meanings = {ROWS_CONSERVED: conserved, **ROW_RULES}
    return [
        dg.AssetCheckSpec(name, asset=CLEAN, description=f"{meaning} {judged}") for name, meaning in meanings.items()
    ]


def evaluations(lake: ObjectStore, length: timedelta) -> list[dg.AssetCheckEvaluation]:
    """How every check stands by what is in the lake now."""
    refused = list(refusals.every(lake))
    windows = look_back(lake, length)
    return [
        *(_verification(rule, [refusal for refusal in refused if rule in refusal.rules]) for rule in RULES),
        _conservation(windows),
        *(_row_rule(rule, windows) for rule in ROW_RULES),
    ]


def digest_of(lake: ObjectStore, length: timedelta) -> str:
    """Of what the evaluations are worked out from, by listings alone."""
    markers = {info.key: info.etag for info in lake.objects(refusals.PREFIX)}
    return fingerprint_of({**markers, **receipts_of(lake, length)})


def _verification(rule: str, refused: list[Refusal]) -> dg.AssetCheckEvaluation:
    if not refused:
        return dg.AssetCheckEvaluation(ARCHIVE, rule, True, description="no delivered window is refused for it")
    newest = refused[-1]
    reasons = "; ".join(newest.reasons.get(rule, [newest.reason]))
    rows = [
        {
            "window": refusal.window,
            "file": "",
            "record": "",
            "line": "",
            **refusals.place_of(reason),
            "reason": reason,
            "since": refusal.first_seen,
            "served meanwhile": f"the version of {refusal.serves}" if refusal.serves else "nothing",
            "what to do": refusal.what_next,
        }
        for refusal in reversed(refused[-NAMED:])
        for reason in refusal.reasons.get(rule, [refusal.reason])
    ]
    return dg.AssetCheckEvaluation(
        ARCHIVE,
        rule,
        False,
        description=f"windows refused for it: {len(refused)}, the newest {newest.window}: {reasons}",
        metadata={"refused windows": _table(rows)},
    )


def _conservation(windows: Mapping[str, WindowSummary]) -> dg.AssetCheckEvaluation:
    lost = {window: summary for window, summary in windows.items() if not summary.is_conserved}
    without = sum(not summary.is_judged for summary in windows.values())
    unknown = f"; {without} of them have no account, since an earlier version made them" if without else ""
    if not lost:
        description = f"the rows of {_span(windows)} are accounted for{unknown}"
        return dg.AssetCheckEvaluation(CLEAN, ROWS_CONSERVED, True, description=description)
    description = f"windows that do not conserve their rows: {len(lost)} of {_span(windows)}{unknown}"
    rows = [
        {
            "window": window,
            "file": account.source,
            "account": str(account),
            "since": lost[window].delivered_at,
            "what to do": "a fault of the platform: report it with the window's files in archive/",
        }
        for window in _newest(lost)
        for account in lost[window].accounts
    ]
    return dg.AssetCheckEvaluation(
        CLEAN, ROWS_CONSERVED, False, description=description, metadata={"windows": _table(rows)}
    )


def _row_rule(rule: str, windows: Mapping[str, WindowSummary]) -> dg.AssetCheckEvaluation:
    """Broken row rules warn: what breaks them is in bad-records, and the other rows can be trusted."""
    broken = {window: count for window, summary in windows.items() if (count := _count(rule, summary))}
    rows: list[dict[str, str | int]] = [
        {
            "window": window,
            "file": example.file,
            "record": example.record,
            "value": example.value,
            "reason": example.rule,
            "since": windows[window].delivered_at,
            "what to do": f"{refusals.DELIVER_AGAIN}; until then the record is in bad-records/imdb_feed/",
        }
        for window in _newest(broken)
        for example in windows[window].examples
        if _check_of(example.rule) == rule
    ]
    metadata: dict[str, Any] = {"records": sum(broken.values()), "windows": len(broken), "newest": _table(rows[:NAMED])}
    return dg.AssetCheckEvaluation(
        CLEAN,
        rule,
        passed=not broken,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{sum(broken.values())} values in {len(broken)} of {_span(windows)} break it"
        if broken
        else f"holds in {_span(windows)}",
        metadata=metadata if broken else {},
    )


def _count(rule: str, summary: WindowSummary) -> int:
    return sum(count for broken, count in summary.broken_rules.items() if _check_of(broken) == rule)


def _check_of(rule: str) -> str:
    """The check that a broken row rule counts in."""
    if rule in ROW_RULES:
        return rule
    return "ids_not_null" if rule.endswith("_not_null") else "numbers_readable"


def _span(windows: Mapping[str, WindowSummary]) -> str:
    if not windows:
        return "no window, since none is processed"
    return f"the windows from {min(windows)} to {max(windows)} ({len(windows)})"


def _newest(windows: Mapping[str, object]) -> Iterator[str]:
    return iter(sorted(windows, reverse=True)[:NAMED])


def _table(rows: Iterable[Mapping[str, str | int]]) -> dg.TableMetadataValue:
    records = [dg.TableRecord(dict(row)) for row in rows]
    kinds = {
        name: "int" if isinstance(value, int) else "string" for record in records for name, value in record.data.items()
    }
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(*kind) for kind in kinds.items()]))
