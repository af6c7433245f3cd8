"""What is wrong with a DQDL text: where, and what could stand there."""

import re
from typing import NoReturn

from lark import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from movie_platform.quality.errors import RulesetError
from movie_platform.quality.grammar import parser


def refuse(unexpected: UnexpectedInput, text: str) -> NoReturn:
    _refuse_misspelled_sections(text)
    line, column = unexpected.line, unexpected.column
    terminals: set[str] = set()
    if isinstance(unexpected, UnexpectedCharacters):
        character = text[unexpected.pos_in_stream or 0]
        problem = "a text that is not closed" if character == '"' else f"unexpected character {character!r}"
        terminals = set(unexpected.allowed or ())
    elif isinstance(unexpected, UnexpectedToken):
        at_end = unexpected.token.type == "$END"
        problem = "the text ends too early" if at_end else f"unexpected {str(unexpected.token)!r}"
        if at_end:
            line, column = end_of(text)
        terminals = set(unexpected.accepts or unexpected.expected or ())
    else:
        assert isinstance(unexpected, UnexpectedEOF)
        problem = "the text ends too early"
        line, column = end_of(text)
        terminals = set(unexpected.expected)
    raise RulesetError(
        problem, line=line, column=column, expected=_names(terminals), context=excerpt(text, line, column)
    )


def _refuse_misspelled_sections(text: str) -> None:
    """`rules = [` would be read as a constant, and the error found far behind it."""
    for found in re.finditer(r"^[ \t]*([A-Za-z]+)\s*=\s*\[", text, re.MULTILINE):
        right = next((name for name in _SECTIONS if name.lower() == found[1].lower()), None)
        if right is not None and right != found[1]:
            line = text.count("\n", 0, found.start(1)) + 1
            column = found.start(1) - text.rfind("\n", 0, found.start(1))
            context = excerpt(text, line, column)
            raise RulesetError(f"unexpected {found[1]!r}", line=line, column=column, expected=(right,), context=context)


def end_of(text: str) -> tuple[int, int]:
    lines = text.rstrip().split("\n")
    return len(lines), len(lines[-1]) + 1


def excerpt(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return ""
    shown = lines[line - 1].rstrip("\r").replace("\t", " ")
    start = max(0, column - 60)
    return f"    {shown[start : start + 100]}\n    {' ' * (column - 1 - start)}^"


_SECTIONS = ("Rules", "Analyzers", "DefaultLabels")

_TERMINAL_NAMES = {
    "STRING": 'a quoted text ("...")',
    "NAME": "a rule type or function",
    "NUMBER": "a number",
    "VARIABLE": "a constant ($name)",
    "$END": "the end of the text",
}

_TERMINAL_ORDER = ("STRING", "NUMBER", "NAME", "VARIABLE")


def _names(terminals: set[str]) -> list[str]:
    """What could stand there, in the words of the language."""
    definitions = {definition.name: definition for definition in parser().terminals}
    names = []
    for terminal in sorted(terminals, key=lambda t: (t not in _TERMINAL_ORDER, t)):
        if terminal in ("COMMENT",) or terminal.startswith("__IGNORE"):
            continue
        if terminal in _TERMINAL_NAMES:
            names.append(_TERMINAL_NAMES[terminal])
        elif terminal in definitions:
            spelled = str(definitions[terminal].pattern.value)
            if spelled.isupper() and spelled.isalpha() and spelled.lower() in ("and", "or", "not", "null", "empty"):
                continue
            if spelled in ("minute", "hour", "day", "week", "whitespaces_only", "==", "<>"):
                continue
            names.append(f"'{spelled}'" if not spelled.isalpha() else spelled)
    return list(dict.fromkeys(names))
