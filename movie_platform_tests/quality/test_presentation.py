"""Values of others are shown, never obeyed."""

import json

import pytest

from movie_platform.quality import markdown, shown
from movie_platform.quality.presentation import json_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (7.5, "7.5"),
        ("plain", "'plain'"),
        ("=1+1", "'=1+1'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("<b>", r"'\x3cb\x3e'"),
        ("a\nb", r"'a\nb'"),
        ("\u202eabc", r"'\u202eabc'"),
        ("é日本", "'é日本'"),
    ],
)
def test_a_value_is_shown_in_one_harmless_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 10_000)) < 70


def test_a_markdown_cell_stays_one_cell_without_markup() -> None:
    assert markdown("a|b*c*[x](y)") == r"'a\|b\*c\*\[x\]\(y\)'"


def test_json_reads_back_the_same_and_holds_nothing_that_is_obeyed() -> None:
    value = {"a": ["\x1b<script>\u202e\x9b", "é\n"]}

    assert json.loads(json_text(value)) == value
    assert not set("\x1b<>\u202e\x9b") & set(json_text(value))
