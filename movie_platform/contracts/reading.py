"""YAML that somebody sent, read within bounds, every value with its path in the document.

A document is built from the parser's events: no tag makes an object, an alias counts as often as it is used, and what
is too long, too large or too deep is refused while it is read. Plain words are those of YAML 1.2: `yes` and
`2026-01-01` are texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from movie_platform.errors import PlatformError

MOST_BYTES = 4 * 2**20
MOST_VALUES = 200_000
DEEPEST = 40
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAG = "tag:yaml.org,2002:str"
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


class ContractUnreadable(PlatformError):
    """A data contract cannot be read; the message says where in the document, and why."""


@dataclass(frozen=True)
class Node:
    """A value of the document with its path, such as `schema[0].properties[2].name`."""

    value: Any
    path: str = ""

    def get(self, key: str) -> "Node":
        """The value under a key, which is null where there is none."""
        return Node(self.mapping.get(key), f"{self.path}.{key}" if self.path else key)

    def has(self, key: str) -> bool:
        return self.get(key).value is not None

    @property
    def mapping(self) -> dict[str, Any]:
        return self.value if isinstance(self.value, dict) else self._wrong("keys with values")

    @property
    def text(self) -> str:
        return self.value if isinstance(self.value, str) and self.value.strip() else self._wrong("a text")

    @property
    def truth(self) -> bool:
        """True or false; false where there is nothing."""
        return self.value if isinstance(self.value, bool) else False if self.value is None else self._wrong("a truth")

    def items(self) -> Iterator["Node"]:
        """The values of a list; none where there is no list."""
        if self.value is not None and not isinstance(self.value, list):
            self._wrong("a list")
        for place, value in enumerate(self.value or ()):
            yield Node(value, f"{self.path}[{place}]")

    def _wrong(self, wanted: str) -> NoReturn:
        raise ContractUnreadable(f"{self.path or 'the document'} is {_kind(self.value)}, not {wanted}")


def read_document(data: bytes) -> Node:
    """The document of a YAML or JSON file; raises ContractUnreadable with line or path."""
    if len(data) > MOST_BYTES:
        raise ContractUnreadable(f"the contract has {len(data):,} bytes, and at most {MOST_BYTES:,} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise ContractUnreadable(f"the contract is not UTF-8: byte {failure.start:,} cannot be read") from failure
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise ContractUnreadable(f"{place}{failure.problem or failure.context}") from failure
    except yaml.YAMLError as failure:
        raise ContractUnreadable(f"the contract is not YAML: {failure}") from failure
    return Node(builder.document)


@dataclass
class _Open:
    """A list or mapping that has not ended yet."""

    value: Any
    anchor: str | None
    before: int
    key: str | None = None


@dataclass
class _Builder:
    document: Any = None
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    _count: int = 0
    _documents: int = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "a second document begins here; a contract is one")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    self._refuse(event, f"*{event.anchor} refers to something that is not complete here")
                value, weight = self._anchors[event.anchor]
                self._add(event, value, weight)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                if len(self._open) >= DEEPEST:
                    self._refuse(event, f"nested deeper than {DEEPEST} levels")
                if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
                    self._refuse(event, f"the tag {event.tag} is not read")
                value = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(value, event.anchor, self._count))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                ended = self._open.pop()
                weight = self._count - ended.before + 1
                if ended.anchor is not None:
                    self._anchors[ended.anchor] = (ended.value, weight)
                self._add(event, ended.value, 1)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        inside = self._open[-1] if self._open else None
        if inside is not None and isinstance(inside.value, dict) and inside.key is None:
            if event.value == "<<" and event.implicit[0]:
                self._refuse(event, "merge keys (<<) are not read; write the keys out")
            if event.value in inside.value:
                self._refuse(event, f"the key {event.value} stands twice")
            inside.key = event.value
            if event.anchor is not None:
                self._anchors[event.anchor] = (event.value, 1)
            return
        if event.tag not in (None, "!", _TEXT_TAG):
            self._refuse(event, f"the tag {event.tag} is not read")
        value = self._plain(event) if event.implicit[0] else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._add(event, value, 1)

    def _plain(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
            return _WORDS[text.lower()]
        if re.fullmatch(r"[-+]?[0-9]{1,400}", text):
            return int(text)
        if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                self._refuse(event, f"{text[:20]}... is beyond all numbers")
            return number
        return text

    def _add(self, event: yaml.Event, value: Any, weight: int) -> None:
        self._count += weight
        if self._count > MOST_VALUES:
            self._refuse(event, f"more than {MOST_VALUES:,} values, aliases counted as often as they are used")
        if not self._open:
            self.document = value
            return
        inside = self._open[-1]
        if isinstance(inside.value, list):
            inside.value.append(value)
        elif inside.key is None:
            self._refuse(event, "a key is a text")
        else:
            inside.value[inside.key] = value
            inside.key = None

    def _refuse(self, event: yaml.Event, why: str) -> NoReturn:
        where = "".join(
            f"[{len(part.value)}]" if isinstance(part.value, list) else f".{part.key or ''}" for part in self._open
        ).strip(".")
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        raise ContractUnreadable(f"line {line}{f', {where}' if where else ''}: {why}")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "a truth"
        case int() | float():
            return "a number"
        case str():
            return "a text" if value.strip() else "an empty text"
        case list():
            return "a list"
    return "keys with values"
