"""User behavior as Dagster runs it: a day's metric serves, and every purchase and review has its place."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import psycopg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from movie_platform.commands.behavior import deliver_days, run_days
from movie_platform.commands.main import cli
from movie_platform.definitions import build_defs
from movie_platform.deliveries import manifests
from movie_platform.lake import open_store
from movie_platform.orchestration.runs import RunOutcome, run_partitions
from movie_platform.pipelines.user_behavior.source import SOURCE
from movie_platform.pipelines.user_behavior.tables import USER_BEHAVIOR_METRIC
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform_tests.pipelines.user_behavior.conftest import DAY, NEXT_DAY, fill


class Platform:
    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {
            "raw_uri": (folder / "raw").as_uri(),
            "lake_uri": (folder / "lake").as_uri(),
            "warehouse": f"duckdb:///{folder}/warehouse.duckdb",
            "dagster_home": folder / "dagster",
            "review_classifier": "token",  # whoever reads a test sees at once what it says
            **settings,
        }
        self.settings: Settings = load_settings(**given)
        self.raw = open_store(self.settings.source_uri("behavior"))
        self.lake = open_store(self.settings.lake_uri)
        self.definitions = build_defs(self.settings)
        self.instance = dg.DagsterInstance.ephemeral()

    def review(self, content: str, day: date = DAY, name: str = "movie_review.csv") -> None:
        self.raw.write(f"movie_review/{day}/{name}", content.encode())

    def run(self, day: date = DAY, *assets: str, **tags: str) -> RunOutcome:
        return run_partitions(self.definitions, assets or SOURCE.assets, [day.isoformat()], self.instance, tags=tags)

    def rows(self) -> list[dict[str, Any]]:
        question = "SELECT * FROM user_behavior_metric ORDER BY insert_date, customerid"
        return list(open_warehouse(self.settings).query(question).to_pylist())

    def metadata(self, asset: str) -> dict[str, Any]:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}

    def checks(self, run_id: str) -> Mapping[str, tuple[bool, str]]:
        kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION}
        logged = self.instance.all_logs(run_id, of_type=kinds)
        found = (entry.get_dagster_event().asset_check_evaluation_data for entry in logged)
        return {f"{e.asset_key.to_user_string()}.{e.check_name}": (e.passed, e.description or "") for e in found}


@pytest.fixture
def platform(tmp_path: Path, shop: str) -> Platform:
    return Platform(tmp_path, purchases=shop)


def buy(shop: str, *rows: tuple[str, int, str, int | None], day: date = DAY) -> None:
    with psycopg.connect(shop) as connection:
        for invoice, quantity, price, customer in rows:
            connection.execute(
                "INSERT INTO retail.user_purchase VALUES (%s, 's', 'd', %s, %s, %s, %s, 'EIRE')",
                [invoice, quantity, day, Decimal(price), customer],
            )


def test_a_day_of_purchases_and_reviews_becomes_its_metric(platform: Platform, shop: str) -> None:
    buy(shop, ("1", 2, "2.500", 7), ("1", 1, "0.125", 7), ("C2", -1, "0.125", 7), ("3", 1, "9", None), ("4", 1, "1", 8))
    platform.review('cid,review_str\n7,good\n7,"not\nso great"\n9,awful\nx,y\n')
    outcome = platform.run()
    assert outcome.succeeded, outcome.message
    assert platform.rows() == [
        {
            "customerid": 7,
            "amount_spent": Decimal("5.00000"),
            "review_score": 1,
            "review_count": 2,
            "insert_date": DAY,
            "classifier": "token 1",
        }
    ]
    checks = platform.checks(outcome.run_id)
    assert {name for name, (passed, _) in checks.items() if not passed} == {"movie_reviews_classified.records_readable"}
    told = checks["user_behavior_metric.purchases_conserved"][1]
    assert told.startswith("5 purchases = ")
    assert "1 purchases without a customer" in told
    assert "1 purchases of customers without reviews" in told
    assert "1 reviews of customers without purchases" in checks["user_behavior_metric.reviews_conserved"][1]
    assert checks["user_behavior_metric.amounts_reconcile"][1].startswith("15.000 = ")
    assert len([name for name in checks if name.startswith("user_behavior_metric.")]) == 11

    purchases = platform.metadata("user_purchases")
    assert (purchases["cancellations"], purchases["cancelled amount"]) == (1, "-0.125")
    classified = platform.metadata("movie_reviews_classified")
    assert classified["share of positives"] == 0.3333
    assert classified["agreement of both classifiers"] == 1.0
    assert platform.lake.read(f"raw/movie_review/{DAY}/movie_review.csv").endswith(b"x,y\n")


def test_a_day_is_replaced_and_the_other_days_stay(platform: Platform, shop: str) -> None:
    for day in (DAY, NEXT_DAY):
        buy(shop, ("1", 1, "1", 7), day=day)
        platform.review("cid,review_str\n7,good\n", day)
        assert platform.run(day).succeeded
    buy(shop, ("2", 2, "1", 7), ("2", 5, "1", 8))
    platform.review("cid,review_str\n8,bad\n")
    assert platform.run().succeeded
    assert [(row["insert_date"], row["customerid"], row["amount_spent"]) for row in platform.rows()] == [
        (DAY, 8, 5),
        (NEXT_DAY, 7, 1),
    ]
    again = platform.run()
    assert again.succeeded
    assert platform.metadata("user_behavior_metric")["load"] == "skipped"


def test_a_day_without_reviews_is_a_metric_of_none(platform: Platform, shop: str) -> None:
    buy(shop, ("1", 1, "1", 7))
    outcome = platform.run()
    assert outcome.succeeded
    assert platform.rows() == []
    checks = platform.checks(outcome.run_id)
    assert checks["movie_reviews_raw.files_delivered"] == (False, "0 files")
    assert checks["user_behavior_metric.metric_has_rows"] == (
        False,
        "0 rows in the metric: no review was delivered for that day",
    )
    empty = {"movie_reviews_raw.files_delivered", "user_behavior_metric.metric_has_rows"}
    assert {name for name, (passed, _) in checks.items() if not passed} == empty


def test_purchases_without_a_date_are_accounted_for(platform: Platform, shop: str) -> None:
    buy(shop, ("1", 1, "1", 7))
    with psycopg.connect(shop) as connection:
        connection.execute("INSERT INTO retail.user_purchase (invoice_number, quantity) VALUES ('9', 1), ('10', 1)")
    checks = platform.checks(platform.run(DAY, "user_purchases").run_id)
    said = "2 purchases of the shop have no invoice date and are in no day"
    assert checks["user_purchases.dates_known"] == (False, said)
    all_of_them = platform.checks(platform.run(DAY, "user_purchases", **{"movie_platform/full": "true"}).run_id)
    assert all_of_them["user_purchases.dates_known"] == (True, "all of them")


def test_an_empty_metric_is_explained_in_the_terminal_with_the_ways_out(
    tmp_path: Path, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The source's purchases are of 2010, its reviews are not."""
    long_ago = date(2010, 12, 1)
    buy(shop, ("1", 3, "1", 7), day=long_ago)
    without = Platform(tmp_path / "as they are", purchases=shop)
    without.review("cid,review_str\n7,good\n")
    assert run_days(without.settings, DAY, DAY)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{DAY}: 0 rows in the metric: no purchase was made on that day" in said
    assert "MOVIE_PLATFORM_PURCHASES_DATE_SHIFT" in said
    assert "--full" in said
    shifted = Platform(tmp_path / "shifted", purchases=shop, purchases_date_shift=DAY - long_ago)
    shifted.review("cid,review_str\n7,good\n8,bad\n")
    assert run_days(shifted.settings, DAY, DAY)
    assert f"{DAY}: 1 row in the metric" in capsys.readouterr().out
    assert [(row["insert_date"], row["amount_spent"]) for row in shifted.rows()] == [(DAY, 3)]
    buy(shop, ("2", 1, "1", 9), day=long_ago + timedelta(days=1))
    shifted.review("cid,review_str\n7,good\n", NEXT_DAY)
    assert run_days(shifted.settings, NEXT_DAY, NEXT_DAY)
    said = capsys.readouterr().out
    assert f"{NEXT_DAY}: 0 rows in the metric: nobody who bought on that day has a review" in said


def test_reviews_that_go_away_change_nothing(platform: Platform, shop: str) -> None:
    buy(shop, ("1", 1, "1", 7))
    platform.review("cid,review_str\n7,good\n")
    platform.run()
    rows = platform.rows()
    assert len(rows) == 1
    platform.raw.delete([f"movie_review/{DAY}/movie_review.csv"])
    assert platform.run().succeeded
    assert platform.rows() == rows
    assert platform.lake.read(f"raw/movie_review/{DAY}/movie_review.csv") == b"cid,review_str\n7,good\n"


def test_each_other_content_of_reviews_or_purchases_takes_the_next_sequence(platform: Platform, shop: str) -> None:
    def sequence() -> int:
        assert platform.run().succeeded
        return manifests.sequence_of(open_warehouse(platform.settings).ledger(USER_BEHAVIOR_METRIC)[-1].version)

    buy(shop, ("1", 1, "1", 7))
    sequences = []
    for text in ("good", "good", "bad", "good"):
        platform.review(f"cid,review_str\n7,{text}\n")
        sequences.append(sequence())
    buy(shop, ("2", 1, "1", 7))
    sequences.append(sequence())
    assert sequences == [2, 2, 3, 4, 5]
    assert [(row["amount_spent"], row["review_score"]) for row in platform.rows()] == [(2, 1)]


def test_an_undated_file_that_is_overwritten_the_next_day_leaves_the_day_what_it_had(
    platform: Platform, shop: str
) -> None:
    def deliver(content: bytes, day: date) -> None:
        platform.raw.write("movie_review/movie_review.csv", content)
        path = platform.raw.local_path("movie_review/movie_review.csv")
        assert path is not None
        noon = datetime.combine(day, time(12), UTC).timestamp()
        os.utime(path, (noon, noon))

    buy(shop, ("1", 1, "1", 7))
    deliver(b"cid,review_str\n7,good\n", DAY)
    platform.run()
    rows = platform.rows()
    assert len(rows) == 1
    deliver(b"cid,review_str\n8,bad\n", DAY + timedelta(days=1))
    assert platform.run().succeeded
    assert platform.rows() == rows
    assert platform.lake.read(f"raw/movie_review/{DAY}/movie_review.csv") == b"cid,review_str\n7,good\n"


def test_a_source_that_changed_its_columns_fails_the_day_and_says_so(platform: Platform, shop: str) -> None:
    platform.review("cid,review_str\n7,good\n")
    with psycopg.connect(shop) as connection:
        connection.execute("ALTER TABLE retail.user_purchase DROP COLUMN customer_id")
    outcome = platform.run()
    assert not outcome.succeeded
    assert not outcome.platform_fault
    assert "has no column 'customer_id'" in outcome.message


def test_a_review_file_without_its_columns_fails_the_day_for_its_own_reasons(platform: Platform, shop: str) -> None:
    buy(shop, ("1", 1, "1", 7))
    platform.review("customer,text\n7,good\n")
    outcome = platform.run()
    assert (outcome.succeeded, outcome.platform_fault) == (False, False)
    assert "has no column 'cid'" in outcome.message


def test_full_stages_all_purchases_under_the_day(platform: Platform, shop: str) -> None:
    fill(shop, DAY, 50)
    fill(shop, NEXT_DAY, 30)
    assert platform.run(NEXT_DAY, "user_purchases", **{"movie_platform/full": "true"}).succeeded
    with platform.lake.open(f"stage/user_purchase/{NEXT_DAY}/user_purchase.parquet") as file:
        assert pq.read_metadata(file).num_rows == 80


def test_the_lexicon_counts_where_the_setting_says_so(tmp_path: Path, shop: str) -> None:
    platform = Platform(tmp_path, purchases=shop, review_classifier="lexicon")
    buy(shop, ("1", 1, "1", 7))
    platform.review("cid,review_str\n7,not good\n7,wonderful\n7,this is not good at all\n")
    assert platform.run().succeeded
    assert platform.rows()[0]["review_score"] == 1


def test_both_stages_are_partitions_of_spectrum_where_a_catalog_is_named(
    tmp_path: Path, shop: str, bucket: str
) -> None:
    platform = Platform(tmp_path, purchases=shop, lake_uri=bucket, catalog_database="spectrum")
    buy(shop, ("1", 1, "1", 7))
    platform.review("cid,review_str\n7,good\n")
    for _ in range(2):
        assert platform.run().succeeded
    glue = boto3.client("glue")
    for table, folder in (("user_purchase_staging", "user_purchase"), ("classified_movie_review", "movie_review")):
        (partition,) = glue.get_partitions(DatabaseName="spectrum", TableName=table)["Partitions"]
        assert partition["Values"] == [DAY.isoformat()]
        assert partition["StorageDescriptor"]["Location"] == f"{bucket}/stage/{folder}/{DAY}/"
    assert len(platform.rows()) == 1


def test_the_sensor_sees_new_and_replaced_reviews_once(platform: Platform) -> None:
    def tick(cursor: str | None) -> Any:
        repository = platform.definitions.get_repository_def()
        with dg.build_sensor_context(
            instance=platform.instance,
            cursor=cursor,
            repository_def=repository,
            resources={"raw_behavior": platform.raw, "lake": platform.lake},
        ) as context:
            return repository.get_sensor_def("movie_review_arrivals").evaluate_tick(context)

    platform.review("cid,review_str\n7,good\n")
    platform.review("cid,review_str\n7,good\n", date(2025, 12, 31))
    platform.review("cid,review_str\n7,good\n", date(2999, 1, 1))
    platform.raw.write("movie_review/notes.txt", b"not a review")
    first = tick(None)
    assert [request.partition_key for request in first.run_requests] == [DAY.isoformat()]
    assert tick(first.cursor).run_requests == []
    platform.review("cid,review_str\n8,bad\n")
    third = tick(first.cursor)
    assert [request.partition_key for request in third.run_requests] == [DAY.isoformat()]
    assert third.run_requests[0].run_key != first.run_requests[0].run_key


def test_the_schedule_runs_the_day_that_is_over(platform: Platform) -> None:
    schedule = platform.definitions.get_repository_def().get_schedule_def("user_behavior_nightly")
    for now, asked in (("2026-01-06T00:30", [DAY.isoformat()]), ("2026-01-01T00:30", [])):
        context = dg.build_schedule_context(
            instance=platform.instance,
            scheduled_execution_time=datetime.fromisoformat(now).replace(tzinfo=UTC),
            repository_def=platform.definitions.get_repository_def(),
        )
        requests = schedule.evaluate_tick(context).run_requests
        assert [request.partition_key for request in requests or []] == asked


def test_days_are_backfilled_and_done_again_without_change(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    first = date(2026, 1, 1)
    last = first + timedelta(days=1)
    days = [first + timedelta(days=n) for n in range(2)]
    deliver_days(platform.settings, days, purchases=300, reviews=60)
    assert run_days(platform.settings, first, last)
    rows = platform.rows()
    assert {row["insert_date"] for row in rows} == set(days)
    deliver_days(platform.settings, days, purchases=300, reviews=60)
    assert run_days(platform.settings, first, last)
    assert platform.rows() == rows


def test_the_terminal_plays_shop_and_vendor_and_refuses_to_do_so_far_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: str
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", (tmp_path / "raw").as_uri())
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", f"duckdb:///{tmp_path}/warehouse.duckdb")
    simulate = ["simulate", "behavior", "--days", "2", "--start", "2026-01-05", "--purchases", "40", "--reviews", "9"]
    told = CliRunner().invoke(cli, simulate)
    assert told.exit_code == 0, told.output
    assert "2 days delivered, 2026-01-05 to 2026-01-06" in told.output
    monkeypatch.setenv("MOVIE_PLATFORM_PURCHASES", shop)
    assert CliRunner().invoke(cli, simulate).exit_code == 2
    for _ in range(2):
        assert CliRunner().invoke(cli, [*simulate, "--yes"]).exit_code == 0
    with psycopg.connect(shop) as connection:
        assert connection.execute("SELECT count(*) FROM retail.user_purchase").fetchone() == (80,)
    wrong = CliRunner().invoke(cli, ["run", "behavior", "--from", "2026-01-06", "--to", "2026-01-05"])
    assert (wrong.exit_code, "is after --to" in wrong.output) == (2, True)
