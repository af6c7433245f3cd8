"""Rules about files, judged by the command on local disk and on S3."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from movie_platform.commands.quality import quality
from movie_platform.lake import open_store

MD5_OF_ONE = "f97c5d29941bfb1b2fdab0874906ab82"
SHA256_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a folder with three files, two of them equal, and a folder beside it with one."""
    root = f"file://{tmp_path}/kept" if request.param == "local" else request.getfixturevalue("bucket")
    store = open_store(root)
    for key, content in (
        ("in/a.csv", b"one"),
        ("in/deep/b.csv", b"one"),
        ("in/c.json", b"three"),
        ("out/a.csv", b"one"),
    ):
        store.write(key, content)
    return root


def outcome(tmp_path: Path, rule: str) -> dict[str, object]:
    (tmp_path / "data.csv").write_text("v\n1\n")
    (tmp_path / "rules.dqdl").write_text(f"Rules = [ {rule} ]")
    arguments = ["check", str(tmp_path / "data.csv"), "--rules", str(tmp_path / "rules.dqdl"), "--json"]
    found: dict[str, object] = json.loads(CliRunner().invoke(quality, arguments).stdout)[0]
    return found


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ('FileFreshness "@/in/" < 24 hours', "Passed"),
        ('FileFreshness "@/in" > (now() - 3 days)', "Passed"),
        ('FileFreshness "@/in/a.csv" between "2001-01-01" and "2001-02-01"', "Failed"),
        ('FileSize "@/in/" between 2 B and 1 KB', "Passed"),
        ('FileSize "@/in/" <= 3 B', "Failed"),
        ('FileSize "@/in/" <= 3 B with uriRegex = "csv$"', "Passed"),
        (f'FileMatch "@/in/a.csv" in ["{MD5_OF_ONE}"]', "Passed"),
        (f'FileMatch "@/in/" in ["{MD5_OF_ONE}"]', "Failed"),
        (f'FileMatch "@/out/" = "{SHA256_OF_ONE}" with hashAlgorithm = "SHA-256"', "Passed"),
        ('FileMatch "@/in/a.csv" "@/out/a.csv"', "Passed"),
        ('FileMatch "@/in/" "@/out/"', "Failed"),
        ('FileUniqueness "@/in/" > 0.3', "Passed"),
        ('FileUniqueness "@/in/"', "Failed"),
        ('FileUniqueness "@/in/" = 1.0 with recentFiles = 1', "Passed"),
        ('FileSize "@/nowhere/" > 1 B', "Error"),
        ('FileSize "@/in/" > 24 hours', "Error"),
        ('FileFreshness "@/in/" > 3', "Error"),
        ('FileMatch "@/in/"', "Error"),
        ("FileSize > 1 B", "Error"),
    ],
)
def test_a_rule_about_files_is_judged_where_they_are(tmp_path: Path, place: str, rule: str, word: str) -> None:
    found = outcome(tmp_path, rule.replace("@", place))

    assert found["Outcome"] == word, found["FailureReason"]
    assert word == "Passed" or found["FailureReason"]


def test_the_latest_files_are_those_last_changed(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old", "older")):
        (tmp_path / name).write_bytes(b"x" * (age + 1))
        os.utime(tmp_path / name, (time.time() - 86_400 * age, time.time() - 86_400 * age))
    rule = f'FileSize "{tmp_path}" < 3 B with uriRegex = "(new|old|older)$" with recentFiles = '

    assert outcome(tmp_path, f"{rule}2")["Outcome"] == "Passed"
    assert outcome(tmp_path, f"{rule}3")["Outcome"] == "Failed"
