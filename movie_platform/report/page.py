"""The page: one self-contained HTML file of at most 3 MB, which asks the network for nothing."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.monitoring import ledger as ledgers
from movie_platform.monitoring.ledger import Ledger, ledger_of
from movie_platform.report.answers import Answers, answers_section, newest_answers
from movie_platform.report.behavior import behavior_section
from movie_platform.report.columns import columns_section
from movie_platform.report.document import document
from movie_platform.report.feed import Windows, feed_section, windows_of
from movie_platform.report.freshness import freshness_section
from movie_platform.report.ledger import ledger_section
from movie_platform.report.markup import note
from movie_platform.report.quality import quality_section
from movie_platform.report.rows import rows_section
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs
from movie_platform.settings import Settings

KEY = "report/platform.html"
"""Where the page is in the lake."""
BYTES_AT_MOST = 3_000_000
ROWS_TIERS = (5_000, 1_500, 400, 100, 20)
"""Rows of each answer that the page holds: as many as its size allows."""


def report_page(settings: Settings, lake: ObjectStore, now: datetime, ledger: Ledger | None = None) -> str:
    """The page as the lake's records stand, made without waiting for the warehouse.

    A section whose records cannot be read says so, and the others are there.
    """
    ledger = ledger or ledger_of(settings, lake, now)
    inputs = Inputs(lake, settings, now, ledger)
    before, after = _sections(inputs)
    computed: dict[str, Answers | None] = {}
    for at_most in ROWS_TIERS:
        answers = _contained("Answers", partial(_answers, lake, computed, at_most))
        page = document("Movie platform", _subtitle(settings, now), [*before, answers, *after])
        if len(page.encode()) <= BYTES_AT_MOST:
            return page
    raise PlatformError(f"the report would have more than {BYTES_AT_MOST:,} bytes")


def publish(settings: Settings, lake: ObjectStore, now: datetime) -> int:
    """Write the page, and what it knows of the ledger for the next one; the page's bytes."""
    ledger = ledger_of(settings, lake, now)
    page = report_page(settings, lake, now, ledger).encode()
    lake.write(KEY, page)
    if ledger.at:
        lake.write(ledgers.KEY, ledger.as_json())
    return len(page)


def make_report(settings: Settings) -> str:
    return report_page(settings, open_store(settings.lake_uri, settings.s3_waits), datetime.now(UTC))


def _sections(inputs: Inputs) -> tuple[list[Section], list[Section]]:
    """Those before and those after the answers."""
    found: list[Windows] = []

    def windows() -> Windows:
        """Listed once; where that fails, each section that needs them says so."""
        if not found:
            found.append(windows_of(inputs))
        return found[0]

    before: list[tuple[str, Callable[[], Section]]] = [
        ("Feed", lambda: feed_section(inputs, windows())),
        ("Freshness", lambda: freshness_section(inputs, windows())),
        ("Columns", lambda: columns_section(inputs)),
        ("Quality", lambda: quality_section(inputs)),
    ]
    after: list[tuple[str, Callable[[], Section]]] = [
        ("Behavior", lambda: behavior_section(inputs)),
        ("Rows", lambda: rows_section(inputs, windows())),
        ("Ledger", lambda: ledger_section(inputs)),
    ]
    return [_contained(*one) for one in before], [_contained(*one) for one in after]


def _answers(lake: ObjectStore, computed: dict[str, Answers | None], at_most: int) -> Section:
    if "answers" not in computed:
        computed["answers"] = newest_answers(lake)
    return answers_section(computed["answers"], at_most)


def _contained(heading: str, make: Callable[[], Section]) -> Section:
    try:
        return make()
    except Exception as error:
        # One record that cannot be read must not hide everything else; the run's log has the whole of it.
        logging.getLogger(__name__).exception("The section %s could not be made", heading)
        what = str(error) if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"
        return Section(heading, note(f"Its records cannot be read now: {what}"))


def _subtitle(settings: Settings, now: datetime) -> str:
    return f"Made {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC from the lake's records. All times are UTC."
