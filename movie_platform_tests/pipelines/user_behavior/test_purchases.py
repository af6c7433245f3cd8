"""Purchases come from a real PostgreSQL, whole or not at all, and say what is wrong with their source."""

import hashlib
import os
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from movie_platform.deliveries import receipts
from movie_platform.errors import InputRefused, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.user_behavior.archive import PURCHASES, standings
from movie_platform.pipelines.user_behavior.purchase_sources import (
    EmbeddedPurchases,
    PostgresPurchases,
    purchase_source,
)
from movie_platform.pipelines.user_behavior.purchases import Extract, extract, stage_key
from movie_platform.pipelines.user_behavior.source import SOURCE
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.samples import user_behavior as samples
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse.duckdb.connection import connected
from movie_platform.warehouse.duckdb.lock import Deadline
from movie_platform_tests.pipelines.user_behavior.conftest import (
    DAY,
    NEXT_DAY,
    cut_after,
    fill,
    line,
    silent_after,
)


def no_pause(seconds: float) -> None:
    assert seconds > 0


def staged(lake: ObjectStore, day: date = DAY) -> pa.Table:
    with lake.open(stage_key(day)) as file:
        return pq.read_table(file)


def test_a_day_is_staged_with_what_is_special_about_it(busy_shop: str, lake: ObjectStore) -> None:
    account = extract(PostgresPurchases(busy_shop), lake, DAY)
    rows = staged(lake)
    assert rows.schema.equals(USER_PURCHASE.arrow_schema)
    assert rows.num_rows == account.rows == 500_000
    assert set(pc.cast(rows["invoice_date"], pa.date32()).unique().to_pylist()) == {DAY}
    assert account.without_customer == rows["customer_id"].null_count
    assert 0.2 < account.without_customer / account.rows < 0.3
    cancelled = rows.filter(pc.starts_with(rows["invoice_number"], "C"))
    assert account.cancellations == cancelled.num_rows > 0
    assert account.cancelled_amount < 0
    delivered = pa.Table.from_batches(samples.purchases(DAY, 500_000))
    amounts = pc.multiply(delivered["unit_price"], pc.cast(delivered["quantity"], pa.decimal128(10)))
    assert account.amount == pc.sum(amounts).as_py()
    assert account.bytes == lake.info(stage_key(DAY)).size  # type: ignore[union-attr]


def test_full_stages_every_day_under_the_day_asked_for(busy_shop: str, lake: ObjectStore) -> None:
    assert extract(PostgresPurchases(busy_shop), lake, NEXT_DAY, full=True).rows == 501_000
    assert staged(lake, NEXT_DAY).num_rows == 501_000


def test_the_same_purchases_give_the_same_bytes_from_any_source_and_in_any_order(
    shop: str, lake: ObjectStore, tmp_path: Path
) -> None:
    fill(shop, DAY, 3_000)
    extract(PostgresPurchases(shop), lake, DAY)
    first = lake.read(stage_key(DAY))
    with psycopg.connect(shop) as connection:
        connection.execute("CREATE TABLE shuffled AS SELECT * FROM retail.user_purchase ORDER BY random()")
        connection.execute("TRUNCATE retail.user_purchase")
        connection.execute("INSERT INTO retail.user_purchase SELECT * FROM shuffled")
    extract(PostgresPurchases(shop), lake, DAY)
    assert lake.read(stage_key(DAY)) == first
    extract(embedded(tmp_path, pa.Table.from_batches(samples.purchases(DAY, 3_000))), lake, DAY)
    assert lake.read(stage_key(DAY)) == first


def test_text_keeps_its_quotes_line_breaks_and_the_difference_between_nothing_and_blank(
    shop: str, lake: ObjectStore
) -> None:
    texts = ['say "hi", twice', "two\nlines\r\nor three", "", None, "comma, and; more", "\\N", "žluťoučký 😀"]
    with psycopg.connect(shop) as connection:
        for text in texts:
            connection.execute(
                "INSERT INTO retail.user_purchase VALUES ('1', 's', %s, 1, '2026-01-05 10:00:00.123456', 1.5, 7, 'UK')",
                [text],
            )
    extract(PostgresPurchases(shop), lake, DAY)
    found = staged(lake)
    assert sorted(found["detail"].to_pylist(), key=str) == sorted(texts, key=str)
    assert found["invoice_date"][0].as_py().microsecond == 123_456
    assert found["unit_price"][0].as_py() == Decimal("1.500")


def test_the_databases_own_habits_of_writing_dates_and_text_do_not_matter(shop: str, lake: ObjectStore) -> None:
    with psycopg.connect(shop, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            "INSERT INTO retail.user_purchase VALUES ('1', 's', 'café', 1, '2026-01-05 10:00:00.1', 1, 7, 'EIRE')"
        )
        connection.execute(f"ALTER DATABASE \"{name}\" SET datestyle = 'SQL, DMY'")
        connection.execute(f"ALTER DATABASE \"{name}\" SET client_encoding = 'LATIN1'")
    extract(PostgresPurchases(shop), lake, DAY)
    (row,) = staged(lake).to_pylist()
    assert row["detail"] == "café"
    assert row["invoice_date"].isoformat() == "2026-01-05T10:00:00.100000"


def test_a_day_without_purchases_is_an_empty_stage(shop: str, lake: ObjectStore) -> None:
    extracted = extract(PostgresPurchases(shop), lake, DAY)
    info = lake.info(stage_key(DAY))
    assert info is not None
    digest = hashlib.sha256(lake.read(stage_key(DAY))).hexdigest()
    assert extracted == Extract(stage_key(DAY), etag=info.etag, sha256=digest, bytes=info.size)
    assert staged(lake).num_rows == 0


def test_midnight_belongs_to_the_day_that_begins(shop: str, lake: ObjectStore) -> None:
    with psycopg.connect(shop) as connection:
        for time in ("2026-01-05 00:00:00", "2026-01-05 23:59:59.999999", "2026-01-06 00:00:00"):
            connection.execute("INSERT INTO retail.user_purchase VALUES ('1', 's', 'd', 1, %s, 1.5, 7, 'UK')", [time])
    assert extract(PostgresPurchases(shop), lake, DAY).rows == 2
    assert extract(PostgresPurchases(shop), lake, NEXT_DAY).rows == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("DROP COLUMN customer_id", "has no column 'customer_id'"),
        ("RENAME COLUMN quantity TO pieces", "has no column 'quantity'"),
        ("ALTER COLUMN quantity TYPE bigint", "has 'quantity' as bigint where integer is expected"),
        ("ALTER COLUMN customer_id TYPE text", "has 'customer_id' as text where integer is expected"),
        ("ALTER COLUMN unit_price TYPE double precision", r"has 'unit_price' as double precision where numeric\(8,3\)"),
        ("ALTER COLUMN unit_price TYPE numeric(12, 3)", r"has 'unit_price' as numeric\(12,3\) where numeric\(8,3\)"),
        (
            "ALTER COLUMN invoice_date TYPE timestamptz",
            "has 'invoice_date' as timestamp with time zone where timestamp",
        ),
    ],
)
def test_a_missing_or_retyped_column_is_named_and_nothing_is_staged(
    shop: str, lake: ObjectStore, change: str, complaint: str
) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute(f"ALTER TABLE retail.user_purchase {change}")
    with pytest.raises(InputRefused, match=complaint):
        extract(PostgresPurchases(shop), lake, DAY, pause=no_pause)
    (refusal,) = receipts.refusals(lake, PURCHASES)
    assert refusal.partition == DAY.isoformat()
    changed, *_ = SOURCE.changed_columns(lake, Settings())
    assert re.search(f"^retail.user_purchase {complaint}.* since {DAY}: the purchases are not read", str(changed))
    assert [info.key for info in lake.objects() if not info.key.endswith(".refused")] == []


@pytest.mark.parametrize(
    "change",
    [
        "ADD COLUMN loyalty int",
        "ALTER COLUMN quantity TYPE smallint",
        "ALTER COLUMN detail TYPE text",
        "ALTER COLUMN unit_price TYPE numeric(6, 2)",
    ],
)
def test_a_column_that_fits_all_the_same_is_taken(shop: str, lake: ObjectStore, change: str) -> None:
    fill(shop, DAY, 10)
    with psycopg.connect(shop) as connection:
        connection.execute("UPDATE retail.user_purchase SET unit_price = 1")
        connection.execute(f"ALTER TABLE retail.user_purchase {change}")
    assert extract(PostgresPurchases(shop), lake, DAY).rows == 10
    assert staged(lake).schema.equals(USER_PURCHASE.arrow_schema)
    named = [str(of) for of in SOURCE.changed_columns(lake, Settings())]
    kept = (
        f"retail.user_purchase has a new column 'loyalty' since {DAY}: it is not read, and its values stay in the shop"
    )
    assert named == ([f"{kept}'s database"] if "loyalty" in change else [])


def test_a_refused_reading_is_refused_no_more_once_it_succeeds(shop: str, lake: ObjectStore) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute("ALTER TABLE retail.user_purchase RENAME COLUMN quantity TO quantities")
    with pytest.raises(InputRefused, match=r"has no column 'quantity' \(perhaps renamed to 'quantities'\)"):
        extract(PostgresPurchases(shop), lake, DAY, pause=no_pause)
    assert standings(lake) == {}, "the day is owed as before"
    with psycopg.connect(shop) as connection:
        connection.execute("ALTER TABLE retail.user_purchase RENAME COLUMN quantities TO quantity")
    extract(PostgresPurchases(shop), lake, DAY, pause=no_pause)
    assert receipts.refusals(lake, PURCHASES) == []
    assert SOURCE.changed_columns(lake, Settings()) == []


def test_a_table_that_is_not_there_is_named(postgres: str, lake: ObjectStore) -> None:
    with pytest.raises(InputRefused, match=r"retail.user_purchase in .* does not exist"):
        extract(PostgresPurchases(postgres), lake, DAY)


def test_a_view_of_another_name_will_do(shop: str, lake: ObjectStore) -> None:
    fill(shop, DAY, 10)
    with psycopg.connect(shop) as connection:
        connection.execute("""CREATE VIEW retail."odd ""name" AS SELECT * FROM retail.user_purchase""")
    assert extract(PostgresPurchases(shop, relation='retail.odd "name'), lake, DAY).rows == 10


def test_a_missing_privilege_is_no_reason_to_try_again(shop: str, lake: ObjectStore) -> None:
    role = f"reader_{os.getpid()}"
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA retail TO {role}")
        try:
            with pytest.raises(InputRefused, match="Grant SELECT"):
                extract(PostgresPurchases(shop.replace("postgres:@", f"{role}@")), lake, DAY, pause=no_pause)
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


def test_a_line_that_is_cut_in_the_middle_is_tried_again_and_doubles_nothing(busy_shop: str, lake: ObjectStore) -> None:
    with line(busy_shop, cut_after(20_000_000), cut_after(300)) as to:
        account = extract(PostgresPurchases(to.address), lake, DAY, pause=no_pause)
    assert (account.attempts, len(account.setbacks)) == (3, 2)
    assert all("could not be read" in setback for setback in account.setbacks)
    assert account.rows == staged(lake).num_rows == 500_000
    assert [info.key for info in lake.objects("stage/")] == [stage_key(DAY)]


def test_a_database_that_stays_away_is_the_worlds_fault_and_leaves_the_last_stage_alone(
    shop: str, lake: ObjectStore
) -> None:
    fill(shop, DAY, 100)
    extract(PostgresPurchases(shop), lake, DAY)
    before = lake.read(stage_key(DAY))
    pauses: list[float] = []
    with line(shop, *[cut_after(2_000)] * 9) as to, pytest.raises(WorldUnavailable, match=r"\(3 attempts were made\)"):
        extract(PostgresPurchases(to.address), lake, DAY, attempts=3, pause=pauses.append)
    assert pauses == [2.0, 4.0]
    assert lake.read(stage_key(DAY)) == before
    with pytest.raises(WorldUnavailable, match="Check that the database runs"):
        extract(PostgresPurchases("postgresql://nobody@127.0.0.1:1/shop"), lake, DAY, attempts=1)


@pytest.mark.parametrize("bytes_before_silence", [300, 20_000_000])
def test_a_database_that_says_nothing_is_left_and_asked_again(
    busy_shop: str, lake: ObjectStore, bytes_before_silence: int
) -> None:
    with line(busy_shop, silent_after(bytes_before_silence)) as to:
        account = extract(PostgresPurchases(to.address, silence=2), lake, DAY, pause=no_pause)
    assert account.attempts == 2
    assert account.rows == 500_000


MEMORY = """
import resource, sys
from datetime import date
from movie_platform.lake import open_store
from movie_platform.pipelines.user_behavior.purchase_sources import PostgresPurchases
from movie_platform.pipelines.user_behavior.purchases import extract
rows = extract(PostgresPurchases(sys.argv[1]), open_store(sys.argv[2]), date.fromisoformat(sys.argv[3])).rows
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_table(busy_shop: str, lake: ObjectStore) -> None:
    peaks = {}
    for day in (NEXT_DAY, DAY):
        command = [sys.executable, "-c", MEMORY, busy_shop, lake.uri, day.isoformat()]
        rows, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        peaks[int(rows)] = int(peak) / 1024
    assert peaks[500_000] - peaks[1_000] < 120, peaks  # the purchases are 60 MB as Arrow, 50 MB on the line


def embedded(folder: Path, rows: pa.Table) -> EmbeddedPurchases:
    path = folder / "warehouse.duckdb"
    with connected(path, "test", Deadline.after(EmbeddedPurchases(path)._wait)) as connection:
        connection.execute("CREATE SCHEMA retail")
        connection.inner.register("sample", rows)
        connection.execute("CREATE TABLE retail.user_purchase AS SELECT * FROM sample")
    return EmbeddedPurchases(path)


def test_the_embedded_warehouse_stands_in_for_the_shop(tmp_path: Path, lake: ObjectStore) -> None:
    rows = pa.concat_tables(pa.Table.from_batches(samples.purchases(day, 500)) for day in (DAY, NEXT_DAY))
    source = embedded(tmp_path, rows)
    assert extract(source, lake, DAY).rows == 500
    assert extract(source, lake, DAY, full=True).rows == 1_000


def test_an_embedded_warehouse_without_purchases_says_how_to_get_some(tmp_path: Path, lake: ObjectStore) -> None:
    with pytest.raises(InputRefused, match="simulate behavior"):
        extract(EmbeddedPurchases(tmp_path / "warehouse.duckdb"), lake, DAY)


def test_settings_choose_the_source(tmp_path: Path) -> None:
    assert isinstance(purchase_source(load_settings()), EmbeddedPurchases)
    chosen = load_settings(purchases="postgresql://reader@shop.example:5432/sales", purchases_password="geheim")
    assert purchase_source(chosen).name == "retail.user_purchase in sales on shop.example"
    with pytest.raises(SettingsError, match="MOVIE_PLATFORM_PURCHASES=postgresql"):
        purchase_source(load_settings(warehouse="redshift://user@host:5439/db"))
    with pytest.raises(SettingsError, match="set PURCHASES_PASSWORD") as refused:
        load_settings(purchases="postgresql://reader:geheim@shop.example/sales")
    assert "geheim" not in str(refused.value)


def test_the_stage_is_the_same_on_any_store(shop: str, store: ObjectStore, tmp_path: Path) -> None:
    fill(shop, DAY, 1_000)
    extract(PostgresPurchases(shop), store, DAY)
    other = open_store((tmp_path / "other").as_uri())
    extract(PostgresPurchases(shop), other, DAY)
    assert store.read(stage_key(DAY)) == other.read(stage_key(DAY))
