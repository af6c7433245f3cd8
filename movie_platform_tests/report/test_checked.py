"""A checked file becomes a page for people and JUnit XML for machines, whatever is in it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_platform.commands.quality import quality
from movie_platform.quality import evaluate, open_files, parse_ruleset
from movie_platform.report.checked import check_page, junit_xml
from movie_platform_tests.report.test_markup import HOSTILE, OBEYED, Seen

RULES = 'Rules = [ IsComplete "name", RowCount = 4, ColumnLength "Name" < 5, IsComplete "nothing" ]'
DATA = "Id,Name\n1,<script>alert(1)</script>\n2,ann\n3,=1+1+1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text(DATA)
    (tmp_path / "rules.dqdl").write_text(RULES)
    return tmp_path


def check(folder: Path, *arguments: str) -> Result:
    given = ["check", f"{folder}/data.csv", "--rules", f"{folder}/rules.dqdl"]
    return CliRunner().invoke(quality, [*given, *(argument.replace("@", f"{folder}/") for argument in arguments)])


def test_a_ci_system_reads_each_rule_as_a_test(folder: Path) -> None:
    assert check(folder, "--junit", "@new/result.xml").exit_code == 1

    suite = ElementTree.parse(folder / "new" / "result.xml").getroot().find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "data.csv",
        "tests": "4",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
    }
    cases = {case.get("name"): [(found.tag, found.get("message")) for found in case] for case in suite.iter("testcase")}
    assert cases['IsComplete "name"'] == []
    assert cases["RowCount = 4"] == [("failure", "the value is 3, and it must be = 4")]
    assert [kind for kind, _ in cases['IsComplete "nothing"']] == ["error"]
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "score": "0.25",
        "rows": "3",
        "good": "1",
        "bad": "2",
    }


def test_a_colleague_reads_what_broke_and_which_rows(folder: Path) -> None:
    check(folder, "--html", "@result.html")

    page = (folder / "result.html").read_text("utf-8")
    seen = Seen(page)
    assert "script" not in seen.tags
    assert "Quality of data.csv" in seen.text
    assert "1 of 4rules passed" in seen.text
    assert "The number of rows must be exactly 4." in seen.text
    assert r"Name: '\x3cscript\x3ealert(1)\x3c/script\x3e'" in seen.text


def test_a_page_that_cannot_be_written_is_said_in_one_message(folder: Path) -> None:
    done = check(folder, "--html", "@data.csv/page.html")

    assert done.exit_code != 0
    assert "page.html cannot be written" in str(done.exception)


@settings(deadline=None)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), min_size=1, max_size=4))
def test_no_content_or_name_of_a_file_breaks_the_page_or_the_xml(texts: list[str]) -> None:
    usable = [text.encode("utf-8", "replace").decode().replace('"', "'").replace("\x00", "") for text in texts]
    data = "Name,N\n" + "".join(f'"x{text}",1\n' for text in usable)
    rules = parse_ruleset('Rules = [ ColumnLength "Name" < 1, IsUnique "N" ]')
    evaluation = evaluate(open_files({"data.csv": data.encode()}), rules)

    suite = ElementTree.fromstring(junit_xml(evaluation, texts[0])).find("testsuite")
    assert suite is not None
    assert len(suite.findall("testcase")) == 2
    page = check_page(evaluation, texts[0])
    plain = Seen(check_page(evaluation, "x"))
    assert Seen(page).tags == plain.tags
    assert not OBEYED.search(page)
