"""The purchases' source, the stages of both sources, and the metric."""

import pyarrow as pa

from movie_platform.table import Column, Table, ValueCheck

USER_PURCHASE = Table(
    name="user_purchase",
    schema="retail",
    description="One row per position of an invoice; a cancellation has an invoice that starts with C.",
    columns=(
        Column("invoice_number", pa.string(), "the invoice; C in front means a cancellation", max_bytes=10),
        Column("stock_code", pa.string(), "the article", max_bytes=20),
        Column("detail", pa.string(), "the article's name", max_bytes=1000),
        Column("quantity", pa.int32(), "pieces; negative in a cancellation"),
        Column("invoice_date", pa.timestamp("us"), "when the invoice was written, in the shop's own time"),
        Column("unit_price", pa.decimal128(8, 3), "price of one piece"),
        Column("customer_id", pa.int32(), "the customer; unknown for about a quarter of the purchases"),
        Column("country", pa.string(), "the customer's country", max_bytes=20),
    ),
    sort=("invoice_date",),
)
"""The table that purchases come from, and the rows of `stage/user_purchase/<date>/`."""

SPECTRUM_PURCHASES = USER_PURCHASE.derive("user_purchase_staging")
"""The purchases' stage as Redshift Spectrum and Athena know it, a partition a day."""

METRIC_FROM: dict[str, dict[str, tuple[str, ...]]] = {
    "user_purchases": {"customerid": ("customer_id",), "amount_spent": ("quantity", "unit_price")},
    "movie_reviews_classified": {
        "customerid": ("cid",),
        "review_score": ("positive_review",),
        "review_count": ("cid",),
        "classifier": ("classifier",),
    },
}
"""By asset and column of the metric, the columns that it is made of."""

REVIEW_COLUMNS = ("cid", "review_str")
"""The columns of a vendor's review file."""

DELIVERED = Table(
    name="movie_review_delivered",
    description="A vendor's review file as it is delivered.",
    columns=(
        Column(REVIEW_COLUMNS[0], pa.string(), "the customer who wrote it"),
        Column(REVIEW_COLUMNS[1], pa.string(), "what the customer wrote"),
    ),
)

MOVIE_REVIEW = Table(
    name="movie_review",
    schema="stage",
    description="One row per usable review of a day, classified.",
    columns=(
        Column("source", pa.string(), "the vendor's file", nullable=False),
        Column("record_number", pa.int64(), "the review's record in that file, from 1", nullable=False),
        Column("cid", pa.int32(), "the customer who wrote it", nullable=False),
        Column("positive_review", pa.bool_(), "whether the classifier in use finds it positive", nullable=False),
        Column("second_opinion", pa.bool_(), "whether the other classifier finds it positive", nullable=False),
        Column("score", pa.float64(), "how positive the classifier in use finds it, 0 to 1; positive from 0.5 on"),
        Column("classifier", pa.string(), "the classifier in use, with its version"),
    ),
    key=("source", "record_number"),
)
"""The rows of `stage/movie_review/<date>/`."""

SPECTRUM_REVIEWS = MOVIE_REVIEW.derive("classified_movie_review")
"""The reviews' stage as Redshift Spectrum and Athena know it, a partition a day."""

CLASSIFIED_FROM: dict[str, tuple[str, ...]] = {
    "cid": REVIEW_COLUMNS[:1],
    **dict.fromkeys(("positive_review", "second_opinion", "score"), REVIEW_COLUMNS[1:]),
}
"""Of each column of a classified review those of the vendor's file that it is made of."""

REJECT = Table(
    name="reject",
    description="A record that a load left out, and why.",
    columns=(
        Column("source", pa.string(), "the file or table that the record came from", nullable=False),
        Column("record", pa.int64(), "the number of the record in it, from 1; null for a sum over several records"),
        Column("rule", pa.string(), "the rule that it breaks", nullable=False),
        Column("reason", pa.string(), "what is wrong with it", nullable=False),
        Column("raw", pa.string(), "the record as it was delivered"),
    ),
)

USER_BEHAVIOR_METRIC = Table(
    name="user_behavior_metric",
    description=(
        "What each customer spent on a day and how many of their reviews of that day are positive. Only customers who "
        "have both appear; cancellations count negative."
    ),
    columns=(
        Column("customerid", pa.int32(), "the customer", nullable=False),
        Column("amount_spent", pa.decimal128(18, 5), "sum of quantity times unit price", nullable=False),
        Column(
            "review_score",
            pa.int32(),
            "number of positive reviews",
            nullable=False,
            checks=(ValueCheck("review_score_not_negative", "greater_than_or_equal_to", (0,)),),
        ),
        Column("review_count", pa.int32(), "number of reviews", nullable=False),
        Column("insert_date", pa.date32(), "the day that the row is about", nullable=False),
        Column("classifier", pa.string(), "the classifier that judged the reviews, with its version", max_bytes=256),
    ),
    key=("insert_date", "customerid"),
    partition="insert_date",
    sort=("insert_date",),
)
