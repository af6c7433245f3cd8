"""CSV as rules see it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.quality import DataUnreadable, evaluate, open_data, open_files, parse_ruleset


def read(folder: Path, content: bytes, name: str = "data.csv") -> pa.Table:
    path = folder / name
    path.write_bytes(content)
    data = open_data(path)
    return pa.Table.from_batches(data.batches(), schema=data.schema)


def test_a_column_is_numeric_only_if_every_cell_that_is_not_blank_is(tmp_path: Path) -> None:
    table = read(tmp_path, b'year,votes,rating,gross\n1994,10,9.3,"28,341,469"\nPG,,8,\n2001, +7 ,.5,""\n')

    assert table.schema.types == [pa.string(), pa.int64(), pa.float64(), pa.string()]
    assert table["votes"].to_pylist() == [10, None, 7]
    assert table["rating"].to_pylist() == [9.3, 8.0, 0.5]


def test_a_blank_is_an_empty_text_or_a_missing_number(tmp_path: Path) -> None:
    table = read(tmp_path, b"text,number\na,1\n,\n")

    assert table.to_pylist()[1] == {"text": "", "number": None}


def test_a_column_of_blanks_only_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\n1,\n2,\n").schema.field("b").type == pa.string()


def test_integers_too_long_for_64_bits_stay_text(tmp_path: Path) -> None:
    assert read(tmp_path, b"id\n99999999999999999999\n1\n")["id"].to_pylist() == ["99999999999999999999", "1"]


def test_quotes_commas_line_breaks_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, b'\xef\xbb\xbfa,b\r\n"x, ""y""\nz",1\r\n')

    assert table.to_pylist() == [{"a": 'x, "y"\nz', "b": 1}]


def test_a_header_without_records_has_columns_and_no_rows(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n")

    evaluation = evaluate(
        tmp_path / "data.csv", parse_ruleset('Rules = [ RowCount = 0, ColumnCount = 2, IsComplete "a" ]')
    )

    assert [outcome.outcome for outcome in evaluation.outcomes] == ["Passed", "Passed", "Error"]
    assert evaluation.good().num_rows == evaluation.bad().num_rows == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n3\n", r"record 2 \(line 3\) has 1 fields where the header names 2"),
        (b'a,b\n1,"x\n2,y\n', r"record 1 \(line 2\): a quote is opened and never closed"),
        (b'a,b\n1,"x\n2,"y\n', r"record 1 \(line 2\)"),
        (b'a,b\n"1"x,2\n', r"record 1 \(line 2\)"),
        (b"a,A\n1,2\n", "two columns named 'a'"),
        (b"a,b\nx,\xff\n", "UTF"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(DataUnreadable, match=says):
        read(tmp_path, content)


def test_a_file_that_only_calls_itself_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="PAR1"):
        read(tmp_path, b"a,b\n", name="data.parquet")


def test_a_stream_larger_than_memory_allows_goes_through_a_file_that_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import gc

    from movie_platform.quality import data as data_module

    monkeypatch.setattr(data_module, "SPOOL_BYTES", 100)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    batches = (pa.table({"v": range(start, start + 10)}) for start in range(0, 100, 10))

    evaluation = evaluate(batches, parse_ruleset('Rules = [ ColumnValues "v" < 50, IsUnique "v" ]'))

    assert list(tmp_path.rglob("*.parquet"))
    assert evaluation.good().column("v").to_pylist() == list(range(50))
    del evaluation, batches
    gc.collect()
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_files_of_a_delivery_are_one_data_set_typed_by_all_of_them() -> None:
    data = open_files({"a.csv": b"Year,v\n1994,1\n", "b.csv": b"V,year\n2,PG\n", "c.csv": b"year,v\n"})

    (batch,) = pa.Table.from_batches(data.batches()).combine_chunks().to_batches()
    assert batch.to_pylist() == [{"Year": "1994", "v": 1}, {"Year": "PG", "v": 2}]


def test_files_with_other_columns_are_refused_by_name() -> None:
    with pytest.raises(DataUnreadable, match=r"b\.csv has other columns than a\.csv"):
        open_files({"a.csv": b"x,y\n1,2\n", "b.csv": b"x,z\n1,2\n"})


def test_bytes_are_read_as_the_file_they_came_from() -> None:
    table = pa.table({"x": [1, 2]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()

    assert pa.Table.from_batches(open_data(content).batches()) == table
    assert pa.Table.from_batches(open_files({"1.parquet": content, "2.parquet": content}).batches()).num_rows == 4
    assert pa.Table.from_batches(open_data(b"x\n1\n2\n").batches()) == table


@pytest.mark.parametrize("form", ["parquet", "table", "frame"])
def test_rows_that_were_judged_before_are_judged_anew(form: str, tmp_path: Path) -> None:
    first = evaluate(pa.table({"x": [1, None]}), parse_ruleset('Rules = [ IsComplete "x" ]'))
    first.write(tmp_path)
    judged = {"parquet": tmp_path / "bad.parquet", "table": first.bad(), "frame": first.bad_frame()}[form]

    again = evaluate(judged, parse_ruleset('Rules = [ ColumnCount = 1, ColumnValues "x" = NULL ]'))

    assert again.score == 1.0
    assert again.good().column_names == ["x"]


def test_words_that_mean_null_are_null_in_every_column_when_they_are_named() -> None:
    content = b"n,t\n1,NA\nNA,x\n3,\n"

    plain, named = open_files({"a.csv": content}), open_files({"a.csv": content}, missing=["NA"])

    assert pa.Table.from_batches(plain.batches()).to_pydict() == {"n": ["1", "NA", "3"], "t": ["NA", "x", ""]}
    assert pa.Table.from_batches(named.batches()).to_pydict() == {"n": [1, None, 3], "t": [None, "x", ""]}


def test_an_integer_of_thousands_of_digits_makes_its_column_text() -> None:
    content = f"n\n1\n{'9' * 5_000}\n".encode()

    assert open_data(content).schema.field("n").type == pa.string()


def test_a_blank_that_decides_about_completeness_is_named() -> None:
    evaluation = evaluate(b'c\nU\n""\n', parse_ruleset('Rules = [ IsComplete "c" ]'))

    assert evaluation.outcomes[0].outcome == "Passed"
    assert '1 row of "c" has a blank text' in evaluation.observations[0]
