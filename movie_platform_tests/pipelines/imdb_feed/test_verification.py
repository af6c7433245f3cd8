"""A triplet goes on only as a whole; a refusal names the file, the record and the rule."""

import gzip
import tracemalloc
from collections.abc import Mapping
from functools import partial
from io import BytesIO

import pytest

from movie_platform.csv_files import strict
from movie_platform.pipelines.imdb_feed.tables import TYPE_A, TYPE_C
from movie_platform.pipelines.imdb_feed.transforms import clean
from movie_platform.pipelines.imdb_feed.verification import RULES, Verification, examine, verify
from movie_platform_tests.pipelines.imdb_feed.triplets import A, B, C, Files, W, movie, person, triplet, written


def judged(changes: dict[str, bytes | None]) -> Verification:
    """A good triplet with some files replaced, or taken away."""
    files: Files = triplet()
    for name, data in changes.items():
        if data is None:
            del files[name]
        else:
            files[name] = data
    return verify(W, files)


def examined(changes: Mapping[str, bytes | None]) -> Verification:
    """The same without holding a file in memory."""
    files = {**triplet(), **changes}
    return examine(W, {name: partial(BytesIO, data) for name, data in files.items() if data is not None})


def people(*names: str, encoding: str = "utf-8") -> bytes:
    rows = "".join(f"{number},nm{number},{name}\n" for number, name in enumerate(names, 10))
    return b"id,imdb_person_id,full_name\n" + rows.encode(encoding)


def test_a_good_triplet_holds_every_rule() -> None:
    verification = judged({})
    assert verification.triplet is not None
    assert verification.reason == ""
    assert [outcome.rule for outcome in verification.outcomes] == list(RULES)


BEYOND_A_MEGABYTE = b"id,imdb_person_id,full_name\n" + b"".join(b"%d,nm%d,Somebody\n" % (n, n) for n in range(80_000))

REFUSED = {
    "empty file": ({C: b""}, "has_rows", f"{C} is empty"),
    "file of blank lines": ({C: b"\n \r\n"}, "has_rows", f"{C} is empty"),
    "header only": ({A: ",".join(TYPE_A.columns).encode() + b"\n"}, "has_rows", f"{A} has a header and no data row"),
    "header and blank lines": ({B: b"movie_id,person_id\n\n\r\n"}, "has_rows", f"{B} has a header and no data row"),
    "a mark of byte order and nothing else": ({C: b"\xef\xbb\xbf"}, "has_rows", f"{C} has a header and no data row"),
    "missing file": ({B: None}, "three_files", f"{B} is missing"),
    "extra file": ({f"{W}_type_D.csv": b"x\n1\n"}, "three_files", "type_D.csv' does not belong there"),
    "misnamed file": (
        {B: None, f"{W}_typeB.csv": b"x\n1\n"},
        "three_files",
        f"{B} is missing; '{W}_typeB.csv' does not belong there",
    ),
    "file in a folder below": ({"old/" + B: b"x\n1\n"}, "three_files", "does not belong there"),
    "file of another window": (
        {"202001010000_type_A.csv": b"x\n1\n"},
        "three_files",
        "'202001010000_type_A.csv' is of another window",
    ),
    "missing column": ({C: b"id,full_name\n10,X\n"}, "header", f"{C} has no column 'imdb_person_id'"),
    "extra column": ({B: b"movie_id,person_id,role\n1,10,x\n"}, "header", f"{B} has a new column 'role'"),
    "renamed column": (
        {B: b"movie_id,director\n1,10\n"},
        "header",
        f"{B} has no column 'person_id', and has a new column 'director'",
    ),
    "duplicated column": ({B: b"movie_id,person_id,movie_id\n1,10,1\n"}, "header", f"{B} names twice 'movie_id'"),
    "column in other case": (
        {B: b"Movie_ID,person_id\n1,10\n"},
        "header",
        "has no column 'movie_id' (perhaps renamed to 'Movie_ID')",
    ),
    "latin-1 text": (
        {C: people("Ana", "René", encoding="latin-1")},
        "utf8",
        f"{C} is not UTF-8: byte 0xe9 at position 51, record 2 (line 3)",
    ),
    "latin-1 beyond the first megabyte": (
        {C: BEYOND_A_MEGABYTE + "80000,nm80000,Zoé\n".encode("latin-1")},
        "utf8",
        f"byte 0xe9 at position {len(BEYOND_A_MEGABYTE) + 16}, record 80001 (line 80002)",
    ),
    "UTF-16 text": ({C: people("Ana").decode().encode("utf-16")}, "utf8", f"{C} is UTF-16 text"),
    "UTF-16 beyond the first megabyte": (
        {C: BEYOND_A_MEGABYTE + "80000,nm80000,Zoé\n".encode("utf-16")},
        "utf8",
        "byte 0xff at position",
    ),
    "UTF-16 without a mark of byte order": (
        {C: people("Ana").decode().encode("utf-16-le")},
        "records",
        f"{C} the header (line 1) holds a NUL byte",
    ),
    "a character cut off at the end": ({C: people("Zoé")[:-2]}, "utf8", "record 1 (line 2)"),
    "NUL bytes": ({C: people("Ana", "B\0b")}, "records", f"{C} record 2 (line 3) holds a NUL byte"),
    "unclosed quote": ({C: people("Ana", '"Bob', "Cy")}, "records", f"{C} record 2 (line 3): a quote is opened"),
    "unescaped quote": ({C: people('"Ana" B', "Cy")}, "records", f"{C} record 1 (line 2): a quote is opened"),
    "too few fields": ({B: b"movie_id,person_id\n1,10\n\n2\n"}, "records", f"{B} record 2 (line 4) has 1 fields"),
    "too many fields": ({B: b"movie_id,person_id\n1,10,5\n"}, "records", "record 1 (line 2) has 3 fields where"),
    "too few fields after a line break in text": (
        {C: people('"Ana\nMaria"', "Bob") + b"12,x\n"},
        "records",
        f"{C} record 3 (line 5) has 2 fields",
    ),
    "a gzip named .csv": ({A: gzip.compress(triplet()[A])}, "utf8", f"{A} is gzip-compressed"),
    "semicolons for commas": ({B: b"movie_id;person_id\n1;10\n"}, "header", "has a new column 'movie_id;person_id'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_refuses_the_window_with_file_record_and_rule(case: str) -> None:
    changes, rule, reason = REFUSED[case]
    verification = judged(changes)
    assert verification.triplet is None
    assert rule in verification.broken_rules
    assert reason in verification.reason
    assert f"{rule}: " in verification.reason
    assert examined(changes).outcomes == verification.outcomes


SHUFFLED = list(reversed(TYPE_A.columns))
ACCEPTED = {
    "CRLF": {C: people("Ana", "Bob").replace(b"\n", b"\r\n")},
    "carriage returns alone": {C: people("Ana", "Bob").replace(b"\n", b"\r")},
    "a byte order mark": {C: b"\xef\xbb\xbf" + people("Ana", "Bob")},
    "reordered columns": {A: written(SHUFFLED, [movie(1), movie(2)])},
    "no line end at the end": {C: people("Ana", "Bob").rstrip(b"\n")},
    "blank lines": {C: b"id,imdb_person_id,full_name\n\n10,nm10,Ana\n\r\n11,nm11,Bob\n\n"},
    "a header in quotes": {B: b'"movie_id","person_id"\n"1","10"\n'},
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_programs_write_differently_is_accepted(case: str) -> None:
    verification = judged(ACCEPTED[case])
    assert verification.reason == ""
    assert examined(ACCEPTED[case]).outcomes == verification.outcomes
    assert verification.triplet is not None
    assert clean(verification.triplet).rows.num_rows >= 1


@pytest.mark.parametrize("blank", ["\n", "\r\n\r\n", "\n" * 9])
def test_blank_lines_are_no_records_wherever_a_batch_ends(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "_BATCH_RECORDS", 2)
    found = strict.read_text(f"id,name\n1,a\n2,b\n{blank}3,c\n4,d\n{blank}".encode())
    assert [column.to_pylist() for column in found.records.columns] == [["1", "2", "3", "4"], ["a", "b", "c", "d"]]


def test_a_byte_order_mark_is_noted() -> None:
    verification = judged(ACCEPTED["a byte order mark"])
    assert verification.triplet is not None
    assert verification.triplet.with_bom == (C,)


def test_reordered_columns_give_the_same_rows() -> None:
    plain, shuffled = judged({}).triplet, judged(ACCEPTED["reordered columns"]).triplet
    assert plain is not None
    assert shuffled is not None
    assert clean(plain).rows.equals(clean(shuffled).rows)


def test_a_fault_in_one_file_does_not_hide_a_fault_in_another() -> None:
    verification = judged({A: b"", B: b"movie_id,person_id\n1\n", C: b"\xff"})
    assert set(verification.broken_rules) == {"has_rows", "records", "utf8"}
    assert all(name in verification.reason for name in (A, B, C))


def test_a_wrong_header_is_told_beside_a_broken_record() -> None:
    verification = judged({B: b"movie_id,director\n1\n"})
    assert list(verification.broken_rules) == ["header", "records"]


def test_a_reason_stays_readable_whatever_is_delivered() -> None:
    strays = {f"{'x' * 500}-{number}": b"" for number in range(1000)}
    header = ",".join(f"{'column' * 100}{number}" for number in range(5000)).encode()
    verification = judged({**strays, A: header + b"\n"})
    assert "and 995 more" in verification.reason
    assert len(verification.reason) < 3000


def test_equal_bytes_are_read_once() -> None:
    """The client sends the same people table with every delivery."""
    first, second = judged({}).triplet, judged({}).triplet
    assert first is not None
    assert second is not None
    assert first.records["C"] is second.records["C"]


def test_a_type_a_of_a_hundred_megabytes_is_cleaned_in_memory_that_a_worker_has() -> None:
    plot = "A long plot, é. " * 600
    rows = [movie(number, description=plot) for number in range(1, 101)]
    once = written(TYPE_A.columns, rows).split(b"\n1,", 1)
    header, body = once[0], b"1," + once[1]
    # Every block of a hundred movies has other ids: the first cell of each record gets a prefix.
    blocks = [b"".join(b"%d%s" % (block, line) for line in body.splitlines(keepends=True)) for block in range(1, 106)]
    data = header + b"\n" + b"".join(blocks)
    assert len(data) > 100_000_000
    tracemalloc.start()
    verification = judged({A: data, C: written(TYPE_C.columns, [person(10), person(20)])})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verification.triplet is not None
    assert verification.triplet.records["A"].table.num_rows == 10_500
    assert peak < 3 * len(data)
    window = clean(verification.triplet)
    assert window.conserved
    assert window.accounts[0].records == 10_500
