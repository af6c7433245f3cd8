"""What a person at a terminal, and a script without one, get from the command."""

import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from click.testing import CliRunner

from movie_platform.commands import main as command_line
from movie_platform.commands.main import cli, main
from movie_platform.commands.terminal import mode
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", (tmp_path / "raw").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", (tmp_path / "lake").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))


@pytest.fixture
def shell(
    surroundings: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["movie-platform", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def in_a_terminal(arguments: list[str], columns: int = 80) -> tuple[int, str]:
    """Exit code and all that appears in a terminal of so many columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "movie_platform", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color", "NO_COLOR": "1"},
    )
    os.close(theirs)
    seen = b""
    while True:
        if not select.select([ours], [], [], 120)[0]:
            process.kill()
            raise AssertionError(f"nothing for two minutes after {seen[-500:]!r}")
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the terminal's last process has ended
            break
        if not part:
            break
        seen += part
    os.close(ours)
    return process.wait(), seen.decode()


@pytest.mark.usefixtures("surroundings")
def test_a_run_in_a_terminal_shows_how_far_it_is_in_80_columns_and_without_colours(raw: ObjectStore) -> None:
    windows = [shift(W, LENGTH * number) for number in range(4)]
    for window in windows:
        deliver(raw, window)
    code, seen = in_a_terminal(["run", "feed", "--from", windows[0], "--to", windows[-1]])
    assert code == 0, seen
    lines = [ESCAPES.sub("", line) for line in re.split(r"[\r\n]+", seen)]
    # The step's own bar: Dagster captures the descriptors while it runs.
    assert any(re.search(r"\bwindows .* 4/4 ", line) for line in lines), seen
    assert max(map(len, lines)) <= 80
    assert not COLOURS.search(seen)
    assert "Windows gone through: 4" in seen


def test_quiet_prints_nothing_where_all_is_well_and_errors_all_the_same(
    shell: Callable[..., tuple[int, str, str]],
) -> None:
    assert shell("simulate", "feed", "--windows", "1", "--start", W, "--quiet") == (0, "", "")
    assert shell("status", "--quiet") == (0, "", "")
    code, out, err = shell("answers", "--quiet")
    assert (code, out) == (1, "")
    assert "simulate dataset" in err


@pytest.mark.parametrize(
    ("error", "said"),
    [(WorldUnavailable("the bucket did not answer"), "the bucket did not answer\n"), (KeyError("x"), "with --debug")],
)
def test_an_error_is_one_message_and_its_traceback_comes_on_request(
    error: Exception, said: str, shell: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("movie_platform.commands.overview.open_store", broken)
    for arguments, has_traceback in ((["status"], False), (["status", "--debug"], True)):
        code, _, err = shell(*arguments)
        assert code == 1
        assert said in err
        assert ("Traceback" in err) == has_traceback


def test_an_interrupted_command_ends_as_shells_expect(
    shell: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("movie_platform.commands.overview.open_store", interrupted)
    code, _, err = shell("status")
    assert code == command_line.INTERRUPTED == 130
    assert "Interrupted" in err


def test_arguments_and_settings_that_are_wrong_end_with_2(
    shell: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("run", "feed")[0] == 2
    assert shell("nonsense")[0] == 2
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URII", "x")
    code, _, err = shell("status")
    assert code == 2
    assert "did you mean MOVIE_PLATFORM_RAW_URI?" in err


def test_a_run_is_a_line_of_json_for_programs(shell: Callable[..., tuple[int, str, str]], raw: ObjectStore) -> None:
    deliver(raw, W)
    deliver(raw, shift(W, LENGTH * 2), {"x.csv": b""})
    code, out, _ = shell("run", "feed", "--from", W, "--to", shift(W, LENGTH * 3), "--json")
    runs = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(run["partitions"], run["succeeded"], run["platform_fault"]) for run in runs] == [
        ([W], True, False),
        ([shift(W, LENGTH * 2)], False, False),
    ]
    assert "is missing" in runs[1]["message"]


@pytest.mark.usefixtures("surroundings")
def test_the_doctor_speaks_json_and_no_option_outlasts_its_command() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert {json.loads(line)["state"] for line in done.stdout.splitlines()} == {"ok"}
    assert mode.json
    assert "settings" in CliRunner().invoke(cli, ["doctor"]).stdout
    assert not mode.json


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_the_shell(shell_name: str) -> None:
    printed = CliRunner().invoke(cli, ["completion", shell_name], prog_name="movie-platform")
    assert printed.exit_code == 0
    assert "_MOVIE_PLATFORM_COMPLETE" in printed.stdout


def test_commands_and_options_are_completed() -> None:
    asked = {"_MOVIE_PLATFORM_COMPLETE": "bash_complete", "COMP_CWORD": "2", "COMP_WORDS": "movie-platform run fe"}
    completed = CliRunner().invoke(cli, [], prog_name="movie-platform", env=asked)
    assert completed.stdout == "plain,feed\n"
    asked["COMP_WORDS"], asked["COMP_CWORD"] = "movie-platform run feed --qu", "3"
    assert CliRunner().invoke(cli, [], prog_name="movie-platform", env=asked).stdout == "plain,--quiet\n"
