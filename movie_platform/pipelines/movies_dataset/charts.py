"""A chart for each answer, as PNG: small enough to lie in a page, telling enough to be looked at."""

import struct
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.pipelines.movies_dataset.answers import Question

SHOWN = 6
"""So many companies or genres have a line of their own; a chart with all of them says nothing."""
_WIDTH, _HEIGHT = 420, 170
_POINTS_UP_TO = 20
_OTHER_WORDS = {"production_company": "company", "release_year": "year"}


def chart_png(question: Question, rows: pa.Table) -> bytes:
    """The answer as a picture; an empty one says that there is nothing to show."""
    import vl_convert

    return _packed(bytes(vl_convert.vegalite_to_png(chart(question, rows))))


def chart(question: Question, rows: pa.Table) -> dict[str, Any]:
    """The measure over the years in Vega-Lite, a line for each of the largest companies or genres."""
    largest = _largest(question, rows)
    few = len(pc.unique(largest["release_year"])) <= _POINTS_UP_TO
    mark = {"type": "point", "filled": True} if question.order == ("release_year",) else {"type": "line", "point": few}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": question.asks,
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": largest.to_pylist()},
        "mark": mark,
        "encoding": {
            "x": {
                "field": "release_year",
                "type": "quantitative",
                "title": "year",
                "axis": {"format": "d"},
                "scale": {"zero": False},
            },
            "y": {
                "field": question.measure,
                "type": "quantitative",
                "title": _title(question.measure),
                "axis": {"format": "~s"},
            },
            "color": {"field": _subject(question), "type": "nominal", "title": _title(_subject(question))},
        },
    }


def _subject(question: Question) -> str:
    return "genre" if question.order == ("release_year",) else question.order[0]


def _title(name: str) -> str:
    return _OTHER_WORDS.get(name, name.replace("_", " "))


def _largest(question: Question, rows: pa.Table) -> pa.Table:
    """A row per subject and year, of the subjects with most of the measure; of popularity, those with most movies."""
    subject, measure = _subject(question), question.measure
    if question.order == ("release_year",) or not rows.num_rows:
        return rows
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
