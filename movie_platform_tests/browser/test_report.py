"""The report as people see it who never open Dagster: `make browser`."""

from pathlib import Path

import pytest

from movie_platform.report.page import make_report
from movie_platform.settings import load_settings
from movie_platform_tests.browser.serving import chromium

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make install")

BROWSER = chromium()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


def test_the_report_opens_without_a_network_and_without_an_error(tmp_path: Path) -> None:
    settings = load_settings(
        raw_uri=(tmp_path / "raw").as_uri(),
        lake_uri=(tmp_path / "lake").as_uri(),
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
    )
    file = tmp_path / "report.html"
    file.write_text(make_report(settings))
    with playwright.sync_playwright() as started:
        context = started.chromium.launch(executable_path=BROWSER).new_context(offline=True)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(file.as_uri())
        for section in ("Feed", "Freshness", "Quality", "Answers", "Behavior", "Rows", "Ledger"):
            assert page.get_by_role("heading", name=section, exact=True).is_visible(), section
    assert errors == []
