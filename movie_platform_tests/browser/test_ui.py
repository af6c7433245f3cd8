"""What an operator does and sees in Dagster's UI, in a Chromium: `make browser`.

The tests follow each other on one platform: the demonstration first, and then what an operator does after it.
"""

import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from rich.console import Console

from movie_platform.commands import demonstration
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import checks as feed_checks
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift, span
from movie_platform.pipelines.quality_movies.checks import day_checks
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.pipelines.quality_movies.rulesets import ruleset_in_use
from movie_platform.pipelines.quality_movies.source import SOURCE as QUALITY
from movie_platform.samples.quality_movies import FILE_NAME
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform_tests.browser.serving import chromium, served
from movie_platform_tests.pipelines.imdb_feed.triplets import deliver, triplet

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make install")

BROWSER = chromium()
WAITS = 120.0
SMALL = {"FEED_WINDOWS": 22, "QUALITY_DAYS": 2, "DATASET_SCALE": 0.001, "BEHAVIOR_DAYS": 2}
EARLIER = 70
"""Windows before the demonstration's first one: the feed of the UI begins with them, and nothing is delivered there."""
BACKFILLED = 60
_NAMES_AND_RESULTS = "rows => rows.map(row => [row.querySelector('[title]').title, row.innerText.split('\\n').pop()])"
"""A name that is too long for the list is whole in its title only."""
GROUPS = {"imdb_archive": "imdb_feed", "imdb_clean": "imdb_feed", "quality_movies_evaluated": "quality_movies"}
"""Assets with checks of what is served, and the groups in whose lineage they are."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@dataclass
class Operator:
    """Somebody in front of the UI, and what there is besides it."""

    page: "Page"
    address: str
    settings: Settings
    first: str
    """The feed's first window."""

    @property
    def raw(self) -> ObjectStore:
        return open_store(self.settings.raw_uri)

    @property
    def lake(self) -> ObjectStore:
        return open_store(self.settings.lake_uri)

    def window(self, number: int) -> str:
        return shift(self.first, LENGTH * number)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(1_000)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAITS
        while not holds():
            assert time.monotonic() < end, what
            self.page.wait_for_timeout(1_000)

    def is_clean(self, window: str) -> bool:
        return self.lake.info(f"clean_files/{window}.parquet") is not None

    def is_on(self) -> bool:
        self.open("/locations/movie_platform/sensors/imdb_feed_arrivals")
        return self.page.locator("label:has(input[type=checkbox]) input").first.is_checked()

    def switch(self, *, on: bool) -> None:
        """The feed's sensor, on its own page."""
        if self.is_on() != on:
            self.page.locator("label:has(input[type=checkbox])").first.click()
            self.page.wait_for_timeout(2_000)
        assert self.is_on() == on

    def launch(self, partitions: str) -> None:
        """Windows of the feed, from the lineage of its group."""
        self.open("/locations/movie_platform/asset-groups/imdb_feed/lineage")
        self.page.get_by_text("Materialize all").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_placeholder("ex: ").fill(partitions)
        dialog.get_by_text("Partition selection").click()
        dialog.get_by_role("button", name=re.compile("^Launch")).click()
        dialog.wait_for(state="hidden")

    def badge(self, asset: str) -> tuple[int, int]:
        """How many of the asset's checks passed, as its node in the lineage says."""
        self.open(f"/locations/movie_platform/asset-groups/{GROUPS[asset]}/lineage")
        node = self.page.locator('[class*="AssetNode_assetNodeBox"]').filter(has_text=asset)
        found = re.search(r"(\d+) / (\d+) Passed", node.inner_text())
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def listed(self, asset: str) -> dict[str, bool]:
        """The asset's own list of its checks."""
        self.open(f"/assets/{asset}?view=checks")
        rows = self.page.locator('[class*="AssetChecks_checkRow"]').evaluate_all(_NAMES_AND_RESULTS)
        return {name: result == "Succeeded" for name, result in rows}

    def truth(self, asset: str) -> dict[str, bool]:
        """What the lake says."""
        found = [
            *feed_checks.evaluations(self.lake, self.settings.feed_lookback),
            *day_checks(ruleset_in_use(self.settings)).standing(self.lake),
        ]
        return {of.check_name: of.passed for of in found if of.asset_key == dg.AssetKey(asset)}

    def disagreement(self, asset: str) -> str:
        """What lake, list and lineage say of the asset, where they do not say the same."""
        truth, listed, badge = self.truth(asset), self.listed(asset), self.badge(asset)
        if (listed, badge) == (truth, (sum(truth.values()), len(truth))):
            return ""
        return f"{asset}: the lake says {truth}, the list {listed}, the lineage {badge}"

    def sees_the_truth(self) -> None:
        """They agree on every asset, at the latest some ticks of the sensors later: a run under way shows nothing."""
        for asset in GROUPS:
            end = time.monotonic() + WAITS
            while found := self.disagreement(asset):
                assert time.monotonic() < end, found


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """In front of the demonstration."""
    folder = tmp_path_factory.mktemp("browser")
    settings = load_settings(
        raw_uri=(folder / "raw").as_uri(),
        lake_uri=(folder / "lake").as_uri(),
        warehouse=f"duckdb:///{folder}/warehouse.duckdb",
        dagster_home=folder / "dagster",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demonstration, "out", Console(file=io.StringIO()))
        for name, size in SMALL.items():
            patch.setattr(demonstration, name, size)
        assert demonstration.demonstrate(settings, datetime.now(UTC))
    lines = (folder / demonstration.STARTS_FILE).read_text().splitlines()
    starts = dict(line.split("=", 1) for line in lines)
    first = shift(starts["MOVIE_PLATFORM_FEED_START"], -LENGTH * EARLIER)
    environment = {
        **starts,
        "MOVIE_PLATFORM_RAW_URI": settings.raw_uri,
        "MOVIE_PLATFORM_LAKE_URI": settings.lake_uri,
        "MOVIE_PLATFORM_WAREHOUSE": settings.warehouse,
        "MOVIE_PLATFORM_FEED_START": first,
        "MOVIE_PLATFORM_FEED_GRACE": "1s",
        "MOVIE_PLATFORM_SENSOR_INTERVAL": "5s",
        "DAGSTER_HOME": str(settings.dagster_home),
    }
    with served(environment, folder / "dagster.log", daemon=True) as address, playwright.sync_playwright() as started:
        page = started.chromium.launch(executable_path=BROWSER).new_page(viewport={"width": 1600, "height": 1200})
        page.set_default_timeout(60_000)
        yield Operator(page, address, settings, first)


def test_after_the_demonstration_the_badges_are_true(operator: Operator) -> None:
    operator.sees_the_truth()


def test_the_sensor_is_switched_off_and_on_and_takes_up_what_arrived_meanwhile(operator: Operator) -> None:
    operator.switch(on=False)
    window = operator.window(EARLIER - 2)
    deliver(operator.raw, window)
    operator.page.wait_for_timeout(15_000)  # three intervals
    assert not operator.is_clean(window)
    operator.switch(on=True)
    operator.until(lambda: operator.is_clean(window), f"{window} was delivered and is not processed")


def test_windows_that_arrive_are_run_by_themselves(operator: Operator) -> None:
    windows = [operator.window(EARLIER - 4), operator.window(EARLIER - 3)]
    for window in windows:
        deliver(operator.raw, window)
    operator.until(lambda: all(map(operator.is_clean, windows)), "windows that arrived are not processed")
    operator.open("/runs")
    operator.page.get_by_text("imdb_feed_job").first.wait_for()


def test_a_refused_window_is_read_from_its_failed_check_and_from_its_page_and_mended(operator: Operator) -> None:
    window, file = operator.window(EARLIER - 1), f"{operator.window(EARLIER - 1)}_type_A.csv"
    deliver(operator.raw, window, {**triplet(window), file: b""})
    operator.until(lambda: refusals.get(operator.lake, window) is not None, f"{window} is not refused")
    operator.sees_the_truth()
    operator.open("/assets/imdb_archive?view=checks")
    operator.page.locator('[class*="AssetChecks_checkRow"]').filter(has_text="has_rows").click()
    operator.page.get_by_text(re.compile("windows refused for it")).first.wait_for()

    operator.open(f"/assets/imdb_clean?view=partitions&partition={window}")
    operator.page.get_by_text(re.compile("View all historical events")).click()
    events = operator.page.get_by_role("dialog")
    events.locator("tbody tr").first.click()
    for text in (file, "what next", refusals.DELIVER_AGAIN):
        events.get_by_text(text, exact=True).first.wait_for()

    deliver(operator.raw, window)
    operator.until(lambda: operator.is_clean(window), f"{window} was mended and is not processed")
    operator.until(lambda: refusals.get(operator.lake, window) is None, f"{window} was mended and is still refused")
    operator.sees_the_truth()


def test_one_window_is_run_by_hand(operator: Operator) -> None:
    operator.switch(on=False)
    window = operator.window(EARLIER - 5)
    deliver(operator.raw, window)
    operator.launch(window)
    operator.until(lambda: operator.is_clean(window), f"{window} was not made by hand")


def test_a_range_of_60_windows_is_backfilled(operator: Operator) -> None:
    operator.switch(on=False)
    windows = list(span(operator.window(0), operator.window(BACKFILLED - 1)))
    for window in windows:
        deliver(operator.raw, window)
    operator.launch(f"[{windows[0]}...{windows[-1]}]")
    operator.until(lambda: all(map(operator.is_clean, windows)), "the backfill did not make all windows")
    operator.switch(on=True)
    operator.sees_the_truth()


def test_a_cancelled_run_is_started_again(operator: Operator) -> None:
    operator.switch(on=False)
    window, page = operator.window(EARLIER - 6), operator.page
    deliver(operator.raw, window)

    def is_loaded() -> bool:
        ledger = open_warehouse(operator.settings).ledger(IMDB_MOVIE_WINDOWS)
        return any(row.partition == window for row in ledger)

    lock = Path(operator.settings.warehouse.removeprefix("duckdb:///") + ".lock")
    with held(lock, "a report", Deadline.after(timedelta(seconds=60))):
        operator.launch(window)
        operator.until(lambda: operator.is_clean(window), f"{window} is not processed")
        operator.open("/runs?q[0]=status%3ASTARTED")
        page.locator('a[href*="/runs/"]').filter(has_text=re.compile("^[0-9a-f]{8}$")).first.click()
        page.get_by_role("button", name="Terminate").click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile("Terminate")).click()
        page.get_by_text("Canceled", exact=True).first.wait_for()
    assert not is_loaded()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("Re-execute")).first.click()
    operator.until(is_loaded, f"{window} is not loaded by the run that was started again")


def test_after_a_blocked_day_the_badges_are_true(operator: Operator) -> None:
    operator.switch(on=True)
    day = datetime.now(UTC).date().isoformat()
    key = f"{QUALITY.prefix}{day}/{FILE_NAME}"
    header = operator.raw.read(key).partition(b"\n")[0] + b"\n"
    operator.raw.write(key, header)

    def is_blocked() -> bool:
        record = record_of(operator.lake, day)
        return record is not None and record.state == "blocked"

    operator.until(is_blocked, f"{day} without a row is not blocked")
    operator.sees_the_truth()
    operator.open("/assets/quality_movies_good?view=partitions")
    operator.page.get_by_text(re.compile(r"^Failed \([1-9]")).first.wait_for()
