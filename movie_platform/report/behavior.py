"""What customers spend and how they review, day by day, from the staged metric."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow.compute as pc

from movie_platform.deliveries.days import is_day
from movie_platform.lake.parquet import read_parquet
from movie_platform.pipelines.user_behavior.metric import stage_key
from movie_platform.pipelines.user_behavior.outcome import outcome_of
from movie_platform.report.markup import Markup, csv_link, joined, note, table, tag
from movie_platform.report.section import Section, chart_place, line_chart
from movie_platform.report.sources import Inputs

DAYS = 90
CUSTOMERS = 10
EMPTY = 5
FOLDER = "stage/user_behavior_metric/"
COLUMNS = ("day", "customers", "amount spent", "reviews", "positive reviews", "share positive")


def metric_days(inputs: Inputs) -> list[str]:
    return sorted(filter(is_day, inputs.lake.folders(FOLDER)))[-DAYS:]


def behavior_section(inputs: Inputs) -> Section:
    days = metric_days(inputs)
    found = [row for row in inputs.each(lambda day: _summed(inputs, day), days) if row]
    if not found:
        return Section("Behavior", note("No day's metric was made yet."))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    amounts = line_chart(rows, "amount spent", named=("customers",))
    reviewed = [row for row in rows if row["share positive"] is not None]
    shares = line_chart(reviewed, "share positive", named=("reviews",))
    shares["encoding"]["y"] |= {"scale": {"domain": [0, 1]}, "axis": {"format": ".0%", "tickCount": 5}}
    body = [
        note("Customers who bought and reviewed on a day. Cancellations count negative."),
        *_why_empty(inputs, [str(row[0]) for row in reversed(found) if not row[1]][:EMPTY]),
        tag(
            "div",
            tag("div", tag("h3", "Amount spent"), chart_place("chart-spent", "Amount spent per day")),
            tag("div", tag("h3", "Share of positive reviews"), chart_place("chart-positive", "Positive reviews")),
            class_="pair",
        ),
        table(COLUMNS, [(*row[:5], f"{row[5]:.0%}" if row[5] is not None else "-") for row in reversed(found[-14:])]),
        tag("p", csv_link("user_behavior_by_day", COLUMNS, found), class_="note"),
        _customers(inputs, found),
    ]
    return Section("Behavior", joined(body), {"chart-spent": amounts, "chart-positive": shares})


def _summed(inputs: Inputs, day: str) -> tuple[Any, ...] | None:
    rows = read_parquet(inputs.lake, stage_key(date.fromisoformat(day)))
    if rows is None:  # it is being made anew
        return None
    reviews, positive = (int(pc.sum(rows[name]).as_py() or 0) for name in ("review_count", "review_score"))
    amount = round(float(pc.sum(rows["amount_spent"]).as_py() or 0), 2)
    return day, rows.num_rows, amount, reviews, positive, round(positive / reviews, 4) if reviews else None


def _why_empty(inputs: Inputs, days: list[str]) -> Iterator[Markup]:
    """Why nobody is counted on a day, for the newest such days."""
    for day in days:
        if why := outcome_of(inputs.lake, date.fromisoformat(day)).reason:
            yield note(f"{day}: 0 rows in the metric: {why}.")


def _customers(inputs: Inputs, found: list[tuple[Any, ...]]) -> Any:
    day = next((str(row[0]) for row in reversed(found) if row[1]), "")
    rows = read_parquet(inputs.lake, stage_key(date.fromisoformat(day))) if day else None
    if rows is None:
        return note("On none of these days anybody bought and reviewed.")
    largest = rows.sort_by([("amount_spent", "descending"), ("customerid", "ascending")]).slice(0, CUSTOMERS)
    listed = [
        (str(row["customerid"]), float(row["amount_spent"]), row["review_count"], row["review_score"])
        for row in largest.to_pylist()
    ]
    heading = tag("h3", f"Customers who spent most on {day}")
    return joined([heading, table(("customer", "amount spent", "reviews", "positive reviews"), listed)])
