"""What becomes of reading purchases under each fault of the network, and that it ends."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from movie_platform.errors import WorldUnavailable
from movie_platform.pipelines.user_behavior.purchase_sources import PostgresPurchases
from movie_platform_tests.faults.proxy import Fault, Proxy, proxied
from movie_platform_tests.faults.test_s3 import MARGIN, within

CONNECT, SILENCE, READ = 2.0, 1.0, 3.0
LOGGED_IN = 800
"""Bytes that come through before the fault: enough to log in."""

TABLE: dict[tuple[Fault, int], tuple[float, str]] = {
    ("hang on connect", 0): (CONNECT, "timeout"),
    ("hang before the first byte", 0): (CONNECT, "timeout"),
    ("hang in the answer", LOGGED_IN): (SILENCE + 1, "said nothing for 1 s"),
    ("drip", LOGGED_IN): (READ + 1, "needed more than 3 s"),
    ("cut in the answer", LOGGED_IN): (SILENCE + 1, "closed the connection"),
    ("reset in the answer", LOGGED_IN): (SILENCE + 1, "could not be read"),
}
"""Each fault and after how many bytes, with the seconds after which reading has ended, and what the error says."""


@pytest.fixture
def proxy(postgres: str) -> Iterator[tuple[Proxy, str]]:
    known = conninfo_to_dict(postgres)
    host, port = str(known["host"]), int(known.get("port") or 5432)
    target = str(Path(host) / f".s.PGSQL.{port}") if host.startswith("/") else (host, port)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA retail")
        connection.execute(
            "CREATE TABLE retail.user_purchase AS SELECT lpad(n::text, 10)::varchar(10) AS invoice_number, "
            "'a'::varchar(20) AS stock_code, repeat('x', 500)::varchar(1000) AS detail, 1 AS quantity, "
            "timestamp '2026-01-01' AS invoice_date, 1::numeric(8,3) AS unit_price, 1 AS customer_id, "
            "'France'::varchar(20) AS country FROM generate_series(1, 2000) AS n"
        )
    with proxied(target, http=False) as proxy:
        yield proxy, make_conninfo(postgres, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")


def rows_of(uri: str) -> int:
    source = PostgresPurchases(uri, connect=CONNECT, silence=SILENCE, read=READ)
    return sum(batch.num_rows for batch in source.batches(None))


@pytest.mark.parametrize(("fault", "after"), TABLE)
def test_reading_under_a_fault_ends_within_its_bound_and_says_which(
    fault: Fault, after: int, proxy: tuple[Proxy, str]
) -> None:
    between, uri = proxy
    bound, says = TABLE[fault, after]
    between.strike(fault, after=after)
    with pytest.raises(WorldUnavailable, match=says):
        within(bound + MARGIN, lambda: rows_of(uri))
    between.heal()
    assert rows_of(uri) == 2000
