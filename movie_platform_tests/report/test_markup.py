"""Nothing that comes from data becomes markup, a script, an escape sequence or a formula."""

import base64
import csv
import io
import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_platform.report.drawings import rule_grid, window_grid
from movie_platform.report.markup import Markup, csv_link, csv_text, escaped, moment, script_json, table, tag

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "`x`",
    "</td></table><h1>owned</h1>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "\x1b[31mred\x1b[0m",
    "\x00\x07\x7f\x9b31m",
    "zero\u200bwidth\u200d\ufeff",
    "\u202eright to left",
    "line\u2028and\u2029paragraph",
    "\ud800",
)
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
FORMULAS = ("=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1+1", " =1+1", "\r=1", "＝1+1")
texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters()), st.text("<>\"'`&=/-! \x1b\u2028a", max_size=40))


class Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.comments = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(name)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments += 1


@settings(deadline=None)
@given(texts)
def test_a_text_stays_one_text_in_an_element_and_one_value_in_an_attribute(text: str) -> None:
    made = tag("p", text, title=text)
    seen = Seen(made)
    assert seen.tags == ["p"]
    assert seen.comments == 0
    assert [name for name, _ in seen.attributes] == ["title"]
    assert seen.text == (seen.attributes[0][1] or "")
    assert not OBEYED.search(made)


@pytest.mark.parametrize("text", ["plain", "Zoë & <Sons>", 'the "x"', "1 < 2"])
def test_what_is_harmless_is_read_as_it_was(text: str) -> None:
    assert Seen(tag("p", text)).text == text


def test_what_a_reader_cannot_see_is_spelled_out() -> None:
    assert Seen(tag("p", "a\x1b[31m\u200bb")).text == r"a\x1b[31m\u200bb"


def test_markup_is_not_escaped_twice_and_nothing_else_passes_for_it() -> None:
    inner = tag("b", "x < y")
    assert tag("p", inner) == "<p><b>x &lt; y</b></p>"
    assert escaped(str(inner)) == "&lt;b&gt;x &amp;lt; y&lt;/b&gt;"


@pytest.mark.parametrize("name", ["a b", "x><script", "1a", ""])
def test_a_name_of_an_element_or_attribute_cannot_come_from_data(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        tag(name)
    with pytest.raises(ValueError, match="no name"):
        tag("p", **{name: "x"})


@settings(deadline=None)
@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=6))
def test_json_in_a_script_reads_back_the_same_and_ends_neither_it_nor_a_line(value: object) -> None:
    made = script_json(value)
    assert json.loads(made) == value
    assert not re.search("[<>&\u2028\u2029\x00-\x1f\x7f]", made)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text_in_the_csv_file(text: str) -> None:
    (_, (cell,)) = csv.reader(io.StringIO(csv_text(["name"], [[text]])))
    assert cell.startswith("'")
    assert not OBEYED.search(cell)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.integers(), st.none() | st.floats(allow_nan=False))))
def test_the_csv_file_holds_every_cell_and_no_text_that_is_obeyed(rows: list[tuple[object, ...]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(["a", "b", "c"], rows), newline="")))[1:]
    assert len(read) == len(rows)
    for (text, number, share), row in zip(read, rows, strict=True):
        assert not OBEYED.search(text)
        assert text[:1] not in tuple("=+-@\t\r") or re.fullmatch(r"-?[\d.e+-]+", text)
        assert (number, share) == (str(row[1]), "" if row[2] is None else str(row[2]))


def test_numbers_below_zero_stay_numbers_in_the_csv_file() -> None:
    assert csv_text(["n"], [[-1], [-2.5], ["-3"]]).split() == ["n", "-1", "-2.5", "-3"]


def test_the_file_is_in_the_link_itself() -> None:
    seen = Seen(csv_link("x", ["title"], [["Zoë"]]))
    href = dict(seen.attributes)["href"] or ""
    assert href.startswith("data:text/csv;charset=utf-8;base64,")
    assert base64.b64decode(href.partition(",")[2]).decode() == "title\r\nZoë\r\n"


@settings(deadline=None)
@given(texts)
def test_tables_and_drawings_hold_texts_as_texts(text: str) -> None:
    for made in (
        table([text, "n"], [[text, 1], [text, 2]], caption=text),
        rule_grid([text], ["2026-01-01"], {(text, "2026-01-01"): ("served", text)}),
        window_grid([(date(2026, 1, 1), [("refused", text)] * 144)]),
    ):
        allowed = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "text", "rect", "title"}
        assert set(Seen(made).tags) <= allowed
        assert isinstance(made, Markup)


def test_a_moment_is_shown_in_utc_whatever_its_offset() -> None:
    assert moment("2026-01-01T02:00:00+02:00") == "2026-01-01 00:00:00"
    assert moment("nothing") == "nothing"
