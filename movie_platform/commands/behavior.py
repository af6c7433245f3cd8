"""User behavior in the terminal: play shop and vendor, run days."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
import pyarrow as pa
import pyarrow.csv

from movie_platform.commands.bars import TerminalProgress
from movie_platform.commands.options import json_option
from movie_platform.commands.ranges import (
    DAY,
    check_range,
    days_to_deliver,
    run_range,
    show_rejected,
    store_to_deliver_to,
    yes_option,
)
from movie_platform.commands.terminal import force_option, out, safe
from movie_platform.lake import open_store
from movie_platform.pipelines.user_behavior.outcome import outcome_of
from movie_platform.pipelines.user_behavior.source import SOURCE
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.settings import Settings, load_settings
from movie_platform.sql_names import quoted

RECLASSIFIED = ("movie_reviews_classified", "user_behavior_metric")
REVIEW_FILE = "movie_review.csv"


@click.command("behavior")
@click.option("--days", "count", type=click.IntRange(1), default=3, show_default=True, help="How many days.")
@click.option("--start", type=DAY, metavar="DATE", help="The first day; by default the days end today.")
@click.option("--purchases", type=click.IntRange(0), default=1_800, show_default=True, help="Purchases in a day.")
@click.option("--reviews", type=click.IntRange(0), default=300, show_default=True, help="Reviews in a day.")
@click.option(
    "--defects", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Share of broken reviews."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another shop.")
@yes_option
def simulate_behavior(
    count: int, start: date | None, purchases: int, reviews: int, defects: float, seed: int, yes: bool
) -> None:
    """Play the shop and the vendor: purchases into the shop's database, and a file of reviews a day to the raw side."""
    settings = load_settings()
    raw = store_to_deliver_to(settings, SOURCE, yes=yes)
    if not yes and settings.purchases != "warehouse":
        raise click.UsageError("purchases would go into a PostgreSQL; add --yes to deliver there all the same")
    days = days_to_deliver(count, start, settings.behavior_start)
    deliver_days(settings, days, purchases=purchases, reviews=reviews, defects=defects, seed=seed)
    out.print(safe(f"{len(days)} days delivered, {days[0]} to {days[-1]}: reviews to {raw.uri}/{SOURCE.prefix}"))


def deliver_days(
    settings: Settings,
    days: Sequence[date],
    *,
    purchases: int = 1_800,
    reviews: int = 300,
    defects: float = 0.01,
    seed: int = 0,
) -> None:
    """Deliver each day; what was delivered for it before is replaced."""
    from movie_platform.samples import user_behavior as samples

    raw = open_store(settings.source_uri("behavior"), settings.s3_waits)
    with _shop(settings) as shop:
        for day in TerminalProgress().track(days, len(days), "delivering"):
            shop.replace(day, pa.Table.from_batches(samples.purchases(day, purchases, seed=seed), shop.schema))
            file = samples.reviews(day, reviews, seed=seed, defects=defects)
            raw.write(f"{SOURCE.prefix}{day.isoformat()}/{REVIEW_FILE}", file.content)


@click.command("behavior")
@click.option("--from", "first", required=True, type=DAY, metavar="DATE", help="First day.")
@click.option("--to", "last", required=True, type=DAY, metavar="DATE", help="Last day, included.")
@click.option("--full", is_flag=True, help="Stage all purchases under each day, not only those of the day.")
@click.option(
    "--reclassify",
    is_flag=True,
    help="Only classify again, and build the metric of, days whose reviews another classifier or version judged.",
)
@force_option
@json_option
def run_behavior(first: date, last: date, full: bool, reclassify: bool, force: bool) -> None:
    """Stage purchases, classify reviews and build the metric of every day of the range.

    Ends with 0 when every day was built or refused for its own data's reasons, with 1 when something of the platform
    failed.
    """
    settings = load_settings()
    begin, end = check_range(SOURCE, settings, first.isoformat(), last.isoformat())
    days = date.fromisoformat(begin), date.fromisoformat(end)
    if not run_days(settings, *days, full=full, reclassify=reclassify, force=force):
        raise SystemExit(1)


def run_days(
    settings: Settings, first: date, last: date, *, full: bool = False, reclassify: bool = False, force: bool = False
) -> bool:
    """Run every day from the first to the last, up to today; whether nothing of the platform failed."""
    from movie_platform.pipelines.user_behavior.assets import FULL
    from movie_platform.pipelines.user_behavior.classification import outdated
    from movie_platform.warehouse import FORCE

    end = min(last, datetime.now(UTC).date())
    days = [(first + timedelta(days=number)).isoformat() for number in range((end - first).days + 1)]
    if not days:
        out.print(safe(f"No day from {first} to {last} has come yet."))
        return True
    lake = open_store(settings.lake_uri, settings.s3_waits)
    if reclassify:
        on = [date.fromisoformat(day) for day in days]
        days = [day.isoformat() for day in outdated(lake, on, settings.review_classifier)]
        if not days:
            out.print(safe(f"No staged review from {first} to {end} was judged by another classifier."))
            return True
    assets = RECLASSIFIED if reclassify else SOURCE.assets
    raw = open_store(settings.source_uri("behavior"), settings.s3_waits)
    listing = SOURCE.shape.listing(raw, SOURCE.start(settings), datetime.now(UTC))
    show_rejected(SOURCE, settings, listing.rejected_keys, listing.rejected)
    delivered = [listing.deliveries[day] for day in days if day in listing.deliveries]
    tags = {FULL: full, FORCE: force}

    def described(partitions: Sequence[str]) -> dict[str, Any]:
        came = outcome_of(lake, date.fromisoformat(partitions[0]))
        return {"rows": came.metric, "purchases": came.purchases, "reviews": came.reviews, "reason": came.reason}

    ok = run_range(
        settings,
        SOURCE,
        [[day] for day in days],
        delivered,
        selection=lambda _days: assets,
        tags=tags,
        described=described,
    )
    for day in days:
        out.print(safe(outcome_of(lake, date.fromisoformat(day)).sentence(full=full)))
    out.print(safe(f"Days gone through: {len(days)}, {days[0]} to {days[-1]}"))
    return ok


class _Shop(ABC):
    """The purchases' table, made where it is missing."""

    schema = USER_PURCHASE.arrow_schema

    def __init__(self, connection: Any, relation: str) -> None:
        self._connection = connection
        schema, _, table = relation.rpartition(".")
        self._relation = f"{quoted(schema)}.{quoted(table)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in _TYPES.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self._relation} ({columns})")

    def _forget(self, day: date, parameter: str) -> None:
        of_day = f"invoice_date >= {parameter} AND invoice_date < {parameter}"
        self._connection.execute(f"DELETE FROM {self._relation} WHERE {of_day}", [day, day + timedelta(days=1)])  # noqa: S608

    @abstractmethod
    def replace(self, day: date, rows: pa.Table) -> None:
        """Make the day have exactly these purchases."""


class _EmbeddedShop(_Shop):
    def replace(self, day: date, rows: pa.Table) -> None:
        self._forget(day, "?")
        self._connection.register("delivered_purchases", rows)
        self._connection.execute(f"INSERT INTO {self._relation} SELECT * FROM delivered_purchases")  # noqa: S608
        self._connection.unregister("delivered_purchases")


class _PostgresShop(_Shop):
    def replace(self, day: date, rows: pa.Table) -> None:
        self._forget(day, "%s")
        text = pa.BufferOutputStream()
        pyarrow.csv.write_csv(rows, text, pyarrow.csv.WriteOptions(include_header=False))
        with self._connection.cursor().copy(f"COPY {self._relation} FROM STDIN (FORMAT csv)") as copy:
            copy.write(text.getvalue().to_pybytes())


_TYPES = {
    "invoice_number": "varchar(10)",
    "stock_code": "varchar(20)",
    "detail": "varchar(1000)",
    "quantity": "int",
    "invoice_date": "timestamp",
    "unit_price": "numeric(8, 3)",
    "customer_id": "int",
    "country": "varchar(20)",
}


def _shop(settings: Settings) -> AbstractContextManager[_Shop]:
    return _embedded(settings) if settings.purchases == "warehouse" else _postgres(settings)


@contextmanager
def _embedded(settings: Settings) -> Iterator[_Shop]:
    from movie_platform.warehouse.address import duckdb_path
    from movie_platform.warehouse.duckdb.connection import connected
    from movie_platform.warehouse.duckdb.lock import Deadline

    path = duckdb_path(settings.warehouse)
    with connected(path, "delivering purchases", Deadline.after(settings.warehouse_wait)) as connection:
        yield _EmbeddedShop(connection.inner, settings.purchases_table)


@contextmanager
def _postgres(settings: Settings) -> Iterator[_Shop]:
    import psycopg

    password = settings.purchases_password.get_secret_value() if settings.purchases_password else None
    with psycopg.connect(settings.purchases, password=password) as connection:
        yield _PostgresShop(connection, settings.purchases_table)
