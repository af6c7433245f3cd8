"""Sample purchases and reviews are like the real ones, and the same for the same seed and day."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.samples import user_behavior as samples

DAY = date(2026, 1, 5)


def purchases(rows: int, **options: int) -> pa.Table:
    return pa.Table.from_batches(samples.purchases(DAY, rows, **options), schema=USER_PURCHASE.arrow_schema)


@pytest.mark.parametrize("rows", [0, 1, 100, 70_000])
def test_there_are_as_many_purchases_as_asked_for_on_their_day(rows: int) -> None:
    table = purchases(rows)
    assert table.num_rows == rows
    assert set(pc.cast(table["invoice_date"], pa.date32()).to_pylist()) <= {DAY}


def test_a_quarter_has_no_customer_and_cancellations_are_negative() -> None:
    table = purchases(70_000)
    assert table["customer_id"].null_count / 70_000 == pytest.approx(0.25, abs=0.02)
    cancelled = pc.starts_with(table["invoice_number"], "C")
    assert 0.01 < pc.mean(pc.cast(cancelled, pa.int8())).as_py() < 0.03
    assert cancelled == pc.less(table["quantity"], 0)
    assert pc.max(pc.utf8_length(table["invoice_number"])).as_py() <= 10


def test_the_same_seed_and_day_give_the_same() -> None:
    assert purchases(1_000) == purchases(1_000)
    assert purchases(1_000) != purchases(1_000, seed=1)
    assert samples.reviews(DAY, 500) == samples.reviews(DAY, 500)
    assert samples.reviews(DAY, 500) != samples.reviews(DAY + timedelta(days=1), 500)


def test_reviews_have_quotes_line_breaks_defects_and_a_megabyte_of_text() -> None:
    file = samples.reviews(DAY, 2_000, long_text=True)
    assert file.content.startswith(b"cid,review_str\r\n")
    assert 5 < file.broken < 60
    assert b'""see it yourself""' in file.content
    assert b"...\nEnough said." in file.content
    assert max(map(len, file.content.split(b"\r\n"))) > 2**20
    assert samples.reviews(DAY, 100, defects=0).broken == 0
