"""The report says how everything stands, on one page that needs nothing else and obeys no data."""

import base64
import csv
import hashlib
import io
import json
import re
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from movie_platform.commands.report import report
from movie_platform.deliveries import ManifestFile, manifests
from movie_platform.lake import open_store
from movie_platform.monitoring import ledger
from movie_platform.monitoring.ledger import Ledger, ledger_of
from movie_platform.monitoring.troubles import Trouble
from movie_platform.monitoring.watch import Memory, Open, recorded
from movie_platform.pipelines.movies_dataset.answers import QUESTIONS, answer
from movie_platform.pipelines.movies_dataset.loading import load
from movie_platform.pipelines.quality_movies.tables import IMDB_MOVIES_RATING
from movie_platform.report import page as page_module
from movie_platform.report.answers import answers_of
from movie_platform.report.feed import windows_of
from movie_platform.report.page import BYTES_AT_MOST, KEY, publish, report_page
from movie_platform.report.sources import Inputs
from movie_platform.warehouse import open_warehouse
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform.warehouse.duckdb.published import Published
from movie_platform_tests.report.conftest import (
    DAY,
    HARM,
    LAST,
    LATE,
    MISSING,
    NOW,
    REFUSED,
    SERVED,
    SHOWN_HARM,
    Filled,
    settings_below,
)
from movie_platform_tests.report.test_markup import OBEYED, Seen

HEADINGS = ["Feed", "Freshness", "Columns", "Quality", "Answers", "Behavior", "Rows", "Ledger"]
SCRIPT = re.compile(r"<script(?: type=\"application/json\" id=\"charts\")?>(.*?)</script>", re.DOTALL)


@pytest.fixture(scope="module")
def page(filled: Filled) -> str:
    return report_page(filled.settings, filled.lake, NOW)


def without_scripts(page: str) -> str:
    return SCRIPT.sub("", page)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", without_scripts(page))


def section(page: str, heading: str) -> str:
    found = re.search(rf'<section id="{heading.lower()}">(.*?)</section>', page, re.DOTALL)
    assert found
    return found[1]


def rows_of(part: str, first: str) -> list[str]:
    """The cells of the table row whose first cell is this text."""
    found = re.search(rf"<tr><td[^>]*>(?:<b>)?{re.escape(first)}(?:</b>)?</td>(.*?)</tr>", part)
    assert found, first
    return [Seen(cell).text for cell in re.findall(r"<td.*?</td>", found[1])]


def test_the_sections_have_their_headings_and_records(page: str) -> None:
    assert headings(page) == HEADINGS
    assert "cannot be read" not in page


def test_the_page_asks_the_network_for_nothing_and_runs_only_its_own_scripts(page: str) -> None:
    seen = Seen(without_scripts(page))
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name == "src" or name.startswith("on")]
    hrefs = [value or "" for name, value in seen.attributes if name == "href"]
    assert all(href.startswith(("#", "data:text/csv;")) for href in hrefs)
    policy = next(
        value or "" for name, value in seen.attributes if name == "content" and "default-src" in (value or "")
    )
    assert policy.startswith("default-src 'none'; ")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = [script for script in SCRIPT.findall(page) if not script.startswith("{")]
    assert {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts} == allowed
    assert len(page.encode()) <= BYTES_AT_MOST


def test_harm_in_titles_companies_and_file_names_is_shown_and_not_obeyed(page: str) -> None:
    shown = without_scripts(page)
    assert "img" not in Seen(shown).tags
    assert not OBEYED.search(page)
    for heading in ("Feed", "Answers", "Quality"):
        text = Seen(section(page, heading)).text
        assert "onerror" in text, heading
    assert SHOWN_HARM in Seen(section(page, "Answers")).text
    charts = json.loads(next(script for script in SCRIPT.findall(page) if script.startswith("{")))
    companies = {row["production_company"] for row in charts["chart-answer-1"]["data"]["values"]}
    assert len(companies) == 2
    assert {f"chart-answer-{number}" for number in range(1, 10)} <= charts.keys()


def test_each_window_has_its_state(filled: Filled, page: str) -> None:
    inputs = Inputs(filled.lake, filled.settings, NOW, Ledger("", ""))
    found = windows_of(inputs)
    wanted = {SERVED: "served", REFUSED: "refused", LATE: "late", MISSING: "missing", LAST: "served"}
    assert {window: found.state[window] for window in wanted} == wanted
    assert min(found.state) == SERVED
    assert max(found.state) == "202601022350"
    assert {state for window, state in found.state.items() if window > LAST} == {"missing"}
    feed = section(page, "Feed")
    cards = dict(re.findall(r'class="card (\w+)"><b>([\d,]+)</b>', feed))
    assert cards == {"served": "2", "late": "1", "refused": "1", "waiting": "0", "missing": "80"}


def test_each_source_is_as_fresh_as_what_it_serves(page: str) -> None:
    fresh = section(page, "Freshness")
    assert rows_of(fresh, "IMDB feed")[:2] == ["overdue", "2026-01-02 10:40"]
    assert rows_of(fresh, "Quality movies")[:3] == ["fresh", "2026-01-02", "0 h 5 min"]
    assert rows_of(fresh, "The Movies Dataset")[1] == str(DAY)
    assert rows_of(fresh, "User behavior")[:2] == ["nothing yet", "-"], "its metric was made without any review"
    assert "nobody has looked yet" in fresh


def test_what_the_watch_found_is_shown_with_what_to_do(tmp_path: Path) -> None:
    settings = settings_below(tmp_path)
    lake = open_store(settings.lake_uri)
    trouble = Trouble("FAILING", f"sensor {HARM}", "platform", NOW, "no answer", "restart the daemon")
    memory = Memory(open={trouble.key: Open(trouble)})
    recorded(memory, Memory(), lake, settings.platform_name, NOW)
    text = Seen(section(report_page(settings, lake, NOW), "Freshness")).text
    assert f"sensor {SHOWN_HARM}" in text
    assert "restart the daemon" in text
    assert "1 open, as the sensor platform_watch found at 2026-01-03 00:05 UTC" in text


def test_a_column_that_changed_is_named_with_what_happens(page: str, tmp_path: Path) -> None:
    assert "the columns that are expected" in section(page, "Columns")
    settings = settings_below(tmp_path)
    lake = open_store(settings.lake_uri)
    columns = {name: "" for name in IMDB_MOVIES_RATING.column_names if name != "meta_score"} | {HARM[:20]: "text"}
    files = {"movies.csv": ManifestFile("1", "1", 1)}
    manifests.publish(lake, "quality_movies", "2026-01-02", files, after=None, columns={"movies.csv": columns})
    shown = section(report_page(settings, lake, NOW), "Columns")
    assert "img" not in Seen(shown).tags
    text = Seen(shown).text
    assert "movies.csv2026-01-02has no column 'meta_score'the day is blocked, and what was served before stays" in text
    assert f"has a new column '{HARM[:20]}'it is in no table" in text


def test_the_rules_of_every_day_and_what_is_out_of_line_are_shown(page: str) -> None:
    quality = section(page, "Quality")
    assert len(re.findall(r'<rect[^>]*class="refused"', quality)) == 7
    assert len(re.findall(r'<rect[^>]*class="served"', quality)) == 7
    text = Seen(quality[quality.index("<h3>Anomalies") :]).text
    assert "2026-01-02Dataset.*.RowCount41" in text


def test_the_answers_are_those_of_the_warehouse(filled: Filled, tmp_path: Path) -> None:
    warehouse = open_warehouse(settings_below(tmp_path))
    load(warehouse, filled.lake, filled.published, run_id="test")
    found = answers_of(filled.lake, filled.published)
    for question in QUESTIONS:
        order = [(name, "ascending") for name in found[question.view].column_names]
        wanted = answer(warehouse, question)
        assert wanted.num_rows > 0
        assert found[question.view].sort_by(order).to_pylist() == wanted.sort_by(order).to_pylist()


def test_an_answer_can_be_saved_with_its_formulas_disarmed(filled: Filled, page: str) -> None:
    hrefs = dict(re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]*)" download="([^"]*)"', page))
    files = {name: base64.b64decode(data).decode() for data, name in hrefs.items()}
    rows = list(csv.DictReader(io.StringIO(files["company_budget_by_year.csv"])))
    wanted = answers_of(filled.lake, filled.published)["company_budget_by_year"].to_pylist()
    assert [int(row["total_budget"]) for row in rows] == [row["total_budget"] for row in wanted]
    assert {row["production_company"] for row in rows} == {SHOWN_HARM, "Müller Film"}


def test_every_row_is_accounted_for(page: str) -> None:
    part = section(page, "Rows")
    assert ">NO<" not in part
    assert rows_of(part, "…_type_A.csv")[0] == "6"
    assert rows_of(part, "movies_metadata.csv")[:4] == ["9", "8", "0", "1"]
    assert rows_of(part, "2026-01-02")[:4] == ["41", "40", "1", "0"]
    purchases, reviews = re.findall(r"<td[^>]*>(?:purchases|reviews)</td>(.*?)</tr>", part)
    assert [Seen(c).text for c in re.findall(r"<td.*?</td>", purchases)] == ["4", "2", "1", "1", "0", "-", "yes"]
    assert [Seen(c).text for c in re.findall(r"<td.*?</td>", reviews)] == ["3", "2", "0", "1", "0", "0", "yes"]


def test_a_lake_that_holds_nothing_yet_has_a_page_too(tmp_path: Path) -> None:
    settings = settings_below(tmp_path)
    page = report_page(settings, open_store(settings.lake_uri), NOW)
    assert headings(page) == HEADINGS
    assert "cannot be read" not in page
    assert page.count("nothing yet") == 5
    assert not Path(tmp_path / "warehouse.duckdb").exists()


def test_a_record_that_cannot_be_read_costs_its_own_section_alone(filled: Filled, page: str) -> None:
    key = "evaluations/quality_movies/2026-01-02.json"
    before = filled.lake.read(key)
    filled.lake.write(key, b"{ torn")
    try:
        torn = report_page(filled.settings, filled.lake, NOW)
    finally:
        filled.lake.write(key, before)
    assert "Its records cannot be read now" in section(torn, "Quality")
    assert section(torn, "Feed") == section(page, "Feed")
    assert section(torn, "Answers") == section(page, "Answers")


def test_the_page_holds_fewer_rows_where_it_would_be_too_large(
    filled: Filled, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "ROWS_TIERS", (5_000, 3))
    monkeypatch.setattr(page_module, "BYTES_AT_MOST", len(page.encode()) - 1)
    smaller = report_page(filled.settings, filled.lake, NOW)
    assert len(smaller.encode()) < len(page.encode())
    assert "the largest 3 of 16 rows" in smaller


def test_the_ledger_comes_from_the_copy_the_free_warehouse_or_the_last_report(filled: Filled, tmp_path: Path) -> None:
    settings = settings_below(tmp_path)
    lake, path = open_store(settings.lake_uri), tmp_path / "warehouse.duckdb"
    warehouse = open_warehouse(settings)
    load(warehouse, filled.lake, filled.published, run_id="test")

    asked = ledger_of(settings, lake, NOW)
    assert asked.source == "the warehouse"
    assert asked.total == len(warehouse.ledger())
    assert ("main.movies_master", 1, 8) in {row[:3] for row in asked.tables}

    publish(settings, lake, NOW)
    with held(path.with_name("warehouse.duckdb.lock"), "a load", Deadline.after(timedelta(0))):
        assert ledger_of(settings, lake, NOW + timedelta(days=1)) == asked
        lake.delete([ledger.KEY])
        unknown = ledger_of(settings, lake, NOW)
        assert (unknown.at, unknown.total) == ("", 0)
        assert "a load" in unknown.source

    Published(path, timedelta(seconds=1)).renew()
    with held(path.with_name("warehouse.duckdb.lock"), "a load", Deadline.after(timedelta(0))):
        copied = ledger_of(settings, lake, NOW)
    assert copied.source == "the published copy of the warehouse"
    assert (copied.total, copied.tables, copied.loads) == (asked.total, asked.tables, asked.loads)


def test_the_command_writes_the_page(filled: Filled, tmp_path: Path) -> None:
    env = {"MOVIE_PLATFORM_LAKE_URI": filled.settings.lake_uri, "MOVIE_PLATFORM_WAREHOUSE": filled.settings.warehouse}
    file = tmp_path / "new" / "page.html"
    done = CliRunner(env=env).invoke(report, ["--out", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"written to {file}" in done.output.replace("\n", "")
    assert headings(file.read_text("utf-8")) == HEADINGS


def test_the_published_page_lies_in_the_lake(filled: Filled) -> None:
    size = publish(filled.settings, filled.lake, NOW.astimezone(UTC))
    assert len(filled.lake.read(KEY)) == size


def test_the_page_of_a_lake_on_s3_is_the_same(filled: Filled, bucket: str) -> None:
    lake = open_store(bucket)
    for info in filled.lake.objects():
        lake.write(info.key, filled.lake.read(info.key))
    assert report_page(filled.settings, lake, NOW) == report_page(filled.settings, filled.lake, NOW)
