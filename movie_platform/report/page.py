"""The page: one self-contained HTML file of at most 3 MB, which asks the network for nothing."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files

from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.report.answers import Answers, answers_section, newest_answers
from movie_platform.report.behavior import behavior_section
from movie_platform.report.feed import Windows, feed_section, windows_of
from movie_platform.report.freshness import freshness_section
from movie_platform.report.ledger import ledger_section
from movie_platform.report.markup import Markup, note, script_json, tag
from movie_platform.report.quality import quality_section
from movie_platform.report.rows import rows_section
from movie_platform.report.section import Section
from movie_platform.report.sources import LEDGER_KEY, Inputs, Ledger, ledger_of
from movie_platform.settings import Settings

KEY = "report/platform.html"
"""Where the page is in the lake."""
BYTES_AT_MOST = 3_000_000
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
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
        lake.write(LEDGER_KEY, ledger.as_json())
    return len(page)


def make_report(settings: Settings) -> str:
    return report_page(settings, open_store(settings.lake_uri), datetime.now(UTC))


def document(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """A whole page of the sections; the chart library is in it once, and only where there is a chart."""
    charts = {name: spec for section in sections for name, spec in section.charts.items()}
    scripts = [_library(), Markup(_text("page.js"))] if charts else []
    policy = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    allowed = f"script-src {policy} 'unsafe-eval'; " if charts else ""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content=f"default-src 'none'; {allowed}style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
        ),
        tag("title", title),
        tag("style", Markup(_text("page.css"))),
    )
    links = (tag("a", section.heading, href=f"#{_anchor(section)}") for section in sections)
    parts = (tag("section", tag("h2", s.heading), s.body, id=_anchor(s)) for s in sections)
    data = tag("script", script_json(charts), type="application/json", id="charts") if charts else Markup()
    without = tag("noscript", note("Charts need JavaScript; everything else is here without it."))
    body = tag(
        "body",
        tag("header", tag("h1", title), note(subtitle)),
        tag("nav", *links) if len(sections) > 1 else Markup(),
        without if charts else Markup(),
        tag("main", *parts),
        data,
        *(tag("script", script) for script in scripts),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(inputs: Inputs) -> tuple[list[Section], list[Section]]:
    """Those before and those after the answers."""
    windows = Windows({}, {}, ())

    def feed() -> Section:
        nonlocal windows
        windows = windows_of(inputs)
        return feed_section(inputs, windows)

    before: list[tuple[str, Callable[[], Section]]] = [
        ("Feed", feed),
        ("Freshness", lambda: freshness_section(inputs)),
        ("Quality", lambda: quality_section(inputs)),
    ]
    after: list[tuple[str, Callable[[], Section]]] = [
        ("Behavior", lambda: behavior_section(inputs)),
        ("Rows", lambda: rows_section(inputs, windows)),
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
    except PlatformError as error:
        return Section(heading, note(f"Its records cannot be read now: {error}"))


def _subtitle(settings: Settings, now: datetime) -> str:
    return f"Made {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC from the lake's records. All times are UTC."


def _anchor(section: Section) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in section.heading.lower()).split())


@cache
def _library() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that draws the charts of the assets too."""
    import vl_convert

    script = vl_convert.javascript_bundle(_SNIPPET)
    # A script element ends at the first of these, whatever the script means by it.
    return Markup(script.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
