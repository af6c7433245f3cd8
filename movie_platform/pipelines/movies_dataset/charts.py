"""A chart for each answer, as PNG: small enough to lie in a page, telling enough to be looked at."""

import struct
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.pipelines.movies_dataset.answers import Question

SHOWN = 6
"""So many companies or genres have a line of their own; a chart with all of them says nothing."""
_WIDTH, _HEIGHT, _ROW = 600, 260, 18
_FONT = 13
_YEAR = {
    "field": "release_year",
    "type": "quantitative",
    "title": "year",
    "axis": {"format": "d"},
    "scale": {"zero": False},
}
_MONEY = {"labelExpr": "replace(format(datum.value, '~s'), 'G', 'B')"}
"""Money is counted in billions, where SI says giga."""
_LARGER = {"labelFontSize": _FONT, "titleFontSize": _FONT, "fontSize": _FONT + 2, "labelLimit": 260}


def chart_png(question: Question, rows: pa.Table) -> bytes:
    """The answer as a picture; an empty one says that there is nothing to show."""
    import vl_convert

    # White behind it, so that it can be read in the UI's dark theme too.
    config = {"background": "white", "padding": 12, "config": dict.fromkeys(("axis", "legend", "title"), _LARGER)}
    return _packed(bytes(vl_convert.vegalite_to_png({**chart(question, rows), **config})))


def chart(question: Question, rows: pa.Table) -> dict[str, Any]:
    """The measure over the years in Vega-Lite, a line for each of the largest companies or genres.

    Of one genre a year, each genre has a row of its own, since nobody can tell 19 colors apart.
    """
    shown = _largest(question, rows)
    shown = shown.filter(pc.is_valid(shown[question.measure]))
    measure = {"field": question.measure, "type": "quantitative", "title": _title(question.measure)}
    # A legend in columns that has no entries cannot be drawn.
    legend = {"orient": "bottom", "columns": 3} if shown.num_rows else None
    drawn: dict[str, Any]
    if question.order == ("release_year",):
        drawn = {
            "height": {"step": _ROW},
            "mark": {"type": "circle", "opacity": 0.8},
            "encoding": {
                "x": _YEAR,
                "y": {"field": "genre", "type": "nominal", "title": None, "axis": {"grid": True}},
                "size": {**measure, "legend": {"orient": "bottom"} if legend else None},
            },
        }
    else:
        subject = {"field": question.order[0], "type": "nominal", "title": None}
        drawn = {
            "height": _HEIGHT,
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": _YEAR,
                "y": {**measure, "axis": _MONEY},
                "color": {**subject, "legend": legend},
            },
        }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": question.asks,
        "width": _WIDTH,
        "data": {"values": shown.to_pylist()},
        **drawn,
    }


def _title(name: str) -> str:
    return name.replace("_", " ")


def _largest(question: Question, rows: pa.Table) -> pa.Table:
    """A row per subject and year, of the subjects with most of the measure; of popularity, those with most movies."""
    if question.order == ("release_year",) or not rows.num_rows:
        return rows
    subject, measure = question.order[0], question.measure
    weight = "movies" if "movies" in rows.column_names and measure.startswith("mean") else measure
    totals = (
        rows.group_by(subject)
        .aggregate([(weight, "sum")])
        .sort_by([(f"{weight}_sum", "descending"), (subject, "ascending")])
    )
    kept = rows.filter(pc.is_in(rows[subject], totals[subject].slice(0, SHOWN)))
    if measure.startswith("mean"):
        return kept
    summed = kept.group_by([subject, "release_year"], use_threads=False).aggregate([(measure, "sum")])
    return summed.rename_columns([subject, "release_year", measure])


def _packed(png: bytes) -> bytes:
    """The same picture in fewer bytes: the renderer packs its pixels in haste."""
    parts, pixels, place = [png[:8]], b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        if kind == b"IDAT":
            pixels += data
        else:
            if kind == b"IEND":
                parts.append(_part(b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
            parts.append(_part(kind, data))
        place += 12 + length
    return b"".join(parts)


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
