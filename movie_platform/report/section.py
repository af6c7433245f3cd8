"""A section of the page: its heading, what it shows, and the charts that its elements name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from movie_platform.report.markup import Markup, tag

FEW_DAYS = 15
"""With so many days a chart names each."""


@dataclass(frozen=True)
class Section:
    heading: str
    body: Markup
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Vega-Lite specifications by the id of the element that each is drawn in."""


def chart_place(name: str, label: str) -> Markup:
    """Where a chart is drawn; a screen reader reads the label."""
    return tag("div", id=name, class_="chart", role="img", aria_label=label)


def line_chart(rows: list[dict[str, Any]], y: str, *, title: str = "", named: Sequence[str] = ()) -> dict[str, Any]:
    """A measure over the days of the rows' column `day`; the pointer names the columns `named` too."""
    day = {"field": "day", "type": "temporal", "timeUnit": "utcyearmonthdate"}
    ticks = {"tickCount": "day"} if len(rows) <= FEW_DAYS else {}
    encoding: dict[str, Any] = {
        "x": {**day, "title": None, "axis": {"format": "%b %d", **ticks}},
        "y": {"field": y, "type": "quantitative", "title": title or y, "axis": {"format": "~s", "tickCount": 5}},
        "tooltip": [{**day, "title": "day"}, *({"field": name} for name in (y, *named))],
    }
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "point": True},
        "encoding": encoding,
        "width": "container",
        "height": 180,
    }
