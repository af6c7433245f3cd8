"""The strict reader: a file is read whole, or refused with the record and line of its first fault."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from movie_platform.csv_files.strict import check, read_text
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
