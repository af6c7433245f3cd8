"""How columns differ from what is expected, in sentences, and what columns are seen to hold."""

import io
from functools import partial

import pyarrow as pa
import pytest

from movie_platform.column_changes import NAMED, changes_of, summary_of
from movie_platform.csv_files.kinds import BYTES, columns_of, kind_of_type

EXPECTED = {"id": "integer", "imdb_rating": "number", "title": "text"}


def said(found: dict[str, str], **options: object) -> str:
    return summary_of(changes_of(EXPECTED, found, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"title": "text", "id": "integer", "imdb_rating": "number"}, ""),
        ({**EXPECTED, "budget_eur": "integer"}, "has a new column 'budget_eur'"),
        ({"id": "integer", "title": "text"}, "has no column 'imdb_rating'"),
        (
            {"id": "integer", "imdb_ratting": "number", "title": "text"},
            "has no column 'imdb_rating' (perhaps renamed to 'imdb_ratting')",
        ),
        (
            {"ID": "integer", "IMDB Rating": "number", "title": "text"},
            "has no column 'id' (perhaps renamed to 'ID'), 'imdb_rating' (perhaps renamed to 'IMDB Rating')",
        ),
        ({**EXPECTED, "id": "text"}, "has 'id' as text where integer is expected"),
        ({**EXPECTED, "id": "number"}, "has 'id' as number where integer is expected"),
        ({**EXPECTED, "imdb_rating": "integer of 32 bits", "title": "list"}, ""),
        ({"id": "", "title": "", "imdb_rating": ""}, ""),
    ],
)
def test_each_kind_of_change_is_a_sentence(found: dict[str, str], sentence: str) -> None:
    assert said(found) == sentence


def test_a_source_may_take_names_in_any_case() -> None:
    assert said({"ID": "integer", "Imdb_Rating": "number", "TITLE": "text"}, ignores_case=True) == ""


def test_a_header_of_anything_is_named_in_a_few_words() -> None:
    sentence = said({**EXPECTED, **{f"column {n} {'x' * 1000}": "" for n in range(1000)}})
    assert sentence.startswith("has a new column 'column 0 ")
    assert sentence.count("'column ") == NAMED
    assert sentence.endswith(" and others")
    assert len(sentence) < 500


def columns(text: str) -> dict[str, str]:
    return columns_of(partial(io.BytesIO, text.encode()))


def test_columns_hold_what_more_than_half_of_their_first_cells_are() -> None:
    found = columns(
        "id,large,rating,day,truth,genres,mixed,blank, name \n"
        '1,3000000000,7.5,1995-10-30,True,[],5,,"a\nb"\n'
        "2,1,8.5,1995-10-31,FALSE,\"[{'id': 1, 'x': 2}]\",n/a,,c\n"
        "3,3000000001,9,,false,[],6,,d\n"
    )
    assert found == {
        "id": "integer of 32 bits",
        "large": "integer",
        "rating": "number",
        "day": "date",
        "truth": "truth",
        "genres": "list",
        "mixed": "integer of 32 bits",
        "blank": "",
        "name": "text",
    }


def test_a_name_that_comes_twice_is_seen_twice_and_no_header_is_no_column() -> None:
    assert columns("a,a,b\n1,x,2\n") == {"a": "integer of 32 bits", "a (2)": "text", "b": "integer of 32 bits"}
    assert columns("") == {}
    assert columns("a,b\n") == {"a": "", "b": ""}


def test_of_a_large_file_the_beginning_is_read() -> None:
    class Counted(io.BytesIO):
        asked = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counted.asked += len(data)
            return data

    data = b"id,title\n" + b"1,abc\n" * 100_000
    assert columns_of(lambda: Counted(data)) == {"id": "integer of 32 bits", "title": "text"}
    assert Counted.asked == BYTES


def test_a_type_says_what_its_cells_hold() -> None:
    kinds = {
        pa.int32(): "integer of 32 bits",
        pa.int64(): "integer",
        pa.float64(): "number",
        pa.decimal128(10, 2): "number",
        pa.date32(): "date",
        pa.bool_(): "truth",
        pa.list_(pa.struct([("id", pa.int64())])): "list",
        pa.string(): "text",
    }
    assert {kind: kind_of_type(kind) for kind in kinds} == kinds
