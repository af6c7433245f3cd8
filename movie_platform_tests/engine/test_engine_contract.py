"""Every engine reads records and literals alike. Another engine joins by its name in `engine`."""

import ast
import csv
import io
import shutil
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.engine import CsvFile, Engine, RecordColumn
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.engine.literal import MAX_PARTS
from movie_platform.engine.spark import SparkEngine
from movie_platform.errors import InputRefused
from movie_platform_tests.engine.cases import NAMED, ONE, READABLE, RECORDS, TEXT, UNREADABLE, RecordCase, reference


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "duckdb":
        with DuckDBEngine() as engine:
            yield engine
    else:
        with SparkEngine(request.getfixturevalue("spark")) as engine:
            yield engine


def csv_file(content: bytes, name: str = "file.csv") -> CsvFile:
    return CsvFile(name, lambda: io.BytesIO(content))


def given(engine: Engine, rows: pa.Table, folder: Path) -> ir.Table:
    path = folder / "given.parquet"
    pq.write_table(rows, path)
    return engine.parquet("given", [path]).table


def literals(engine: Engine, texts: list[str], kind: pa.DataType) -> list[Any]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["cell", "n"])
    writer.writerows([text, n] for n, text in enumerate(texts))
    columns = [RecordColumn("cell"), RecordColumn("n", "integer", required=True)]
    table = engine.records("texts", csv_file(out.getvalue().encode()), columns).table
    read = engine.to_arrow(table.select("n", value=engine.literal(kind)(table.cell)))
    return [row["value"] for row in sorted(read.to_pylist(), key=lambda row: row["n"])]


@pytest.mark.parametrize("kind", [NAMED, ONE], ids=["list", "record"])
def test_a_literal_is_what_python_reads(engine: Engine, kind: pa.DataType) -> None:
    texts = [text for text, its_kind in READABLE if its_kind == kind]
    for text, value in zip(texts, literals(engine, texts, kind), strict=True):
        assert value == reference(text.strip(), kind), text[:200]


@pytest.mark.parametrize("kind", [NAMED, ONE], ids=["list", "record"])
def test_what_is_no_literal_of_the_type_is_null_and_runs_nothing(engine: Engine, kind: pa.DataType) -> None:
    texts = [text for text, its_kind in UNREADABLE if its_kind == kind]
    for text, value in zip(texts, literals(engine, texts, kind), strict=True):
        assert value is None, text[:200]


def test_a_literal_of_too_many_parts_is_null_whether_or_not_the_engine_could_read_it_itself(engine: Engine) -> None:
    records = MAX_PARTS // 10  # with at least ten parts each
    native, exact = [
        f"[{', '.join([record] * records)}]" for record in ("{'id': 1, 'name': 'a'}", "{'name':'a','id':1}")
    ]
    long = repr([{"id": 1, "name": "a" * 3 * MAX_PARTS}])
    assert literals(engine, [native, exact, long], NAMED) == [None, None, ast.literal_eval(long)]


def test_a_blank_literal_is_null(engine: Engine) -> None:
    assert literals(engine, ["", " ", "[]"], NAMED) == [None, None, []]


names = (
    st.none() | st.text(max_size=12) | st.sampled_from(["O'Brien", "': None", ": None", "None", "\\", "'\"", "}], "])
)
records = st.lists(st.fixed_dictionaries({"id": st.none() | st.integers(-(2**63), 2**63 - 1), "name": names}))


@hypothesis.settings(
    max_examples=25, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.lists(records, min_size=1, max_size=30))
def test_the_repr_of_any_records_reads_back(engine: Engine, values: list[Any]) -> None:
    readable = [value for value in values if "\\ud" not in repr(value)]
    assert literals(engine, [repr(value) for value in readable], NAMED) == readable


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: case.claim)
def test_records(engine: Engine, case: RecordCase) -> None:
    records = engine.records("records", csv_file(case.content), case.columns)
    assert engine.record_count(records) == len(case.expected)
    table = engine.to_arrow(records)
    rows = sorted(table.to_pylist(), key=lambda row: row["record_number"])
    assert [row["record_number"] for row in rows] == list(range(1, len(case.expected) + 1))
    seen: list[Any] = []
    for row in rows:
        if row["reason"] is None:
            assert row["raw"] is None
            seen.append(tuple(row[column.name] for column in case.columns))
        else:
            assert all(row[column.name] is None for column in case.columns)
            seen.append(row["reason"] + (f" ({row['reason_column']})" if row["reason_column"] else ""))
    assert seen == case.expected


def test_a_broken_record_shows_its_raw_text(engine: Engine) -> None:
    table = engine.to_arrow(engine.records("records", csv_file(b'id,overview\n"1\n2",x,"y"\n3,z\n'), TEXT))
    assert table["raw"].to_pylist() == ['"1\n2",x,"y"', None]


def test_a_file_without_a_column_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(InputRefused, match=r"credits.csv has no column 'overview'; its header reads id, cast"):
        engine.records("records", csv_file(b"id,cast\n1,x\n", "credits.csv"), TEXT)
    with pytest.raises(InputRefused, match=r"empty.csv has no column"):
        engine.records("records", csv_file(b"", "empty.csv"), TEXT)


def test_records_can_be_computed_again_and_staged(engine: Engine) -> None:
    records = engine.records("records", csv_file(b"id,overview\n1,x\n2,y\n"), TEXT)
    assert [len(engine.to_arrow(records)), len(engine.to_arrow(records))] == [2, 2]
    staged = engine.stage("staged", records.table.filter(records.table.id == "2"))
    assert engine.to_arrow(staged.table.select("id")).to_pylist() == [{"id": "2"}]


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_a_written_table_has_the_schema_and_counts_its_rows(engine: Engine, tmp_path: Path, kind: Any) -> None:
    rows = pa.table({"b": ["x", None], "a": [1, 2], "c": pa.array([[{"id": 1, "name": "n"}], []], NAMED)})
    table = given(engine, rows, tmp_path)
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", NAMED)])
    path = tmp_path / f"it's {kind}"
    assert engine.write(table, path, kind, schema) == 2
    if kind == "parquet":
        assert pq.read_table(path).to_pylist() == [
            {"a": 1, "b": "x", "c": [{"id": 1, "name": "n"}]},
            {"a": 2, "b": None, "c": []},
        ]
    elif kind == "csv" and path.is_file():
        assert path.read_text() == 'a,b,c\n1,x,"[{""id"":1,""name"":""n""}]"\n2,,[]\n'
    elif path.is_file():
        assert path.read_text() == '{"a":1,"b":"x","c":[{"id":1,"name":"n"}]}\n{"a":2,"b":null,"c":[]}\n'


def test_a_written_column_has_the_type_of_the_schema_whatever_the_engine_computed_it_as(
    engine: Engine, tmp_path: Path
) -> None:
    table = given(engine, pa.table({"day": pa.array([date(1995, 10, 30)])}), tmp_path)
    schema = pa.schema([("year", pa.int32()), ("count", pa.int64())])
    path = tmp_path / "years.parquet"
    engine.write(table.select(year=table.day.year(), count=table.day.year()), path, "parquet", schema)
    assert [field.type for field in pq.read_schema(path if path.is_file() else next(path.glob("*.parquet")))] == [
        pa.int32(),
        pa.int64(),
    ]


def times_longer(texts: Sequence[str], *, factor: int) -> list[int]:
    return [len(text) * factor for text in texts]


def test_a_python_function_is_asked_about_every_text(engine: Engine, tmp_path: Path) -> None:
    texts = ["", "a", "abc", "two\nlines", "žluť 😀"] * 2_000 + ["x" * 2**20]
    table = given(engine, pa.table({"n": range(len(texts)), "text": texts}), tmp_path)
    for factor in (2, 2**40):
        function = partial(times_longer, factor=factor)
        asked = engine.to_arrow(table.select("n", said=engine.numbers(function, table.text)).order_by("n"))
        assert asked["said"].to_pylist() == function(texts)


def test_executors_elsewhere_read_what_was_written_from_the_work_store(request: Any, tmp_path: Path) -> None:
    with SparkEngine(request.getfixturevalue("spark"), work=(tmp_path / "shared").as_uri()) as engine:
        rows = given(engine, pa.table({"n": [1, 2, 3]}), tmp_path)
        (tmp_path / "given.parquet").unlink()
        written = tmp_path / "written.parquet"
        assert engine.write(rows, written, "parquet", pa.schema([("n", pa.int64())])) == 3
        assert pq.read_table(written)["n"].to_pylist() == [1, 2, 3]
        shutil.rmtree(written)  # the disk of the driver's machine is no executor's
        assert sorted(engine.to_arrow(engine.parquet("written", [written]))["n"].to_pylist()) == [1, 2, 3]
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]


def test_parquet_files_are_read_as_one_table(engine: Engine, tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.parquet" for n in range(3)]
    for n, path in enumerate(paths):
        pq.write_table(pa.table({"n": [n, n + 10]}), path)
    assert sorted(engine.to_arrow(engine.parquet("parts", paths))["n"].to_pylist()) == [0, 1, 2, 10, 11, 12]


def test_steps_side_by_side_use_the_same_tables_and_are_yielded_for_in_order(engine: Engine) -> None:
    done: list[int] = []

    def step(number: int) -> None:
        records = engine.records(f"records_{number}", csv_file(b"id,overview\n1,x\n" * (number + 1)), TEXT)
        engine.stage(f"staged_{number}", records)
        done.append(engine.record_count(records))

    for expected, _ in enumerate(engine.side_by_side([partial(step, number) for number in range(3)])):
        assert expected * 2 + 1 in done
    assert sorted(done) == [1, 3, 5]
    with pytest.raises(InputRefused, match="no column"):
        list(engine.side_by_side([lambda: None, lambda: [engine.records("none", csv_file(b""), TEXT)].clear()]))


def test_a_literal_reader_of_a_step_serves_later_ones() -> None:
    text = "[{'id':1, 'name': 'read by Python'}]"
    found: list[Any] = []
    with DuckDBEngine() as engine:
        for _ in range(3):
            list(engine.side_by_side([lambda: found.extend(literals(engine, [text], NAMED))]))
    assert found == [[{"id": 1, "name": "read by Python"}]] * 3


class Endless(io.RawIOBase):
    """A CSV file that goes on and on."""

    def __init__(self, under_way: threading.Event) -> None:
        self._under_way = under_way

    def read(self, size: int = -1) -> bytes:
        self._under_way.set()
        return b"id,overview\n" * 10_000


def test_a_step_that_fails_ends_those_beside_it(tmp_path: Path) -> None:
    under_way = threading.Event()

    def endless() -> None:
        records = engine.records("endless", CsvFile("endless.csv", lambda: Endless(under_way)), TEXT)  # type: ignore[arg-type]
        schema = pa.schema([("id", pa.string())])
        engine.write(records, tmp_path / "endless.parquet", "parquet", schema)

    def failing() -> None:
        assert under_way.wait(60)
        raise InputRefused("the zip is damaged", rule="damaged zip")

    with DuckDBEngine() as engine, pytest.raises(InputRefused, match="damaged"):
        list(engine.side_by_side([failing, endless]))
