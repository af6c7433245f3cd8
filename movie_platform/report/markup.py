"""HTML whose texts cannot become markup: everything is escaped on its way in, except what was built here."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from movie_platform.quality.presentation import harmless

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_SPECIAL = re.compile("[&<>\"']")
_SPELLED_IN_SCRIPT = re.compile(r"[<>&\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_FORMULA = re.compile(r"[\s]*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:-]*")
_SHORT = 24
"""Texts of so many characters stay in one line of a table."""
_VOID = {"meta", "br", "input"}


class Markup(str):
    """Text that is HTML already. Only this module and files of this package make it."""

    __slots__ = ()


def escaped(value: Any) -> Markup:
    """Any value as text of an element or of a quoted attribute.

    Characters that a browser or terminal would obey or not show (controls, ESC, zero-width and direction marks) are
    spelled out; line ends are kept as spaces.
    """
    if isinstance(value, Markup):
        return value
    text = re.sub(r"[\r\n\t]+", " ", "" if value is None else str(value))
    return Markup(_SPECIAL.sub(lambda found: _ENTITIES[found[0]], harmless_text(text)))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element. Children and attributes are escaped; `class_` is the attribute class, a None leaves one out."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    for part in (name, *named):
        if not _NAME.fullmatch(part):
            raise ValueError(f"{part!r} is no name of an element or attribute")
    opened = "".join(f' {key}="{escaped(value)}"' for key, value in named.items())
    if name in _VOID:
        return Markup(f"<{name}{opened}>")
    return Markup(f"<{name}{opened}>{joined(children)}</{name}>")


def joined(parts: Iterable[Any]) -> Markup:
    return Markup("".join(escaped(part) for part in parts))


def script_json(value: Any) -> Markup:
    """JSON for a script element: it reads back the same and can end neither the element nor a line of a script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    return Markup(_SPELLED_IN_SCRIPT.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str = "") -> Markup:
    """A table whose numbers are aligned right; a message in its place where there are no rows."""
    listed = [tuple(row) for row in rows]
    body = [tag("tr", *(_cell(value) for value in row)) for row in listed]
    if not body:
        return note(f"{caption}: nothing to show." if caption else "Nothing to show.")
    classes = ["number" if _is_number(value) else None for value in listed[0]]
    named = (tag("th", name, scope="col", class_=kind) for name, kind in zip(columns, classes, strict=True))
    head = tag("thead", tag("tr", *named))
    made = tag("table", *([tag("caption", caption)] if caption else []), head, tag("tbody", *body))
    return tag("div", made, class_="scroll", tabindex="0")


def cut(text: Any, at_most: int = 160) -> Markup:
    """As much of a text as a table has room for; the pointer shows the rest, as far as anybody reads it."""
    whole = str(text)
    if len(whole) <= at_most:
        return escaped(whole)
    return tag("span", whole[: at_most - 1] + "…", title=whole[:2000])


def moment(text: str) -> str:
    """A moment that a record holds in ISO 8601, to the second and in UTC; another text as it is."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found if found.tzinfo is None else found.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def note(text: Any) -> Markup:
    return tag("p", text, class_="note")


def number(value: float | None) -> str:
    """A number as people read it."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if abs(value) < 100 else f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"


def _cell(value: Any) -> Markup:
    if _is_number(value):
        return tag("td", number(value), class_="number")
    if len(str(value)) > 3 * _SHORT:
        return tag("td", value, class_="long")
    is_short = not isinstance(value, Markup) and len(str(value)) <= _SHORT
    return tag("td", value, class_="short" if is_short else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def csv_link(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A link that saves the rows as a CSV file, from the page itself."""
    data = base64.b64encode(csv_text(columns, rows).encode("utf-8")).decode()
    return tag("a", f"{name}.csv", href=f"data:text/csv;charset=utf-8;base64,{data}", download=f"{name}.csv")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The rows as CSV. A text that a spreadsheet would take for a formula has an apostrophe in front."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([_plain(name) for name in columns])
    writer.writerows([_plain(value) for value in row] for row in rows)
    return written.getvalue()


def _plain(value: Any) -> Any:
    if value is None or _is_number(value):
        return value
    raw = str(value)
    is_formula = _FORMULA.match(raw) and not _NUMBER.fullmatch(raw)
    return f"'{harmless_text(raw)}" if is_formula else harmless_text(raw)


def harmless_text(text: str) -> str:
    """The text with control, zero-width and direction characters spelled out; brackets stay."""
    return "".join(part if part in ("<", ">") else harmless(part) for part in re.split("([<>])", text))
