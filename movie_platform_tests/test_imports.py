"""Whatever starts imports what it uses and nothing else: nobody waits for the libraries of another command."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from movie_platform.commands.groups import Commands
from movie_platform.commands.main import cli
from movie_platform.lake import open_store
from movie_platform.samples.imdb_feed import FeedClient, deliver
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of

WINDOW = "202601010000"
COMMAND = "import sys; from movie_platform.commands.main import main; main()"
SPARK = {"pyspark"}
FRAMES = {"dagster_pandas", "pandas", "pandera"}
ENGINES = {"duckdb", "ibis", "sqlglot"}
SERVICES = {"apprise", "boto3", "botocore", "psycopg", "redshift_connector", "snowflake"}
RULES = {"lark", "re2"}
ARROW = {"pyarrow.compute", "pyarrow.csv", "pyarrow.parquet"}
UNUSED_AT_START = {*SPARK, *FRAMES, *ENGINES, *SERVICES, "vl_convert"}


def imported(folder: Path, code: str, *arguments: str) -> set[str]:
    """The modules that a fresh process has imported when the code has come to its end."""
    listed = folder / "modules.txt"
    at_exit = f"import atexit, sys; atexit.register(lambda: open({str(listed)!r}, 'w').write(' '.join(sys.modules)))"
    settings = {
        "MOVIE_PLATFORM_RAW_URI": (folder / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (folder / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
        "MOVIE_PLATFORM_FEED_START": WINDOW,
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    command = [sys.executable, "-c", f"{at_exit}; {code}", *arguments]
    subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **settings})
    return set(listed.read_text().split())


def test_the_list_of_commands_imports_none_of_them(tmp_path: Path) -> None:
    found = imported(tmp_path, COMMAND, "--help")
    assert "movie_platform.commands.main" in found
    assert found & {*UNUSED_AT_START, *RULES, "dagster", "numpy", "pyarrow", "pydantic", "rich"} == set()


def test_status_imports_no_dagster_and_no_engine(tmp_path: Path) -> None:
    found = imported(tmp_path, COMMAND, "status")
    assert "movie_platform.commands.overview" in found
    assert found & {*UNUSED_AT_START, *RULES, *ARROW, "dagster", "rich.progress"} == set()


def test_explaining_rules_imports_nothing_that_judges_data(tmp_path: Path) -> None:
    rules = tmp_path / "rules.dqdl"
    rules.write_text('Rules = [ IsComplete "title" ]')
    found = imported(tmp_path, COMMAND, "quality", "explain", str(rules))
    assert "movie_platform.quality.parsing" in found
    assert found & {*UNUSED_AT_START, "dagster", "obstore", "pydantic", "pyarrow.parquet"} == set()


def test_a_check_imports_an_engine_and_a_parser_of_sql_for_rules_that_need_them(tmp_path: Path) -> None:
    rules, data = tmp_path / "rules.dqdl", tmp_path / "data.csv"
    rules.write_text('Rules = [ IsComplete "title", IsUnique "title", Mean "year" > 1 ]')
    data.write_text("title,year\nAlien,1979\nAliens,1986\n")
    found = imported(tmp_path, COMMAND, "quality", "check", str(data), "--rules", str(rules))
    assert "movie_platform.quality.evaluation" in found
    assert found & {"duckdb", "sqlglot", "ibis", "pandera", "dagster"} == set()


def test_the_code_location_imports_no_frames_and_no_engine(tmp_path: Path) -> None:
    found = imported(tmp_path, "from movie_platform.definitions import build_defs; build_defs()")
    assert "movie_platform.pipelines.user_behavior.assets" in found
    assert found & UNUSED_AT_START == set()


def test_a_run_of_the_feed_imports_what_the_feed_uses(tmp_path: Path) -> None:
    deliver(open_store((tmp_path / "raw").as_uri()), WINDOW, FeedClient(movies_a_window=5).triplet(WINDOW))
    found = imported(tmp_path, COMMAND, "run", "feed", "--from", WINDOW, "--to", WINDOW)
    assert (tmp_path / "lake" / "clean_files" / f"{WINDOW}.parquet").is_file()
    assert {"pandas", "duckdb"} <= found  # and Pandera where a value might break a rule
    assert found & {*SPARK, *SERVICES, *RULES, "ibis", "vl_convert"} == set()
    of_sources = {name.split(".")[2] for name in found if name.startswith("movie_platform.pipelines.")}
    assert of_sources == {"imdb_feed"}


def test_a_build_in_process_imports_neither_frames_nor_what_makes_sql(tmp_path: Path) -> None:
    zipped = zip_of(tmp_path / "movies.zip", {"movies_metadata.csv": [movie(1), movie(2, genres="[{'id':1}]"), ""]})
    found = imported(tmp_path, COMMAND, "dataset", "build", str(zipped), "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "movies_aggregated.parquet").is_file()
    assert {"duckdb", "pyarrow.csv"} <= found
    assert found & {*SPARK, *FRAMES, *SERVICES, *RULES, "dagster", "ibis", "sqlglot"} == set()


@pytest.mark.parametrize("command", [(), ("run",), ("simulate",), ("quality",), ("contract",)])
def test_the_list_of_commands_shows_the_first_line_of_each_ones_help(command: tuple[str, ...]) -> None:
    group: click.Command = cli
    context = click.Context(cli, info_name="movie-platform")
    for name in command:
        assert isinstance(group, click.Group)
        found = group.get_command(context, name)
        assert found is not None
        group = found
    assert isinstance(group, Commands)
    plain = click.Group("plain", help=group.help)
    for name in group.list_commands(context):
        plain.add_command(group.get_command(context, name), name)
    shown, expected = click.HelpFormatter(width=80), click.HelpFormatter(width=80)
    group.format_commands(context, shown)
    plain.format_commands(context, expected)
    assert shown.getvalue() == expected.getvalue()
