"""Sections as one self-contained HTML document, which asks the network for nothing."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from movie_platform.report.markup import Markup, note, script_json, tag
from movie_platform.report.section import Section

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


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
