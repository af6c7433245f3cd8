"""Values of somebody else's data where people or programs look at them: shown, never obeyed."""

import json
import re
from typing import Any

_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f<>\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")
_AT_MOST = 60


def shown(value: Any) -> str:
    """A value in one line: texts in quotes, long ones cut, terminal escapes, direction marks and tags spelled out.

    The quotes also keep a spreadsheet from taking a text such as =1+1 for a formula.
    """
    if value is None:
        return "null"
    text = str(value)
    cut = text if len(text) <= _AT_MOST else text[: _AT_MOST - 1] + "…"
    cut = harmless(cut)
    return f"'{cut}'" if isinstance(value, str | bytes) else cut


def harmless(text: str) -> str:
    """The text with every character that a terminal or a browser would obey spelled out."""
    return _OBEYED.sub(_spelled, text)


def json_text(value: Any) -> str:
    """JSON that reads back the same and can be printed or put into a page as it is."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # Outside its strings JSON has none of these characters but line ends, which stay.
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text) + "\n"


def markdown(value: Any) -> str:
    """A value as a cell of a Markdown table: no markup, no tags, no line break, no second cell."""
    return _MARKDOWN.sub(r"\\\1", shown(value))


def _spelled(found: re.Match[str]) -> str:
    character = found.group()
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if named is not None:
        return named
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
