"""Takes the README's pictures from the demonstration: `make screenshots`."""

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from movie_platform.commands.demonstration import STARTS_FILE
from movie_platform.report.page import make_report
from movie_platform.settings import Settings, default_settings
from movie_platform_tests.browser.serving import ROOT, chromium, served

FOLDER = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 760}
AT_MOST = 200_000


def _failed_partition(page: Page) -> None:
    for state in ("Materialized", "Materializing", "Missing"):
        page.get_by_text(re.compile(rf"^{state} \(\d+\)$")).click()
    page.get_by_text(re.compile(r"^\d{12}$")).first.click()
    page.get_by_text(re.compile("View all historical events")).click()
    page.get_by_role("dialog").locator("tbody tr").first.click()


def _failed_check(page: Page) -> None:
    page.get_by_text("Failed", exact=True).first.click()


PAGES: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "lineage": ("/locations/movie_platform/asset-groups/quality_movies/lineage", None),
    "partitions": ("/assets/imdb_clean?view=partitions", _failed_partition),
    "checks": ("/assets/quality_movies_evaluated?view=checks", _failed_check),
    "runs": ("/runs", None),
    "automation": ("/automation", None),
}


def main() -> int:
    """Ends with 1 where no Chromium is installed or a picture is too large."""
    browser = chromium()
    if browser is None:
        print("No Chromium is installed: `apt-get install chromium`, or any Chrome on the PATH.", file=sys.stderr)
        return 1
    settings = default_settings()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="movie-platform-pictures-") as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        report.write_text(make_report(settings))
        shown = playwright.chromium.launch(executable_path=browser).new_page(viewport=SIZE, color_scheme="light")
        with served(
            {"DAGSTER_HOME": str(settings.dagster_home), **_starts(settings)}, Path(folder) / "log", daemon=False
        ) as address:
            for name, (path, prepare) in PAGES.items():
                shown.goto(address + path)
                if prepare:
                    prepare(shown)
                _take(shown, name)
        shown.goto(report.as_uri())
        _take(shown, "report")
    large = [path.name for path in FOLDER.glob("*.png") if path.stat().st_size > AT_MOST]
    if large:
        print(f"Larger than {AT_MOST:,} bytes: {', '.join(large)}", file=sys.stderr)
    return 1 if large else 0


def _starts(settings: Settings) -> dict[str, str]:
    """Where the demonstration's samples begin, and the UI with them."""
    lines = (settings.dagster_home.parent / STARTS_FILE).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _take(page: Page, name: str) -> None:
    """When nothing has been loaded for half a second, and what moves has come to rest."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3_000)
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    print(f"{name}.png: {(FOLDER / f'{name}.png').stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
