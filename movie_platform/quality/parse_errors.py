"""What is wrong with a DQDL text: where, and what could stand there."""

import re
from typing import NoReturn

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from movie_platform.quality.errors import RulesetError
from movie_platform.quality.grammar import SQL_WORD, parser

MOST_EXPECTED = 5


def refuse(unexpected: UnexpectedInput, text: str) -> NoReturn:
    """Raises RulesetError for what the parser met: the place, what could stand there, and what was probably meant."""
    _refuse_misspelled_sections(text)
    line, column = unexpected.line, unexpected.column
    expected: list[str] = []
    if isinstance(unexpected, UnexpectedCharacters):
        problem = _of_character(text[unexpected.pos_in_stream or 0])
        if "is not closed" in problem:
            expected = [_TERMINAL_NAMES["STRING"]]
    elif isinstance(unexpected, UnexpectedToken) and unexpected.token.type != "$END":
        problem = _of_token(unexpected.token, text)
        expected = _names(set(unexpected.accepts or unexpected.expected or ()))
    else:
        problem = "the text ends too early"
        line, column = end_of(text)
        named = getattr(unexpected, "accepts", None) or getattr(unexpected, "expected", None)
        expected = _names(set(named or ()))
    raise RulesetError(
        problem,
        line=line,
        column=column,
        expected=expected[:MOST_EXPECTED],
        context=excerpt(text, line, column),
    )


def _of_character(character: str) -> str:
    if character == '"':
        return "a text that is not closed"
    problem = f"unexpected character {character!r}"
    if character in "'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb":
        problem += ': texts stand in straight double quotes, "like this"'
    return problem


def _of_token(token: Token, text: str) -> str:
    problem = f"unexpected {str(token)!r}"
    before = text[: token.start_pos].rstrip() if token.start_pos is not None else ""
    if token.type == SQL_WORD:
        return f'{problem}: text is compared by matches "a regular expression"'
    if token.lower() in ("not", "!") and re.search(r"(?:[\[,(]|\band|\bor)$", before):
        return f"{problem}: a rule cannot be negated; say what must hold, with != or not in or not between"
    if token.type in ("MINUS", "SLASH", "PLUS") and re.search(r"[A-Za-z0-9_]$", before):
        return f'{problem}: a name with other characters than letters, digits, _ and . stands in quotes, "like-this"'
    if token.type in ("STRING", "RULE_TYPE", "NAME", "LPAR", "$END") and not re.search(
        r"\b(?:Rules|Analyzers)\s*=", text
    ):
        return f"{problem}: rules stand in a list, Rules = [ ... ]"
    return problem


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
    "NAME": "a name",
    "RULE_TYPE": "a rule type",
    "UNIT": "a unit such as days",
    "KEYWORD": "NULL",
    "_AND": "and",
    "_OR": "or",
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
        if terminal in ("COMMENT", "_OF", "_CONNECTOR") or terminal.startswith("__IGNORE"):
            continue
        if terminal in _TERMINAL_NAMES:
            names.append(_TERMINAL_NAMES[terminal])
        elif terminal in definitions:
            spelled = str(definitions[terminal].pattern.value)
            if spelled.isupper() and spelled.isalpha() and spelled.lower() in ("and", "or", "not", "null", "empty"):
                continue
            if spelled in ("==", "<>", "!", "Metadata", "Sources"):
                continue
            names.append(f"'{spelled}'" if not spelled.isalpha() else spelled)
    return list(dict.fromkeys(names))
