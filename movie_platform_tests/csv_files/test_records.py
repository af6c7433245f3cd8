"""The fast way through Arrow and the slow way record by record are one reader."""

import io
import random

import hypothesis
import hypothesis.strategies as st
import pytest

from movie_platform.csv_files import records
from movie_platform.csv_files.columns import RecordColumn
from movie_platform.csv_files.records import read_records
from movie_platform.engine import CsvFile
from movie_platform_tests.engine.cases import RATING


def rows(content: bytes, columns: tuple[RecordColumn, ...] = RATING) -> list[dict[str, object]]:
    return read_records(CsvFile("ratings.csv", lambda: io.BytesIO(content)), columns).read_all().to_pylist()


def ratings(count: int, seed: int) -> list[str]:
    random_ = random.Random(seed)
    odd = [
        "",
        ",,,",
        "1,2",
        '"7","8","0.5","9"',
        '1,2,"3\n",4',
        "x,1,1,1",
        "1,2,3,4,5",
        "1,2.0,3,",
        '"1,2',
        "caf\xe9,1,1,1",
    ]
    return [random_.choice(odd) if random_.random() < 0.02 else f"{n},{n % 7},4.5,{n}" for n in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_small_chunks_give_the_records_of_one_large_chunk(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "\n".join(["userId,movieId,rating,timestamp", *ratings(800, seed)]).encode()
    whole = rows(content)
    monkeypatch.setattr(records, "CHUNK_BYTES", 64)
    assert rows(content) == whole


def slowly(content: bytes, columns: tuple[RecordColumn, ...] = RATING) -> list[dict[str, object]]:
    """The rows as they are read where Arrow reads no chunk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_parse_fast", lambda chunk, header: None)
        return rows(content, columns)


def test_the_fast_way_gives_what_the_slow_way_gives() -> None:
    plain = [f"{n},{n},{n % 10 / 2},{n}" for n in range(5000)]
    content = "\n".join(["userId,movieId,rating,timestamp", *plain]).encode()
    assert rows(content) == slowly(content)


FILM = (RecordColumn("id", "integer", required=True), RecordColumn("title", required=True), RecordColumn("overview"))
pieces = st.sampled_from(
    ['"', '""', '","', ",", "\n", "\r\n", "\r", " ", "1", "2.0", "0x1", "a", "é", "\0", '"a\nb"', '"c ""d"", e"']
)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.lists(pieces, max_size=20).map("".join), st.booleans())
@hypothesis.example('1,"a, ""b""\nand\r\n","\'0x1F\'"\n"2",b,\n', False)
@hypothesis.example('1,"a"b,c\n2, "b",c\n3,d"e,""\n', False)
@hypothesis.example('1,a,"open\n2,b,c\n', False)
@hypothesis.example("1,a,é\n2,b,c\n", True)
def test_quotes_are_read_the_same_either_way(text: str, in_latin: bool) -> None:
    content = b"id,other,title,overview\n" + text.encode("latin-1" if in_latin else "utf-8")
    assert rows(content, FILM) == slowly(content, FILM)


def test_a_chunk_of_whole_quoted_records_is_read_by_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'id,title,overview\n1,"a, ""b""\nand\r\n","[\'0x1F\', 7]"\n"2",b,\n'
    monkeypatch.setattr(records, "_parse_slowly", None)
    read = [(row["id"], row["title"], row["overview"]) for row in rows(content, FILM)]
    assert read == [(1, 'a, "b"\nand\r\n', "['0x1F', 7]"), (2, "b", "")]


ZEROS = "0" * 5000
CELLS = [
    *[
        "0x1F",
        "0X1f",
        "-0x1",
        "0x",
        "x",
        "1_0",
        "007",
        "-007",
        "+7",
        "-0",
        f"{ZEROS}7",
        f"-{ZEROS}7",
        ZEROS,
        "--1",
        "-",
        "+",
    ],
    *[
        "7.",
        "7.0",
        "7.5",
        ".5",
        "1e5",
        "1E5",
        "1e400",
        "-1e-400",
        "nan",
        "inf",
        "-Infinity",
        "1,5",
        "1 0",
        "\u0667",
        "7\xa0",
    ],
    *[" 7 ", "\t7", "7\r", "\v7", "", " ", "true", "null", "NA", "None", "9223372036854775807", "9223372036854775808"],
    *["-9223372036854775808", "-9223372036854775809", "-01234567890123456789", "01234567890123456789", "9" * 5000],
]


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: ascii(cell[:30]))
def test_a_cell_is_read_the_same_either_way(cell: str, column: int) -> None:
    cells = ["1", "2", "3", "4"]
    cells[column] = cell
    plain = f"userId,movieId,rating,timestamp\n{','.join(cells)}\n".encode()
    quoted = b'%b"5",6,4.5,7\n' % plain
    assert rows(plain) == slowly(plain) == rows(quoted)[:-1]


def test_an_unclosed_quote_costs_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_CELL", 1000)
    content = b'userId,movieId,rating,timestamp\n1,"2,3,4\n' + b"1,2,3,4\n" * 500
    seen = rows(content)
    assert seen[0]["reason"] == "unreadable: field larger than field limit (1000)"
    assert seen[-1]["reason"] is None
    assert len(seen) > 300
