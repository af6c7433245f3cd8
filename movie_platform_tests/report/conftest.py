"""A lake that every source has filled, some of it with texts that mean harm."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed.processing import process_all, provenance_of
from movie_platform.pipelines.imdb_feed.windows import LENGTH, start_of
from movie_platform.pipelines.movies_dataset.publication import Publication, publish_delivery
from movie_platform.pipelines.quality_movies.evaluation import RulesInUse, judge_day
from movie_platform.pipelines.user_behavior import classification, purchases
from movie_platform.pipelines.user_behavior.metric_build import build
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_PURCHASE
from movie_platform.progress import LogProgress
from movie_platform.quality import parse_ruleset
from movie_platform.settings import Settings, load_settings
from movie_platform_tests.pipelines.imdb_feed import triplets
from movie_platform_tests.pipelines.movies_dataset import zips
from movie_platform_tests.pipelines.quality_movies import conftest as rated

HARM = "</script><img src=x onerror=alert(1)>\x1b[31m\u2028\u200b"
SHOWN_HARM = r"</script><img src=x onerror=alert(1)>\x1b[31m\u2028\u200b"
NOW = datetime(2026, 1, 3, 0, 5, tzinfo=UTC)
DAY = date(2026, 1, 2)
SERVED, REFUSED, LATE, MISSING = "202601021000", "202601021010", "202601021020", "202601021030"
LAST = "202601021040"


@dataclass(frozen=True)
class Filled:
    settings: Settings
    raw: ObjectStore
    lake: ObjectStore
    published: Publication


def settings_below(folder: Path) -> Settings:
    return load_settings(
        raw_uri=(folder / "raw").as_uri(),
        lake_uri=(folder / "lake").as_uri(),
        warehouse=f"duckdb:///{folder / 'warehouse.duckdb'}",
        dagster_home=folder / "dagster",
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("report")
    settings = settings_below(folder)
    raw, lake = open_store(settings.raw_uri), open_store(settings.lake_uri)
    deliver_feed(raw, lake)
    judge(raw, lake)
    published = publish(raw, lake, folder)
    measure_behavior(lake)
    return Filled(settings, raw, lake, published)


def deliver_feed(raw: ObjectStore, lake: ObjectStore) -> None:
    movies = [triplets.movie(1, title=HARM), triplets.movie(2)]
    for window, delay in ((SERVED, 0), (LATE, 5), (LAST, 0)):
        at = start_of(window) + LENGTH + timedelta(hours=delay)
        triplets.deliver(raw, window, triplets.triplet(window, movies), at=at)
    triplets.deliver(raw, REFUSED, {**triplets.triplet(REFUSED), f"{HARM.replace('/', '')}.csv": b"x"})
    outcomes = list(process_all(raw, lake, [SERVED, REFUSED, LATE, LAST]))
    assert [outcome.refusal is not None for outcome in outcomes] == [False, True, False, False]
    assert provenance_of(lake, LATE)


def judge(raw: ObjectStore, lake: ObjectStore) -> None:
    rules = RulesInUse("test.dqdl", parse_ruleset('Rules = [ ColumnValues "imdb_rating" >= 8.5, RowCount > 1 ]'))
    for number in range(7):
        day = (DAY - timedelta(days=6 - number)).isoformat()
        rows = [rated.movie(HARM, "1.0"), *(rated.movie(f"Movie {n}") for n in range(40 if number == 6 else 3))]
        raw.write(f"input_data/{day}/imdb_movies_rating.csv", rated.delivery(*rows))
        assert judge_day(raw, lake, day, rules)


def publish(raw: ObjectStore, lake: ObjectStore, folder: Path) -> Publication:
    companies = f"[{{'name': {HARM!r}, 'id': 1}}, {{'name': 'Müller Film', 'id': 2}}]"
    genres = "[{'id': 1, 'name': 'Drama'}]"
    rows = [
        zips.movie(
            number,
            budget=str(number * 100),
            revenue=str(number * 300),
            popularity="1.5",
            genres=genres,
            production_companies=companies,
            release_date=f"{1990 + number}-01-01",
        )
        for number in range(1, 9)
    ]
    path = zips.zip_of(folder / "a.zip", {"movies_metadata.csv": [*rows, zips.movie("x")]})
    raw.upload(f"project-data/{DAY}/the-movies-dataset.zip", path)
    with DuckDBEngine() as engine:
        made = publish_delivery(
            engine, LogProgress(), raw=raw.uri, lake=lake.uri, day=str(DAY), max_bytes=10**9, max_ratio=200.0
        )
    return Publication.parse(made)


def measure_behavior(lake: ObjectStore) -> None:
    bought = [
        {
            "invoice_number": "1",
            "stock_code": "a",
            "detail": HARM,
            "quantity": 2,
            "invoice_date": datetime(2026, 1, 2, 9),  # noqa: DTZ001 - the shop's own time
            "unit_price": Decimal("10.500"),
            "customer_id": customer,
            "country": "EIRE",
        }
        for customer in (7, 7, 8, None)
    ]
    judged = [
        {"source": "a.csv", "record_number": n, "cid": cid, "positive_review": n == 1, "second_opinion": True}
        for n, cid in enumerate((7, 7, 9), start=1)
    ]
    for key, rows, table in (
        (purchases.stage_key(DAY), bought, USER_PURCHASE),
        (classification.stage_key(DAY), judged, MOVIE_REVIEW),
    ):
        path = lake.local_path(key) or Path(lake.uri.removeprefix("file://")) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.arrow_schema), path)
    assert build(lake, DAY).unaccounted == ()
