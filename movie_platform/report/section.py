"""A section of the page: its heading, what it shows, and the charts that its elements name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from movie_platform.report.markup import Markup, tag


@dataclass(frozen=True)
class Section:
    heading: str
    body: Markup
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Vega-Lite specifications by the id of the element that each is drawn in."""


def chart_place(name: str, label: str) -> Markup:
    """Where a chart is drawn; a screen reader reads the label."""
    return tag("div", id=name, class_="chart", role="img", aria_label=label)


def line_chart(
    rows: list[dict[str, Any]], x: str, y: str, *, color: str | None = None, kind: str = "temporal", title: str = ""
) -> dict[str, Any]:
    """A measure over days, a line for each value of `color`."""
    encoding: dict[str, Any] = {
        "x": {"field": x, "type": kind, "title": None},
        "y": {"field": y, "type": "quantitative", "title": title or y, "axis": {"format": "~s", "tickCount": 5}},
        "tooltip": [{"field": name} for name in (x, color, y) if name],
    }
    if color:
        encoding["color"] = {"field": color, "type": "nominal", "title": None}
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "point": True},
        "encoding": encoding,
        "width": "container",
        "height": 180,
    }
