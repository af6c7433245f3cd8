"""Values of somebody else's data where people or programs look at them: shown, never obeyed."""

import json
import re
from typing import Any

from movie_platform.printable import json_printable, json_spelled, printable, spelled

_TAGS = re.compile("[<>]")
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
    return _TAGS.sub(lambda found: spelled(found[0]), printable(text))


def json_text(value: Any) -> str:
    """JSON that reads back the same and can be printed or put into a page as it is."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return _TAGS.sub(lambda found: json_spelled(found[0]), json_printable(text)) + "\n"


def markdown(value: Any) -> str:
    """A value as a cell of a Markdown table: no markup, no tags, no line break, no second cell."""
    return _MARKDOWN.sub(r"\\\1", shown(value))
