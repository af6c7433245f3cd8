"""A day's files as one table: what hostile ones cost."""

from pathlib import Path

import pytest

from movie_platform.errors import InputRefused
from movie_platform.pipelines.quality_movies.records import BROKEN_SCHEMA, read


def test_broken_records_are_held_as_columns(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(b"a,b\n" + b"x\n" * 100_000)
    records = read([("broken.csv", path)])
    assert (records.sound, records.total) == (0, 100_000)
    assert records.broken.schema == BROKEN_SCHEMA
    assert records.broken.slice(99_999).to_pylist() == [
        {"source": "broken.csv", "record": 100_000, "reason": "1 fields where the header has 2", "raw": "x"}
    ]
    assert records.broken.nbytes < 100_000 * 30


def test_a_header_of_a_hundred_thousand_names_is_searched_once(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{number}" for number in range(100_000)) + ",C99999\n")
    with pytest.raises(InputRefused, match="has two columns named 'c99999'"):
        read([("wide.csv", path)])


def test_files_of_one_day_that_differ_name_what_only_one_has(tmp_path: Path) -> None:
    for name, header in {"one.csv": ["a", "b"], "two.csv": ["a", *(f"c{n}" for n in range(1000))]}.items():
        (tmp_path / name).write_text(",".join(header) + "\n")
    with pytest.raises(InputRefused, match=r"only the first has 'c0', .*'c9' and 990 more, only the second 'b'$"):
        read([(name, tmp_path / name) for name in ("one.csv", "two.csv")])
