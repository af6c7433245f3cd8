"""What every engine is held to: literals and CSV files as data, with what must come out of them."""

import ast
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from movie_platform.engine import RecordColumn

NAMED = pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())]))
ONE = pa.struct([("id", pa.int64()), ("name", pa.string()), ("poster_path", pa.string())])

READABLE: list[tuple[str, pa.DataType]] = [
    (text, NAMED)
    for text in [
        "[{'id': 35, 'name': 'Comedy'}]",
        "[{'id': 35, 'name': 'Comedy'}, {'id': 18, 'name': 'Drama'}]",
        "[]",
        "[{'name': 'Comedy', 'id': 35}]",
        "[{'id':35,'name':'Comedy'}]",
        "  [{'id': 35, 'name': 'Comedy'}]",
        "[{'id': 35, 'name': 'Comedy'}] ",
        "[{'id': 35, 'name': 'Comedy'},]",
        "[{'id': None, 'name': None}]",
        "[{'id': 1, 'name': 'None'}]",
        "[{'id': 1, 'name': 'NULL'}]",
        "[{'id': 1, 'name': 'null'}]",
        "[{'id': 1, 'name': ''}]",
        "[{'id': 1, 'name': ' padded '}]",
        "[{'id': 1, 'name': '\u00a0 no-break '}]",
        "[{'id': 1, 'name': \"O'Brien\"}]",
        "[{'id': 1, 'name': \"'\"}]",
        "[{'id': 1, 'name': \"O'Brien': None\"}]",
        "[{'id': 1, 'name': \"a, 'id': None, 'name': None}\"}]",
        "[{'id': 1, 'name': ': None'}]",
        "[{'id': 1, 'name': ': None, and more}'}]",
        "[{'id': 1, 'name': 'a: None, b'}]",
        "[{'id': 1, 'name': 'say \"hi\"'}]",
        "[{'id': 1, 'name': '\"'}]",
        "[{'id': 1, 'name': '\"open'}]",
        r"[{'id': 1, 'name': 'both \' and \"'}]",
        r"[{'id': 1, 'name': 'it\'s'}]",
        r"[{'id': 1, 'name': 'line\nbreak'}]",
        r"[{'id': 1, 'name': 'tab\tstop\r'}]",
        r"[{'id': 1, 'name': 'back\\slash'}]",
        r"[{'id': 1, 'name': 'ends with \\'}]",
        r"[{'id': 1, 'name': 'no\xa0break\u200b'}]",
        r"[{'id': 1, 'name': '\N{BULLET} \101 \0'}]",
        r"[{'id': 1, 'name': 'unknown \d escape'}]",
        "[{'id': 1, 'name': 'continued \\\nline'}]",
        "[{'id': 1, 'name': 'a [b] {c: d}, (e), f: g'}]",
        "[{'id': 1, 'name': ']'}, {'id': 2, 'name': '}'}]",
        "[{'id': 1, 'name': 'a\tb'}]",
        "[{'id': 1, 'name': 'Amélie 千と千尋 😀'}]",
        "[{'id': 1, 'name': 'two' ' parts'}]",
        "[{'id': 1, 'name': r'raw\\n'}]",
        '[{"id": 1, "name": "JSON"}]',
        "[{'id': -5, 'name': 'minus'}, {'id': +5, 'name': 'plus'}, {'id': 0, 'name': 'nil'}]",
        "[{'id': 1_000, 'name': 'grouped'}, {'id': 0x10, 'name': 'hex'}]",
        "[{'id': 9223372036854775807, 'name': 'largest'}]",
        "[{'id': 1}]",
        "[{}]",
        "[None]",
        "[{'id': 1, 'name': 'x', 'extra': [1, (2, {'y': 3.5})]}]",
        "[{'id': 1, 'id': 2, 'name': 'last wins'}]",
        "None",
        "[{'id': 1, 'name': '" + "long " * 200_000 + "'}]",
        "[" + ", ".join(f"{{'id': {n}, 'name': 'n{n}'}}" for n in range(5000)) + "]",
    ]
]
READABLE += [
    (text, ONE)
    for text in [
        "{'id': 86224, 'name': 'The Saint Collection', 'poster_path': None}",
        "{'id': 86224, 'name': \"Ocean's\", 'poster_path': '/a.jpg'}",
        "{'name': 'keys in another order', 'poster_path': None, 'id': 2}",
        "{}",
        "None",
    ]
]

UNREADABLE: list[tuple[str, pa.DataType]] = [
    (text, NAMED)
    for text in [
        "[{'id': 35, 'name': 'Com",
        "[{'id': 35, 'name': 'Comedy'}",
        "[{'id': 35, 'name': 'Comedy'}, {'id': ",
        "[{'id': 35, 'name': Comedy}]",
        "[{'id': 007, 'name': 'leading zeros'}]",
        "[{'id': 35 'name': 'Comedy'}]",
        "[{'id': NULL, 'name': 'Comedy'}]",
        "[{'id': '35', 'name': 'a text for a number'}]",
        "[{'id': 3.5, 'name': 'a fraction'}]",
        "[{'id': True, 'name': 'a truth'}]",
        "[{'id': 35, 'name': 36}]",
        "[{'id': 9223372036854775808, 'name': 'too large'}]",
        "[{'id': 1, 'name': '\\ud800'}]",
        "[{'id': 1, 'name': 'raw\nline break'}]",
        "{'id': 35, 'name': 'no list'}",
        "['Comedy']",
        "Comedy",
        "1",
        "[{'id': 1, 'name': f'{1}'}]",
        "[{'id': 1, 'name': 'a' + 'b'}]",
        "__import__('os').system('exit 1')",
        "[{'id': 1, 'name': __import__('os').system('exit 1')}]",
        "[[{'id': 1, 'name': 'x'}] for _ in range(3)]",
        "[" * 5000 + "]" * 5000,
        "[{'id': " + "-" * 100_000 + "1, 'name': 'x'}]",
        "[{'id': " + "1+" * 100_000 + "1, 'name': 'x'}]",
        "\\'''\n" * 200_000,
        '\\"""\n' * 200_000,
        "['" + "\\'" * 500_000,
        '["' + '\\"' * 500_000,
    ]
]
UNREADABLE += [(text, ONE) for text in ["[{'id': 1}]", "{'id': 86224, 'name': 'The Sa", "The Saint Collection"]]


def reference(text: str, kind: pa.DataType) -> Any:
    """What Python itself reads, shaped by the type; only for literals that have it."""
    return _shaped(ast.literal_eval(text), kind)


def _shaped(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, list):
        return [_shaped(item, kind.value_type) for item in value]
    if isinstance(value, dict):
        return {part.name: _shaped(value.get(part.name), part.type) for part in kind}
    return value


RATING = (
    RecordColumn("userId", "integer", required=True),
    RecordColumn("movieId", "integer", required=True),
    RecordColumn("rating", "number", required=True),
    RecordColumn("timestamp", "integer"),
)
TEXT = (RecordColumn("id"), RecordColumn("overview"))


@dataclass(frozen=True)
class RecordCase:
    """A file, the columns asked for, and per record either its cells or the reason why it has none."""

    claim: str
    content: bytes
    columns: tuple[RecordColumn, ...]
    expected: list[tuple[Any, ...] | str] = field(default_factory=list)


RECORDS = [
    RecordCase(
        "typed cells of plain lines",
        b"userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3,1260759179\n",
        RATING,
        [(1, 31, 2.5, 1260759144), (1, 1029, 3.0, 1260759179)],
    ),
    RecordCase(
        "columns by name, others left out",
        b"timestamp,extra,rating,movieId,userId\n9,x,0.5,2,1\n",
        RATING,
        [(1, 2, 0.5, 9)],
    ),
    RecordCase(
        "a number may have blanks around it, a fraction of zeros, a sign, an exponent, or be missing",
        b"userId,movieId,rating,timestamp\n 1 ,862.0,+4.5,\n1,2,5e-1,  \n",
        RATING,
        [(1, 862, 4.5, None), (1, 2, 0.5, None)],
    ),
    RecordCase(
        "blank lines and blank cells are records",
        b"userId,movieId,rating,timestamp\n\n1,2,3,4\n,,,\n \n1,3,3,4\n",
        RATING,
        ["blank", (1, 2, 3.0, 4), "blank", "blank", (1, 3, 3.0, 4)],
    ),
    RecordCase(
        "a cell that is no number breaks its record only",
        b"userId,movieId,rating,timestamp\n1,2,good,4\n1,2.5,3,4\n1,2,nan,4\n1,2,inf,4\n,2,3,4\n1,2,3,99999999999999999999\n1,2,3,4\n",
        RATING,
        [
            "not a number (rating)",
            "not an integer (movieId)",
            "not a number (rating)",
            "not a number (rating)",
            "required, but blank (userId)",
            "an integer of more than 64 bits (timestamp)",
            (1, 2, 3.0, 4),
        ],
    ),
    RecordCase(
        "zeros lead an integer as often as they like, and only decimal digits make one",
        b"userId,movieId,rating,timestamp\n0x1F,0114709,3,862\n1,2,3,0X1f\n1,2,0x3,4\n"
        + b"007,%b,3,-%b\n" % (b"0" * 5000 + b"8", b"0" * 12 + b"9223372036854775808")
        + b"1,2,3,-09223372036854775809\n1,2,3,%b\n" % (b"0" * 20 + b"9223372036854775808"),
        RATING,
        [
            "not an integer (userId)",
            "not an integer (timestamp)",
            "not a number (rating)",
            (7, 8, 3.0, -(2**63)),
            "an integer of more than 64 bits (timestamp)",
            "an integer of more than 64 bits (timestamp)",
        ],
    ),
    RecordCase(
        "too few and too many fields break a record, blank ones behind the last do not",
        b"userId,movieId,rating,timestamp\n1,2,3\n1,2,3,4,5\n1,2,3,4,,\n",
        RATING,
        ["3 fields where the header has 4", "5 fields where the header has 4", (1, 2, 3.0, 4)],
    ),
    RecordCase(
        "carriage returns, a byte order mark, no line break at the end",
        b"\xef\xbb\xbfuserId,movieId,rating,timestamp\r\n1,2,3,4\r\n\r\n1,3,3,4",
        RATING,
        [(1, 2, 3.0, 4), "blank", (1, 3, 3.0, 4)],
    ),
    RecordCase(
        "quoted numbers", b'"userId","movieId","rating","timestamp"\n"1","2","3.5","4"\n', RATING, [(1, 2, 3.5, 4)]
    ),
    RecordCase("no records", b"userId,movieId,rating,timestamp\n", RATING, []),
    RecordCase(
        "text keeps its blanks, quotes, commas and line breaks",
        b'id,overview\n1," a, ""b""\nand\r\n\nc "\n2,plain "quote" inside\n3,\n',
        TEXT,
        [("1", ' a, "b"\nand\r\n\nc '), ("2", 'plain "quote" inside'), ("3", "")],
    ),
    RecordCase(
        "a record over two lines without quotes is two broken records",
        b'id,overview\n1\n - Written by,x,"[{}]"\n2,y\n',
        TEXT,
        ["1 fields where the header has 2", "3 fields where the header has 2", ("2", "y")],
    ),
    RecordCase(
        "bytes that are not UTF-8 break their record only",
        b"id,overview\n1,caf\xe9\n2,caf\xc3\xa9\n",
        TEXT,
        ["not UTF-8", ("2", "caf\u00e9")],
    ),
    RecordCase(
        "a cell of more than a megabyte",
        b'id,overview\n1,"' + b"long, " * 300_000 + b'"\n2,x\n',
        TEXT,
        [("1", "long, " * 300_000), ("2", "x")],
    ),
]
