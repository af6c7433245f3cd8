"""The warehouse made anew from the lake, and the lake compared with its manifests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from movie_platform.commands.main import cli
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from movie_platform_tests.deliveries.sources import SUBJECTS, BoxOffice, Subject, subject_of

SAMPLE = "CREATE SCHEMA retail; CREATE TABLE retail.user_purchase AS SELECT 1 AS invoice_number"


Subjects = dict[str, Subject]


def loaded_into(folder: Path) -> Subjects:
    """Every source of the platform, delivered, corrected and loaded into one lake and one warehouse."""
    raw, lake = (folder / "raw").as_uri(), (folder / "lake").as_uri()
    found = {kind.source.name: subject_of(kind, raw, lake, folder) for kind in SUBJECTS if kind is not BoxOffice}
    assert set(found) == {source_of(pipeline).name for pipeline in PIPELINES}
    for subject in found.values():
        for content in (1, 2):
            subject.deliver(content)
            subject.run()
    with DuckDBWarehouse(folder / "warehouse.duckdb").connect("a test") as connection:
        connection.execute(SAMPLE)
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Subjects]:
    """For tests that leave the lake as it is."""
    folder = tmp_path_factory.mktemp("shared")
    return folder, loaded_into(folder)


@pytest.fixture
def subjects(shared: tuple[Path, Subjects], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subjects:
    """The shared lake, and a copy of its warehouse."""
    folder, found = shared
    path = shutil.copy(folder / "warehouse.duckdb", tmp_path)
    configure(folder, tmp_path, monkeypatch)
    for subject in found.values():
        subject.warehouse = DuckDBWarehouse(Path(path))
    return found


def configure(folder: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RAW_URI": (folder / "raw").as_uri(),
        "LAKE_URI": (folder / "lake").as_uri(),
        "WAREHOUSE": f"duckdb:///{warehouse}/warehouse.duckdb",
    }.items():
        monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", value)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def contents(warehouse: DuckDBWarehouse) -> Iterator[tuple[str, list[str]]]:
    """Every table's rows, and of the ledger the last row of each table and partition, without run, number and time."""
    names = warehouse.query("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").to_pylist()
    for name in names:
        if name["table_name"] != "loads":
            rows: pa.Table = warehouse.query(f'SELECT * FROM "{name["schema_name"]}"."{name["table_name"]}"')
            yield f"{name['schema_name']}.{name['table_name']}", sorted(map(str, rows.to_pylist()))
    yield (
        "views",
        sorted(map(str, warehouse.query("SELECT view_name FROM duckdb_views() WHERE NOT internal").to_pylist())),
    )
    last = {(row.table_name, row.partition): row for row in warehouse.ledger()}
    kept = [
        (*key, row.version, row.source_digests, row.rows, row.code_version, row.ruleset_digest)
        for key, row in sorted(last.items())
        if row.outcome != "built"
    ]
    yield "loads", [str(row) for row in kept]


def test_a_warehouse_made_anew_holds_what_it_held_its_ledger_and_foreign_tables_included(
    subjects: Subjects, tmp_path: Path
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    before = dict(contents(warehouse))
    assert len(before["loads"]) == 6
    done = command("warehouse", "rebuild")
    assert done.exit_code == 0, done.output
    assert "retail.user_purchase: taken over" in done.output
    assert dict(contents(warehouse)) == before
    assert [subject.owed() for subject in subjects.values()] == [{}] * len(subjects)
    assert len(list(tmp_path.glob("warehouse.duckdb.before-*"))) == 1
    assert list(tmp_path.glob("*rebuilt*")) == []


def test_a_damaged_warehouse_is_made_anew_and_what_the_lake_does_not_hold_is_named(
    subjects: Subjects, tmp_path: Path
) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
    damaged = path.read_bytes()
    refused = command("warehouse", "rebuild")
    assert refused.exit_code == 1
    assert "retail.user_purchase is not in the lake and cannot be taken over" in str(refused.exception)
    assert path.read_bytes() == damaged
    done = command("warehouse", "rebuild", "--without", "retail.user_purchase")
    assert done.exit_code == 0, done.output
    assert [subject.loaded() for subject in subjects.values()] == [2] * len(subjects)


DAMAGES = {
    "archive/2026": "flipped",
    "raw/movie_review": "cut",
    "archive/quality_movies": "gone",
    "clean_files": "cut",
    "movie_data_output": "cut",
    "stage/user_purchase": "flipped",
}
"""Where an object of the lake is damaged, and how."""


def test_a_whole_lake_verifies_and_each_damaged_object_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_into(tmp_path)
    configure(tmp_path, tmp_path, monkeypatch)
    done = command("lake", "verify")
    assert done.exit_code == 0, done.output
    assert ", 0 problems" in done.output
    lake = tmp_path / "lake"
    objects = sorted(str(path.relative_to(lake)) for path in lake.rglob("*.[cp][sa][vr]*"))
    for begins, how in DAMAGES.items():
        key = next(key for key in objects if key.startswith(begins))
        damage(lake / key, how)
        done = command("lake", "verify")
        assert done.exit_code == 1
        shown = "".join(done.output.split())
        assert key in shown
        assert "`movie-platformrun" in shown[shown.index(key) :]


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data if how == "flipped" else data[: len(data) // 2])
