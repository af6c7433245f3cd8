"""Text that somebody else wrote, made safe to look at: what a terminal, a log or a page would obey is spelled out."""

import re

_OBEYED = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls of terminals, ESC and line ends among them
    "\u2028-\u202e\u061c\u200e\u200f\u2066-\u2069"  # further line ends, changes of direction
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"  # no width
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"  # of formats
    "\ud800-\udfff"  # halves of characters, which no file and no JSON takes
    "]"
)
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, *, keep: str = "") -> str:
    """The text with each such character as its escape, but for those of `keep`; everything else stays as it is."""
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: found[0] if found[0] in keep else spelled(found[0]), text)


def json_printable(text: str) -> str:
    """JSON that means the same, its line ends as they are: outside its strings it has none of the other characters."""
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else json_spelled(found[0]), text)


def json_spelled(character: str) -> str:
    """A character as an escape of JSON's, in halves where it has two."""
    data = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


def spelled(character: str) -> str:
    """A character as an escape of Python's and JavaScript's."""
    number = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65_536 else f"\\U{number:08x}"
