"""A chart for each answer, as PNG: small enough to lie in a page, telling enough to be looked at."""

import struct
import zlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from movie_platform.pipelines.movies_dataset.answers import Question

if TYPE_CHECKING:
    import altair as alt

SHOWN = 6
"""So many companies or genres have a line of their own; a chart with all of them says nothing."""
_WIDTH, _HEIGHT = 420, 170
_POINTS_UP_TO = 20
_OTHER_WORDS = {"production_company": "company", "release_year": "year"}


def chart_png(question: Question, rows: pa.Table) -> bytes:
    """The answer as a picture; an empty one says that there is nothing to show."""
    import vl_convert

    return _packed(bytes(vl_convert.vegalite_to_png(chart(question, rows).to_json())))


def chart(question: Question, rows: pa.Table) -> "alt.Chart":
    """The measure over the years, a line for each of the largest companies or genres."""
    import altair as alt  # takes a second, which only a run that draws should spend

    largest = _largest(question, rows)
    data = alt.InlineData(values=largest.to_pylist())
    base = alt.Chart(data, title=question.asks).properties(width=_WIDTH, height=_HEIGHT)
    year = alt.X("release_year:Q", title="year", axis=alt.Axis(format="d"), scale=alt.Scale(zero=False))
    measure = alt.Y(f"{question.measure}:Q", title=_title(question.measure), axis=alt.Axis(format="~s"))
    color = alt.Color(f"{_subject(question)}:N", title=_title(_subject(question)))
    few = len(pc.unique(largest["release_year"])) <= _POINTS_UP_TO
    marks = base.mark_point(filled=True) if question.order == ("release_year",) else base.mark_line(point=few)
    return marks.encode(x=year, y=measure, color=color)


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
