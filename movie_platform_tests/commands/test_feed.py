"""The feed in the terminal: play the client, run windows, see where they stand."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from movie_platform.commands.main import main
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed.processing import process
from movie_platform.pipelines.imdb_feed.verification import verify
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.pipelines.imdb_feed.triplets import NEXT, A, B, C, W, deliver, everything, triplet

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `movie-platform` as a shell would: its exit code, what it says, and what it complains of."""
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", (tmp_path / "raw").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", (tmp_path / "lake").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE_WAIT", "0.2")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["movie-platform", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_good_and_refused_windows_end_well_and_windows_without_files_are_no_error(
    command: Command, raw: ObjectStore, lake: ObjectStore
) -> None:
    deliver(raw, W)
    deliver(raw, shift(W, LENGTH * 3), {"x.csv": b""})
    code, out, _ = command("run", "feed", "--from", W, "--to", shift(W, LENGTH * 10))
    assert code == 0
    assert "is missing" in out
    assert f"Windows gone through: 2, {W} to {shift(W, LENGTH * 3)}" in out
    assert lake.info(f"clean_files/{W}.parquet") is not None


def test_both_ends_of_a_range_are_included(command: Command, raw: ObjectStore, lake: ObjectStore) -> None:
    windows = list(span(W, shift(W, LENGTH * 3)))
    for window in windows:
        deliver(raw, window)
    command("run", "feed", "--from", windows[1], "--to", windows[2])
    assert [key.split("/")[-1] for key in everything(lake, "clean_files/")] == [f"{w}.parquet" for w in windows[1:3]]


def test_windows_that_are_processed_and_loaded_are_skipped_unless_forced(command: Command, raw: ObjectStore) -> None:
    deliver(raw, W)
    command("run", "feed", "--from", W, "--to", NEXT)
    deliver(raw, NEXT)
    _, out, _ = command("run", "feed", "--from", W, "--to", NEXT)
    assert "processed and loaded already: 1" in out
    assert f"Windows gone through: 1, {NEXT} to {NEXT}" in out
    _, out, _ = command("run", "feed", "--from", W, "--to", NEXT, "--force")
    assert "already" not in out
    assert f"Windows gone through: 2, {W} to {NEXT}" in out


def test_a_window_that_is_not_loaded_is_no_window_that_is_skipped(
    command: Command, raw: ObjectStore, tmp_path: Path
) -> None:
    deliver(raw, W)
    command("run", "feed", "--from", W, "--to", W)
    (tmp_path / "warehouse.duckdb").unlink()
    _, out, _ = command("run", "feed", "--from", W, "--to", W)
    assert f"Windows gone through: 1, {W} to {W}" in out


def test_a_range_without_any_delivery_ends_well(command: Command) -> None:
    code, out, _ = command("run", "feed", "--from", W, "--to", NEXT)
    assert code == 0
    assert "Nothing was delivered" in out


def test_a_fault_of_ours_ends_with_1(command: Command, raw: ObjectStore, tmp_path: Path) -> None:
    deliver(raw, W)
    with held(tmp_path / "warehouse.duckdb.lock", "a report", Deadline.after(timedelta(seconds=1))):
        code, _, err = command("run", "feed", "--from", W, "--to", W)
    assert code == 1
    assert "busy" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--from", "202601010005", "--to", NEXT], "is no ten-minute window"),
        (["--from", NEXT, "--to", W], "is after --to"),
        (["--from", "202501010000", "--to", "202501010000"], "is before the first window"),
        (["--from", W], "--to"),
    ],
)
def test_wrong_arguments_end_with_2_and_say_what_is_wrong(
    command: Command, arguments: list[str], complaint: str
) -> None:
    code, _, err = command("run", "feed", *arguments)
    assert code == 2
    assert complaint in err


def test_windows_before_a_rolling_start_are_run_when_they_are_asked_for(
    command: Command, raw: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_FEED_START", "1d")
    deliver(raw, W)
    deliver(raw, NEXT)
    code, said, complaint = command("run", "feed", "--from", W, "--to", NEXT)
    assert (code, complaint) == (0, "")
    assert f"Windows gone through: 2, {W} to {NEXT}" in said
    _, shown, _ = command("status", "--json")
    assert json.loads(shown)["processed"] == [W, NEXT]


def test_wrong_settings_end_with_2_and_name_the_variable(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_FEED_START", "yesterday")
    code, _, err = command("run", "feed", "--from", W, "--to", W)
    assert code == 2
    assert "MOVIE_PLATFORM_FEED_START" in err


def test_status_tells_programs_where_every_window_stands(command: Command, raw: ObjectStore) -> None:
    ahead = shift(key_of(datetime.now(UTC)), LENGTH * 20)
    deliver(raw, W)
    deliver(raw, NEXT, {**triplet(NEXT), f"{NEXT}_type_C.csv": b""})
    command("run", "feed", "--from", W, "--to", NEXT)
    third = shift(NEXT, LENGTH)
    for window in (third, ahead, "202512312350", "notes"):
        deliver(raw, window, triplet(window))
    code, out, _ = command("status", "--json")
    assert code == 0
    found = json.loads(out)
    found = found.get("imdb_feed", found)
    assert found["processed"] == [W]
    assert found["waiting"] == [third]
    (refused,) = found["refused"]
    assert (refused["window"], refused["attempts"], refused["rules"]) == (NEXT, 1, ["has_rows"])
    assert f"{NEXT}_type_C.csv is empty" in refused["reason"]
    assert found["rejected_keys"].keys() == {ahead, "202512312350", "notes"}


def test_status_shows_people_the_refused_windows_with_their_reason(command: Command, raw: ObjectStore) -> None:
    deliver(raw, W, {A: b"", B: b"", C: b""})
    command("run", "feed", "--from", W, "--to", W)
    code, out, _ = command("status")
    assert code == 0
    assert W in out
    assert f"{A} is empty" in out


def test_status_names_the_columns_that_are_not_as_expected(
    command: Command, raw: ObjectStore, lake: ObjectStore
) -> None:
    files = triplet()
    deliver(raw, W, {**files, A: files[A].replace(b"metascore", b"meta_score")})
    process(raw, lake, W)
    (found,) = json.loads(command("status", "--json")[1])["columns"]["imdb_feed"]
    assert (found["file"], found["change"], found["column"], found["now"], found["since"]) == (
        "type_A",
        "gone",
        "metascore",
        "meta_score",
        W,
    )
    assert found["text"] in command("status")[1]


def test_status_says_which_source_is_overdue_and_that_nobody_watches(command: Command, raw: ObjectStore) -> None:
    deliver(raw, W)
    command("run", "feed", "--from", W, "--to", W)
    found = json.loads(command("status", "--json")[1])
    due = "2026-01-01T00:40:00+00:00"
    assert found["freshness"]["imdb_feed"] == {"state": "overdue", "newest": W, "due": due}
    assert found["freshness"]["quality_movies"]["state"] == "nothing yet"
    assert found["troubles"] == {"at": "", "open": []}
    shown = command("status")[1]
    assert re.search(r"IMDB feed +│ overdue +│ 2026-01-01 00:00 +│ 2026-01-01 00:40 UTC", shown)
    assert "0 open, nobody has looked yet" in shown


def test_the_simulated_client_delivers_the_same_every_time(command: Command, raw: ObjectStore, tmp_path: Path) -> None:
    arguments = ["simulate", "feed", "--windows", "3", "--start", W, "--defects", "0.5", "--movies", "20"]
    code, out, _ = command(*arguments)
    assert code == 0
    assert f"3 windows delivered to {raw.uri}/imdb_raw_data/, {W} to {shift(W, LENGTH * 2)}" in out
    first = everything(raw)
    command(*arguments)
    assert everything(raw) == first
    command(*arguments, "--seed", "1")
    assert everything(raw) != first


def test_without_a_start_the_windows_end_now(command: Command, raw: ObjectStore) -> None:
    command("simulate", "feed", "--windows", "2", "--movies", "5")
    now = key_of(datetime.now(UTC))
    assert raw.folders("imdb_raw_data/")[-1] in (now, shift(now, -LENGTH))
    assert len(raw.folders("imdb_raw_data/")) == 2


def test_the_client_is_played_on_this_machines_disk_only_unless_told_so(
    command: Command, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", bucket)
    arguments = ["simulate", "feed", "--windows", "1", "--start", W, "--movies", "5"]
    code, _, err = command(*arguments)
    assert code == 2
    assert "--yes" in err
    assert list(open_store(bucket).objects()) == []
    code, _, _ = command(*arguments, "--yes")
    assert code == 0
    assert len(list(open_store(bucket).objects())) == 3


def test_the_clients_own_tables_become_triplets(command: Command, raw: ObjectStore, postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute(
            "CREATE TABLE movie_info (id int, imdb_movie_id text, title text, release_year int, certificate text, "
            "run_time_min int, imdb_rating numeric(3,1), metascore int, description text, num_voted_users int, "
            "gross numeric, internal_note text)"
        )
        connection.execute("CREATE TABLE movie_director (movie_id int, person_id int)")
        connection.execute("CREATE TABLE person (id int, imdb_person_id text, full_name text)")
        plot = 'A "plot",\nin two lines; ünïcode'
        for number in range(1, 6):
            connection.execute(
                "INSERT INTO movie_info VALUES (%s, %s, 'T', 1999, NULL, 100, 7.5, NULL, %s, 10, NULL, 'x')",
                (number, f"tt{number}", plot),
            )
            connection.execute("INSERT INTO movie_director VALUES (%s, 1)", (number,))
        connection.execute("INSERT INTO person VALUES (1, 'nm1', 'Zoé O''Hara')")
    arguments = ["--windows", "2", "--start", W, "--movies", "3", "--source", postgres]
    code, _, _ = command("simulate", "feed", *arguments)
    assert code == 0
    folder = f"imdb_raw_data/{W}/"
    first = verify(W, {key.removeprefix(folder): data for key, data in everything(raw, folder).items()})
    assert first.reason == ""
    assert first.triplet is not None
    records = {kind: of.table.to_pylist() for kind, of in first.triplet.records.items()}
    assert [row["id"] for row in records["A"]] == ["1", "2", "3"]
    assert records["A"][0]["description"] == plot
    assert records["A"][0]["certificate"] is None
    assert records["C"] == [{"id": "1", "imdb_person_id": "nm1", "full_name": "Zoé O'Hara"}]
    second = raw.read(f"imdb_raw_data/{NEXT}/{NEXT}_type_A.csv").decode()
    assert [line.split(",")[0] for line in second.splitlines() if ",tt" in line] == ["4", "5"]
    assert raw.read(f"imdb_raw_data/{NEXT}/{NEXT}_type_B.csv") == raw.read(f"{folder}{B}")


def test_a_database_without_the_clients_tables_is_named_without_a_trace(command: Command, postgres: str) -> None:
    code, _, err = command("simulate", "feed", "--windows", "1", "--start", W, "--source", postgres)
    assert code == 1
    assert "movie_director" in err
    assert "Traceback" not in err
