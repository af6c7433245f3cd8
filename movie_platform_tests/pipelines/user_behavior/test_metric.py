"""The metric sums each side by itself, and every purchase and review has a fate."""

import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movie_platform.engine import Engine
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.pipelines.user_behavior import metric
from movie_platform.pipelines.user_behavior.metric import (
    IN_METRIC,
    TOO_LARGE,
    WITHOUT_CUSTOMER,
    WITHOUT_PURCHASES,
    WITHOUT_REVIEWS,
    MetricAccount,
)
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC, USER_PURCHASE
from movie_platform_tests.pipelines.user_behavior.conftest import DAY


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with DuckDBEngine() as engine:
        yield engine


def purchase(customer: int | None, quantity: int | None, price: str | None, invoice: str = "536365") -> dict[str, Any]:
    return {
        "invoice_number": invoice,
        "stock_code": "85123A",
        "detail": "film",
        "quantity": quantity,
        "invoice_date": dt.datetime.combine(DAY, dt.time(10)),
        "unit_price": None if price is None else Decimal(price),
        "customer_id": customer,
        "country": "EIRE",
    }


def review(customer: int, *, positive: bool) -> dict[str, Any]:
    return {
        "source": "movie_review.csv",
        "record_number": 1,
        "cid": customer,
        "positive_review": positive,
        "second_opinion": positive,
    }


def compute(
    engine: Engine, purchases: list[dict[str, Any]], reviews: list[dict[str, Any]]
) -> tuple[pa.Table, MetricAccount]:
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / "purchases.parquet", Path(name) / "reviews.parquet"]
        pq.write_table(pa.Table.from_pylist(purchases, USER_PURCHASE.arrow_schema), paths[0])
        pq.write_table(pa.Table.from_pylist(reviews, MOVIE_REVIEW.arrow_schema), paths[1])
        sides = (engine.parquet(path.stem, [path]).table for path in paths)
        customers = engine.stage("customers", metric.by_customer(*sides)).table
    account = metric.account(engine, customers)
    amount = sum((p["quantity"] or 0) * (p["unit_price"] or Decimal(0)) for p in purchases)
    assert not metric.unconserved(account, purchases=len(purchases), reviews=len(reviews), amount=Decimal(amount))
    return engine.to_arrow(metric.metric(customers, DAY)), account


def test_each_side_is_summed_before_the_join(engine: Engine) -> None:
    rows, _ = compute(
        engine,
        [purchase(7, 2, "2.500"), purchase(7, 1, "0.125"), purchase(7, 3, "1")],
        [review(7, positive=True), review(7, positive=True), review(7, positive=False), review(7, positive=False)],
    )
    assert rows.to_pylist() == [
        {
            "customerid": 7,
            "amount_spent": Decimal("8.12500"),
            "review_score": 2,
            "review_count": 4,
            "insert_date": DAY,
            "classifier": None,
        }
    ]
    assert rows.cast(USER_BEHAVIOR_METRIC.arrow_schema).num_rows == 1


def test_only_customers_with_both_appear_and_the_others_are_counted(engine: Engine) -> None:
    rows, account = compute(
        engine,
        [purchase(1, 1, "1"), purchase(2, 2, "1"), purchase(None, 4, "1"), purchase(None, 8, "1")],
        [review(1, positive=True), review(3, positive=True), review(3, positive=False)],
    )
    assert rows["customerid"].to_pylist() == [1]
    assert (account[IN_METRIC].purchases, account[IN_METRIC].reviews) == (1, 1)
    assert (account[WITHOUT_REVIEWS].customers, account[WITHOUT_REVIEWS].amount) == (1, Decimal(2))
    assert (account[WITHOUT_CUSTOMER].purchases, account[WITHOUT_CUSTOMER].amount) == (2, Decimal(12))
    assert (account[WITHOUT_PURCHASES].customers, account[WITHOUT_PURCHASES].reviews) == (1, 2)


def test_cancellations_count_negative_and_are_shown(engine: Engine) -> None:
    rows, account = compute(
        engine, [purchase(1, 3, "10"), purchase(1, -1, "10", "C536366")], [review(1, positive=True)]
    )
    assert rows["amount_spent"].to_pylist() == [Decimal(20)]
    assert (account.cancellations, account.cancelled_amount) == (1, Decimal(-10))


def test_thousandths_are_never_rounded(engine: Engine) -> None:
    rows, _ = compute(engine, [purchase(1, 1, "0.001")] * 999, [review(1, positive=True)])
    assert rows["amount_spent"].to_pylist() == [Decimal("0.99900")]


def test_a_purchase_without_quantity_or_price_spends_nothing(engine: Engine) -> None:
    rows, account = compute(
        engine, [purchase(1, None, "5"), purchase(1, 5, None), purchase(2, None, None)], [review(1, positive=True)]
    )
    assert rows["amount_spent"].to_pylist() == [Decimal(0)]
    assert account[WITHOUT_REVIEWS].amount == 0


def test_an_amount_that_the_metric_cannot_hold_is_kept_out_and_shown(engine: Engine) -> None:
    rows, account = compute(
        engine,
        [purchase(1, 2**31 - 1, "99999.999"), purchase(2, 1, "1")],
        [review(1, positive=True), review(2, positive=True)],
    )
    assert rows["customerid"].to_pylist() == [2]
    assert account[TOO_LARGE].customers == 1


@pytest.mark.parametrize(
    ("purchases", "reviews"), [([], []), ([purchase(1, 1, "1")], []), ([], [review(1, positive=True)])]
)
def test_a_day_without_one_side_is_a_metric_of_none(engine: Engine, purchases: Any, reviews: Any) -> None:
    rows, account = compute(engine, purchases, reviews)
    assert rows.num_rows == 0
    assert rows.schema.names == list(USER_BEHAVIOR_METRIC.column_names)
    assert account.purchases == len(purchases)


def test_what_is_missing_from_the_account_is_told(engine: Engine) -> None:
    _, account = compute(engine, [purchase(1, 1, "1")], [])
    assert metric.unconserved(account, purchases=2, reviews=0, amount=Decimal(3)) == [
        "purchases: 2 staged, 1 accounted for",
        "amount: 3 staged, 1.000 accounted for",
    ]
