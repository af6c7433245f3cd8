"""The strict reader: a file is read whole, or refused with the record and line of its first fault."""

import csv
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from movie_platform.csv_files.strict import Shape, check, read_text, shape_of
from movie_platform.errors import InputRefused

FAULTS = {
    b"a,b\n1,2\n\n3\n": "record 2 (line 4) has 1 fields where the header names 2",
    b'a,b\n1,"x\n2,y\n': "record 1 (line 2): a quote is opened and never closed, or stands unescaped in a quoted field",
    b'a,b\n"x\ny",1\n1,2,3\n': "record 2 (line 4) has 3 fields where the header names 2",
}


@pytest.mark.parametrize("content", FAULTS)
def test_a_file_in_memory_and_one_of_any_size_are_refused_for_the_same_reason(content: bytes) -> None:
    for read in (lambda: read_text(content), lambda: check(lambda: io.BytesIO(content))):
        with pytest.raises(InputRefused) as caught:
            read()
        assert (str(caught.value), caught.value.rule) == (FAULTS[content], "records")


def test_a_header_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InputRefused, match=r"the header \(line 1\): a quote is opened"):
        check(lambda: io.BytesIO(b'"a,b\n1,2\n'))
    with pytest.raises(InputRefused, match="the header cannot be read: a quote is opened"):
        read_text(b'"a,b\n1,2\n')


def test_a_cell_is_as_long_as_it_is_whatever_limit_another_reader_has_set() -> None:
    csv.field_size_limit(10)
    data = b"a\n" + b"x" * 200_000 + b"\n"
    assert read_text(data).records.column(0)[0].as_py() == "x" * 200_000
    csv.field_size_limit(10)
    assert check(lambda: io.BytesIO(data)) == ["a"]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_what_a_program_wrote_is_read_as_it_was(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b"], *rows])
    data = text.getvalue().encode()
    read = read_text(data)
    assert read.header == ("a", "b")
    assert [[column[n].as_py() or "" for column in read.records.columns] for n in range(len(rows))] == rows
    assert check(lambda: io.BytesIO(data)) == ["a", "b"]


@given(st.one_of(st.binary(), st.text(alphabet='a,"\n\r\0é').map(str.encode), st.sampled_from([*FAULTS, b"\xff\xfea"])))
def test_what_is_found_without_holding_the_file_is_what_reading_it_finds(data: bytes) -> None:
    def found(read: Callable[[], Shape]) -> object:
        try:
            shape = read()
        except InputRefused as refused:
            return str(refused), refused.rule
        return shape.header, shape.rows

    assert found(lambda: shape_of(lambda: io.BytesIO(data))) == found(lambda: read_text(data))


def endless(data: bytes) -> io.BufferedReader:
    """A file that repeats the data for ever."""

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            buffer[:] = (data * (len(buffer) // len(data) + 1))[: len(buffer)]
            return len(buffer)

    return io.BufferedReader(Endless())


@pytest.mark.parametrize("data", [b"x", b"abc,"])
def test_a_record_without_an_end_is_not_read_to_its_end(data: bytes) -> None:
    with pytest.raises(InputRefused, match="a record of more than 67,108,864 bytes, or a quote that is never closed"):
        check(lambda: endless(data))


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 5_000_000,
        b"abc," * 1_250_000,
        b'a,b\n"' + b"x\n" * 2_500_000,
        b"a,b\n1,2\n" + b"abc," * 1_250_000,
        b"a,b\n1,2\n" + b'"ab\n",' * 900_000,
    ],
)
def test_a_record_of_megabytes_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused, match="a record of more than 4,194,304 bytes") as caught:
        read_text(data)
    assert caught.value.rule == "records"


def test_many_records_are_not_taken_for_a_long_one() -> None:
    data = b"a,b\n" + (b"1," + b"x" * 1_000 + b"\n") * 5_000
    assert read_text(data).records.num_rows == 5_000
