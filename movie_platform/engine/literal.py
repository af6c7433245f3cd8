"""Python literals in cells of text, read as `ast.literal_eval` reads them and never evaluated.

The exact reader takes any literal. The native pattern describes those literals that an engine's own cast of text to
nested types reads the same way: lists of records, or one record, whose keys stand in the order of the type, without
escapes. An engine reads what matches the pattern by its cast and everything else exactly.
"""

import ast
import gc
import itertools
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from movie_platform.arrays import array_of

MAX_DEPTH = 64
"""Nesting beyond this is no data set's cell, and deep nesting can take Python's parser down."""

MAX_PARTS = 200_000
"""Names, numbers, strings, comments and signs of punctuation in one literal. The largest credits known have 15,000.
Python's parser takes up to a kilobyte for a part, so that a literal takes 200 MB at most, whatever a cell holds."""

_ONE_AT_A_TIME = threading.Lock()

# A string without an end is taken to where it would have to end: were it passed over, the search for its end would
# start again behind every quote in it, and a small cell of quotes would take hours.
_LONG = r"{three}(?:\\.|[^\\{one}]|{one}(?!{two}))*(?:{three})?"
_SHORT = r"{one}(?:\\.|[^\\\n{one}])*{one}?"
_COMMENT = r"#[^\n]*"
_NOT_BARE = re.compile(
    "|".join(shape.format(one=one, two=one * 2, three=one * 3) for one in "'\"" for shape in (_LONG, _SHORT))
    + f"|{_COMMENT}",
    re.DOTALL,
)
_PART = re.compile(rf"{_NOT_BARE.pattern}|\w+|[^\w\s]", re.DOTALL)
_SEPARATOR = re.compile(r"[,:\[\](){}]")
_NO_BRACKET = re.compile(r"[^\[\](){}]+")
_FORMATTED = re.compile(r"(?<!\w)(?:[fF][rR]?|[rR][fF])''")
_SIGN = re.compile(r"[+~-]")
_MAX_SIGNS = 16
_CHARACTERS_AT_A_TIME = 2**20
"""Of literals whose values are held as Python's own objects, which take many times the room of Arrow's."""


class LiteralUnreadable(ValueError):
    """The text is no Python literal, or not one of the type that its column has."""


def read_literal(text: str, kind: pa.DataType) -> object:
    """The value of a literal as the type describes it: blank and `None` are None, a key that a record lacks is None,
    a key that the type lacks is left out. What is no such literal raises `LiteralUnreadable`."""
    if not text.strip():
        return None
    _refuse_size(text)
    _refuse_towers(text)
    try:
        with _undisturbed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise LiteralUnreadable(f"not a Python literal: {error}") from None
    return conform(value, kind)


def read_literals(texts: Iterable[str | None], kind: pa.DataType) -> pa.Array:
    """The values of many literals; null for those that are null, blank, `None` or unreadable."""
    chunks: list[pa.Array] = []
    values: list[object] = []
    characters = 0
    for text in texts:
        try:
            values.append(None if text is None else read_literal(text, kind))
        except LiteralUnreadable:
            values.append(None)
        characters += len(text or "")
        if characters > _CHARACTERS_AT_A_TIME:
            chunks.append(array_of(values, kind))
            values, characters = [], 0
    return pa.concat_arrays([*chunks, array_of(values, kind)])


def conform(value: object, kind: pa.DataType) -> object:
    """The value as the type describes it, or `LiteralUnreadable`; nothing is converted but whole numbers to floats."""
    if value is None:
        return None
    if pa.types.is_list(kind) and isinstance(value, list):
        return [conform(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {field.name: conform(value.get(field.name), field.type) for field in kind}
    if pa.types.is_string(kind) and isinstance(value, str) and _is_utf8(value):
        return value
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return value
    if pa.types.is_int64(kind) and isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if pa.types.is_float64(kind) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise LiteralUnreadable(f"{type(value).__name__} where {kind} is expected")


def native_pattern(kind: pa.DataType) -> str | None:
    """A regular expression (RE2) for the literals of this type that a cast of text to it reads right, after
    `NATIVE_NONE` is replaced by `NATIVE_NULL`; None where the type is not one of such a shape. It holds for texts of at
    most `MAX_PARTS` characters: whether a longer one has too many parts only the exact reader knows."""
    if pa.types.is_list(kind) and (record := _record_pattern(kind.value_type)):
        return rf"^\[(?:{record}(?:, {record})*)?\]$"
    if record := _record_pattern(kind):
        return rf"^{record}$"
    return None


NATIVE_NONE = "': None"
NATIVE_NULL = "': NULL"

_NO_LINE = r"\x00\n\r"
# A text that starts with a colon, or that holds an apostrophe and a colon behind it, could look like a key with None.
_SIMPLE = r"""\\["\\]"""
_APOSTROPHES = r"(?:\\')+"
_PLAIN = rf"[^'\\{_NO_LINE}]"
_NO_COLON = rf"[^':\\{_NO_LINE}]"
_SINGLE = (
    rf"'(?:(?:{_NO_COLON}|{_SIMPLE}|{_APOSTROPHES}(?:{_NO_COLON}|{_SIMPLE}))"
    rf"(?:{_PLAIN}|{_SIMPLE}|{_APOSTROPHES}(?:{_NO_COLON}|{_SIMPLE}))*)?(?:\\')*'"
)
_DOUBLE = rf'"(?:[^\'"\\{_NO_LINE}]|{_SIMPLE}|\'+(?:[^\'":\\{_NO_LINE}]|{_SIMPLE}))*\'*"'
_NATIVE_VALUES = {
    pa.string(): f"(?:{_SINGLE}|{_DOUBLE}|None)",
    pa.int64(): "(?:-?(?:0|[1-9][0-9]{0,17})|None)",
}


def _record_pattern(kind: pa.DataType) -> str | None:
    if not pa.types.is_struct(kind) or not kind.num_fields:
        return None
    parts = []
    for field in kind:
        if field.type not in _NATIVE_VALUES or not re.fullmatch(r"\w+", field.name):
            return None
        parts.append(f"'{field.name}': {_NATIVE_VALUES[field.type]}")
    return r"\{" + ", ".join(parts) + r"\}"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """One literal at a time, and no garbage collection in its middle.

    Python 3.11 counts the depth of the syntax tree under construction in one place for the whole process. A collection
    can run other code, or let another thread run; where that builds a tree as well, a good literal would end in a
    SystemError.
    """
    with _ONE_AT_A_TIME:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


def _refuse_size(text: str) -> None:
    """Counts one part after the other and only as far as the bound, so that the count itself takes no memory."""
    if len(text) > MAX_PARTS and sum(1 for _ in itertools.islice(_PART.finditer(text), MAX_PARTS + 1)) > MAX_PARTS:
        raise LiteralUnreadable(f"a literal of more than {MAX_PARTS:,} parts")


def _refuse_towers(text: str) -> None:
    """Python's parser is safe against code in a literal, not against towers of brackets or signs."""
    bare = _NOT_BARE.sub("''", text.replace("\r\n", "\n").replace("\r", "\n"))
    if _FORMATTED.search(bare):  # the parser reads what its braces hold, which is hidden from every count here
        raise LiteralUnreadable("a formatted string instead of a literal")
    depth = deepest = 0
    for bracket in _NO_BRACKET.sub("", bare):
        depth += 1 if bracket in "[({" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise LiteralUnreadable(f"nested deeper than {MAX_DEPTH} levels")
    if any(len(_SIGN.findall(part)) > _MAX_SIGNS for part in _SEPARATOR.split(bare) if _SIGN.search(part)):
        raise LiteralUnreadable("a chain of signs instead of a number")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
