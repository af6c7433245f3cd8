"""The sample has the traits of the real zip, and the same seed gives the same bytes."""

import ast
import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from movie_platform.samples.movies_dataset import Facts, write_dataset


def records(path: Path, name: str) -> list[list[str]]:
    csv.field_size_limit(10**8)
    with zipfile.ZipFile(path) as archive:
        return list(csv.reader(io.StringIO(archive.read(name).decode(), newline="")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    path = tmp_path_factory.mktemp("sample") / "the-movies-dataset.zip"
    return path, write_dataset(path, scale=0.005, seed=3)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(sample: tuple[Path, Facts], tmp_path: Path) -> None:
    write_dataset(tmp_path / "again.zip", scale=0.005, seed=3)
    write_dataset(tmp_path / "other.zip", scale=0.005, seed=4)
    assert (tmp_path / "again.zip").read_bytes() == sample[0].read_bytes()
    assert (tmp_path / "other.zip").read_bytes() != sample[0].read_bytes()


def test_the_facts_are_those_of_the_files(sample: tuple[Path, Facts]) -> None:
    path, facts = sample
    for name, count in facts.rows.items():
        assert len(records(path, name)) == count + 1
    movies = records(path, "movies_metadata.csv")[1:]
    assert sum(len(row) != 24 for row in movies) == facts.broken == 6
    ids = Counter(row[5] for row in movies if len(row) == 24)
    assert sum(count - 1 for count in ids.values()) == facts.duplicate_movies >= 3


def test_every_literal_of_a_sound_record_reads_and_the_ugly_ones_are_there(sample: tuple[Path, Facts]) -> None:
    cells = [cell for row in records(sample[0], "credits.csv")[1:] for cell in row[:2]]
    names = {member["name"] for cell in cells for member in ast.literal_eval(cell)}
    assert any("'" in name for name in names)
    assert any("\\" in cell for cell in cells)
    assert any("None" in cell for cell in cells)


def test_a_spreadsheet_copy_has_other_dates_blank_rows_and_cut_cells(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    facts = write_dataset(path, scale=0.005, spreadsheet=True)
    movies = records(path, "movies_metadata.csv")[1:]
    assert any(len(row) == 24 and row[14].count("/") == 2 for row in movies)
    assert {row[0] for row in movies if row[5].isdecimal()} <= {"TRUE", "FALSE"}
    assert sum(not any(row) for row in movies) >= 50
    assert facts.cut_off > 0
    assert max(len(row[0]) for row in records(path, "credits.csv")) == 32_767


def test_files_can_be_left_out(tmp_path: Path) -> None:
    write_dataset(tmp_path / "some.zip", scale=0.001, without=["keywords.csv"])
    assert "keywords.csv" not in zipfile.ZipFile(tmp_path / "some.zip").namelist()
