"""Whatever somebody put into a name or a value, nothing that is looked at obeys it: every way out, one set of texts."""

import contextlib
import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from movie_platform.commands.terminal import print_json, safe, table
from movie_platform.deliveries import receipts
from movie_platform.deliveries.delivery import Listing
from movie_platform.errors import InputRefused, ObjectMissing, PlatformError
from movie_platform.lake import open_store
from movie_platform.notify.notices import EvaluationEnded, RuleResult
from movie_platform.orchestration.events import rejected_keys
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.source import SOURCE
from movie_platform.pipelines.imdb_feed.verification import verify
from movie_platform.printable import json_printable, printable
from movie_platform.quality import harmless, markdown, shown
from movie_platform.quality.presentation import json_text
from movie_platform.report.markup import csv_text, escaped
from movie_platform_tests.pipelines.imdb_feed.triplets import A, W, triplet

PAYLOADS = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31mred",
    "over\rwritten\x08\x08",
    "two\nlines\x0b\x0c\x85\u2028\u2029three",
    "gpj\u202e.exe\u2066\u2069",
    "zero\u200b\u200d\ufeff\u2060\xadwidth\u3164",
    "tag\U000e0041\U000e007f",
    "half\ud83d",
    "<img src=x onerror=alert(1)></script><script>alert(1)</script>",
    "[red]rich[/red] [link=http://x]markup[/link]",
    "](javascript:alert(1)) ![x](http://x) | cell | `code` *bold*",
    "=cmd|'/c calc'!A1",
    "+1+1",
    "@SUM(1)",
    "\t=1+1",
    "%s %(x)s {0} {x}",
]
OBEYED = {chr(number) for number in range(sys.maxunicode + 1) if unicodedata.category(chr(number)) in "Cc Cf Cs Zl Zp"}


def obeyed(text: str, *, lines: bool = False) -> set[str]:
    return {character for character in text if character in OBEYED} - ({"\n"} if lines else set())


def printed(payload: str) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(table("title", ["column"], [[payload]]), safe(payload))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def printed_as_json(payload: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        print_json({payload: [payload]})
    return shown.getvalue().removesuffix("\n")


def listing(payload: str) -> Listing:
    found = Listing()
    found.reject(payload, f"because of {payload}")
    return found


AT = "2026-01-01T00:00:00+00:00"


def refusal(payload: str) -> refusals.Refusal:
    return refusals.Refusal(
        W, payload, 1, AT, AT, False, "1", (payload,), {payload: payload}, payload, {payload: (payload,)}
    )


def marker(payload: str, folder: Path) -> str:
    lake = open_store(folder.as_uri())
    refusals.put(lake, refusal(payload))
    refusals.rebuild_log(lake)
    return (lake.read(refusals.key_of(W)) + lake.read(refusals.LOG)).decode()


def note(payload: str, folder: Path) -> str:
    lake = open_store(folder.as_uri())
    receipts.refuse(lake, "daily", "2026-01-01", "f" * 16, InputRefused(payload, rule="rule"))
    return "".join(lake.read(info.key).decode() for info in lake.objects())


def verified(payload: str) -> str:
    name = payload.encode("utf-8", "replace").decode()
    header = verify(W, {**triplet(), A: f'"{name}",b\n1,2\n'.encode()})
    return verify(W, {**triplet(), name: b""}).reason + header.reason


def notice(payload: str) -> EvaluationEnded:
    rule = RuleResult(payload, "Failed", payload, {payload: 1.0})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return EvaluationEnded("1", payload, payload, payload, 0.5, (rule,), 1, 0, 1, "run", now, ends_as=payload)


def observed(payload: str) -> str:
    """What Dagster's log keeps of keys that are no delivery."""
    records = rejected_keys(SOURCE, listing(payload)).metadata["rejected keys"]
    assert isinstance(records, dg.TableMetadataValue)
    return "".join(str(value) for record in records.records for value in record.data.values())


ONE_LINE: dict[str, Callable[[str], str]] = {
    "printable": printable,
    "shown": shown,
    "harmless": harmless,
    "cell of a Markdown table": markdown,
    "text of a page": escaped,
    "rejected key": lambda payload: "".join(f"{key}{why}" for key, why in listing(payload).rejected_keys.items()),
    "Dagster's log": observed,
    "subject of a notice": lambda payload: notice(payload).subject,
    "reason of a refused window": verified,
    "line of unprocessed.log": lambda payload: refusal(payload).log_line(),
    "line of JSON on standard output": printed_as_json,
    "JSON in a line": lambda payload: json_printable(json.dumps([payload], ensure_ascii=False)),
}
LINES: dict[str, Callable[[str], str]] = {
    "message of an error": lambda payload: str(PlatformError(payload)) + str(InputRefused(payload, rule="x")),
    "missing object": lambda payload: str(ObjectMissing(payload, payload)),
    "terminal": printed,
    "body of a notice": lambda payload: notice(payload).body,
    "JSON": lambda payload: json_text([payload, {payload: payload}]),
}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("way", ONE_LINE)
def test_one_line_stays_one_and_has_nothing_that_is_obeyed(way: str, payload: str) -> None:
    assert obeyed(ONE_LINE[way](payload)) == set()


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("way", LINES)
def test_lines_have_nothing_that_is_obeyed(way: str, payload: str) -> None:
    assert obeyed(LINES[way](payload), lines=True) == set()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markers_and_notes_in_the_lake_can_be_printed_and_read_back(payload: str, tmp_path: Path) -> None:
    for written in (marker, note):
        assert obeyed(written(payload, tmp_path / written.__name__), lines=True) == set()
    kept = refusals.get(open_store((tmp_path / "marker").as_uri()), W)
    assert kept == refusal(payload)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_page_has_no_markup_of_somebody_else(payload: str) -> None:
    assert not re.search("[<>\"']", escaped(payload))
    assert not set("<>") & set(harmless(payload) + shown(payload) + json_text(payload))


@given(st.one_of(st.sampled_from(PAYLOADS), st.text(st.characters(), max_size=20), st.from_regex(r"\s?[=+@-].*")))
def test_a_spreadsheet_finds_no_formula(payload: str) -> None:
    text = csv_text(["name", payload], [[payload, 1], [1.5, payload]])
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert len(cells) == 6
    formulas = [cell for cell in cells if re.match(r"\s*[=+\-@\t\r]", cell)]
    assert not [cell for cell in formulas if not re.fullmatch(r"-?[\d.]+(e.\d+)?", cell, re.IGNORECASE)]
    assert obeyed("".join(cells)) == set()


def test_every_character_that_is_obeyed_is_spelled_out_and_no_other() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    changed = {character for character in every if printable(character) != character}
    assert changed >= OBEYED
    others = changed - OBEYED  # without width, or not given out
    assert {unicodedata.category(character) for character in others} <= {"Mn", "Lo", "Cn"}
    assert len(others) < 4_200
    assert printable("Zoë 日本語 🎬 a\u0301") == "Zoë 日本語 🎬 a\u0301"


@given(st.text(st.characters()))
def test_printing_twice_changes_nothing_and_json_means_the_same(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert printable(text, keep="\n").count("\n") == text.count("\n")
    assert json.loads(json_printable(json.dumps([text], ensure_ascii=False))) == [text]
