"""A day's purchases and classified reviews -> one row per customer who has both, and where all others went.

Each side is summed by customer before they meet: joined first, each would be multiplied by the other's number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from movie_platform.engine import Engine
from movie_platform.pipelines.user_behavior.tables import USER_BEHAVIOR_METRIC

if TYPE_CHECKING:
    import ibis.expr.types as ir

WAYS_OUT = (
    "Where the shop's purchases are of another time, MOVIE_PLATFORM_PURCHASES_DATE_SHIFT moves them, and "
    "`run behavior --full` takes all of them for the day."
)
CODE_VERSION = "2"
"""Changes when the same stages would give other rows."""

IN_METRIC = "in the metric"
WITHOUT_CUSTOMER = "purchases without a customer"
WITHOUT_REVIEWS = "purchases of customers without reviews"
WITHOUT_PURCHASES = "reviews of customers without purchases"
TOO_LARGE = "amount beyond the metric's 13 digits"

_AMOUNT = "decimal(18, 5)"
_EXACT = "decimal(38, 3)"
_FACTOR = "decimal(19, 3)"
"""Wide enough that DuckDB multiplies in 128 bits; 18 digits would overflow its 64."""
_LIMIT = 10**13


@dataclass(frozen=True)
class Fate:
    """What became of the purchases and reviews of a group of customers."""

    fate: str
    customers: int
    purchases: int
    cancellations: int
    amount: Decimal
    cancelled_amount: Decimal
    reviews: int
    positive: int


@dataclass(frozen=True)
class MetricAccount:
    """Where a day's purchases and reviews went."""

    fates: tuple[Fate, ...]

    def __getitem__(self, fate: str) -> Fate:
        nothing = Fate(fate, 0, 0, 0, Decimal(0), Decimal(0), 0, 0)
        return next((entry for entry in self.fates if entry.fate == fate), nothing)

    @property
    def purchases(self) -> int:
        return sum(fate.purchases for fate in self.fates)

    @property
    def cancellations(self) -> int:
        return sum(fate.cancellations for fate in self.fates)

    @property
    def amount(self) -> Decimal:
        return sum((fate.amount for fate in self.fates), Decimal(0))

    @property
    def cancelled_amount(self) -> Decimal:
        return sum((fate.cancelled_amount for fate in self.fates), Decimal(0))

    @property
    def reviews(self) -> int:
        return sum(fate.reviews for fate in self.fates)


def why_empty(purchases: int, reviews: int, rows: int) -> str:
    """Why a day's metric has no rows; nothing where it has some."""
    if rows:
        return ""
    if not purchases:
        return "no purchase was made on that day"
    return "nobody who bought on that day has a review" if reviews else "no review was delivered for that day"


def stage_key(day: date) -> str:
    return f"stage/user_behavior_metric/{day:%Y-%m-%d}/user_behavior_metric.parquet"


def by_customer(purchases: "ir.Table", reviews: "ir.Table") -> "ir.Table":
    """Both sides summed by customer and then joined, with nulls where a side has nothing; purchases without a customer
    are one row of their own, and `fate` says what becomes of each."""
    import ibis

    amount = (purchases.quantity.cast(_FACTOR) * purchases.unit_price.cast(_FACTOR)).cast(_EXACT)
    cancelled = purchases.invoice_number.startswith("C").fill_null(False)
    spent = purchases.group_by("customer_id").aggregate(
        purchases=purchases.count(),
        cancellations=cancelled.cast("int64").sum(),
        amount=amount.sum().cast(_EXACT).fill_null(ibis.literal(0).cast(_EXACT)),
        cancelled_amount=ibis.ifelse(cancelled, amount, ibis.null(_EXACT))
        .sum()
        .cast(_EXACT)
        .fill_null(ibis.literal(0).cast(_EXACT)),
    )
    judged = reviews.group_by("cid").aggregate(
        reviews=reviews.count(),
        positive=reviews.positive_review.cast("int64").sum(),
        # Reviews that an earlier release classified do not name their classifier.
        classifier=reviews.classifier.max() if "classifier" in reviews.columns else ibis.null("string"),
    )
    joined = spent.outer_join(judged, spent.customer_id == judged.cid)
    fate = ibis.cases(
        (joined.purchases.isnull(), WITHOUT_PURCHASES),
        (joined.customer_id.isnull(), WITHOUT_CUSTOMER),
        (joined.reviews.isnull(), WITHOUT_REVIEWS),
        (joined.amount.abs() >= ibis.literal(_LIMIT).cast(_EXACT), TOO_LARGE),
        else_=IN_METRIC,
    )
    return joined.mutate(fate=fate)


def metric(customers: "ir.Table", day: date) -> "ir.Table":
    """The metric's rows from `by_customer`, by customer."""
    import ibis

    rows = customers.filter(customers.fate == IN_METRIC)
    return (
        rows.select(
            customerid=rows.customer_id,
            amount_spent=rows.amount.cast(_AMOUNT),
            review_score=rows.positive.cast("int32"),
            review_count=rows.reviews.cast("int32"),
            insert_date=ibis.literal(day),
            classifier=rows.classifier,
        )
        .order_by("customerid")
        .select(*USER_BEHAVIOR_METRIC.column_names)
    )


def account(engine: Engine, customers: "ir.Table") -> MetricAccount:
    """The fates of all customers of `by_customer`."""
    import ibis

    fates = customers.group_by("fate").aggregate(
        customers=customers.count(),
        **{
            name: customers[name].sum().fill_null(0).cast("int64")
            for name in ("purchases", "cancellations", "reviews", "positive")
        },
        **{
            name: customers[name].sum().cast(_EXACT).fill_null(ibis.literal(0).cast(_EXACT))
            for name in ("amount", "cancelled_amount")
        },
    )
    rows = engine.to_arrow(fates.order_by("fate")).to_pylist()
    return MetricAccount(tuple(Fate(**row) for row in rows))


def unconserved(account: MetricAccount, *, purchases: int, reviews: int, amount: Decimal) -> Sequence[str]:
    """What the account does not explain of the stages' rows and their sum; nothing when all are accounted for."""
    claims = {
        "purchases": (purchases, account.purchases),
        "reviews": (reviews, account.reviews),
        "amount": (amount, account.amount),
    }
    return [
        f"{what}: {staged} staged, {found} accounted for" for what, (staged, found) in claims.items() if staged != found
    ]
