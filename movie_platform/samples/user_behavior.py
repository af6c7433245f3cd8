"""Purchases of a shop and a vendor's review files, as the real ones are: deterministic by seed and day, of any size.

A quarter of the purchases has no customer, some invoices are cancelled, and reviews come with quotes, line breaks and,
for a share of them, every defect that a real file has shown.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pyarrow as pa

from movie_platform.pipelines.user_behavior.tables import REVIEW_COLUMNS, USER_PURCHASE

FIRST_CUSTOMER = 12_346
CUSTOMERS = 4_372
WITHOUT_CUSTOMER = 0.25
CANCELLED = 0.02
OPEN_FROM, OPEN_TO = time(8), time(18)
BATCH_ROWS = 65_536

_ARTICLES = (
    'JUMBO BAG "RED RETROSPOT"',
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "REGENCY CAKESTAND, 3 TIER",
    "PARTY BUNTING",
    "LUNCH BAG BLACK SKULL.",
    "SET OF 3 CAKE TINS\nPANTRY DESIGN",
    "ASSORTED COLOUR BIRD ORNAMENT",
    "POPCORN HOLDER",
    "CHILLI LIGHTS",
    "FILM POSTER 'O'BRIEN'",
    "DVD BOX; 12 PIECES",
    "Manual",
)
_PRICES = pa.array(
    [Decimal(p) for p in ("0", "0.29", "0.42", "0.85", "1.255", "1.65", "2.95", "4.95", "12.75", "649.5")],
    USER_PURCHASE["unit_price"].type,
)
_COUNTRIES = ("United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Unspecified")
_COUNTRY_SHARES = (0.89, 0.02, 0.02, 0.02, 0.015, 0.015, 0.01, 0.01)


def purchases(day: date, rows: int, *, seed: int = 0) -> Iterator[pa.RecordBatch]:
    """The day's purchases in batches of `USER_PURCHASE`'s columns, exactly `rows` of them, by time."""
    random = np.random.default_rng([seed, day.toordinal(), 1])
    opened = np.datetime64(datetime.combine(day, OPEN_FROM), "us")
    open_minutes = (OPEN_TO.hour - OPEN_FROM.hour) * 60
    lines = random.geometric(1 / 20, size=max(1, rows))
    invoices = int(np.searchsorted(np.cumsum(lines), rows)) + 1
    invoice_of_row = np.repeat(np.arange(invoices), lines[:invoices])[:rows]
    cancelled = random.random(invoices) < CANCELLED
    anonymous = random.random(invoices) < WITHOUT_CUSTOMER
    customer = FIRST_CUSTOMER + (CUSTOMERS * random.random(invoices) ** 4).astype(np.int32)
    minute = np.sort(random.integers(0, open_minutes, invoices)).astype("timedelta64[m]")
    country = random.choice(len(_COUNTRIES), invoices, p=_COUNTRY_SHARES)
    first_invoice = 500_000 + (day.toordinal() * 379) % 400_000
    numbers = np.array([f"{'C' if c else ''}{(first_invoice + i) % 1_000_000}" for i, c in enumerate(cancelled)])
    for start in range(0, rows, BATCH_ROWS):
        of = invoice_of_row[start : start + BATCH_ROWS]
        article = random.integers(0, len(_ARTICLES), len(of))
        stock = np.char.add((20_000 + article * 97).astype(str), random.choice(["", "", "A", "B"], len(of)))
        quantity = np.minimum(random.geometric(0.12, len(of)), 80_995).astype(np.int32)
        price = random.integers(0, len(_PRICES), len(of))
        yield pa.record_batch(
            [
                pa.array(numbers[of]),
                pa.array(stock),
                pa.array(np.array(_ARTICLES, object)[article], pa.string(), mask=random.random(len(of)) < 0.003),
                pa.array(np.where(cancelled[of], -quantity, quantity)),
                pa.array(opened + minute[of]),
                _PRICES.take(pa.array(price)),
                pa.array(customer[of], mask=anonymous[of]),
                pa.array(np.array(_COUNTRIES, object)[country[of]], pa.string()),
            ],
            names=list(USER_PURCHASE.column_names),
        )


@dataclass(frozen=True)
class ReviewFile:
    """A vendor's file and what is in it."""

    content: bytes
    records: int
    broken: int
    """Records that nobody can classify."""


_OPENINGS = ("I saw this twice.", "Honestly,", "We went with friends;", "My expectations were low, and", "OK:", "")
_PRAISE = (
    "a good film, really good",
    "the acting is wonderful and I loved every minute",
    "Good story, great music",
    "a masterpiece that made me happy",
)
_BLAME = (
    "the plot is boring and the ending a terrible mess",
    "an awful waste of two hours",
    "I hated the dialogue, it was painfully bad",
    "the worst sequel so far",
)
_NEGATED = ("not good at all", "it isn't good, whatever the posters say", "hardly a good idea, and badly made")
_NEUTRAL = ("it runs for two hours and was shot in Rome", "there is a dog in it", "the director made three others")
_ENDINGS = (".", "!", "?!", "...\nEnough said.", '. As they say: "see it yourself".', ", or so; it depends. 😀")


def reviews(day: date, records: int, *, seed: int = 0, defects: float = 0.01, long_text: bool = False) -> ReviewFile:
    """A review file of the day with exactly so many records, a share of them broken, one of a megabyte on request."""
    random = np.random.default_rng([seed, day.toordinal(), 2])
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(REVIEW_COLUMNS)
    kinds = random.choice(4, records, p=(0.4, 0.3, 0.12, 0.18))
    customers = FIRST_CUSTOMER + (1.1 * CUSTOMERS * random.random(records) ** 4).astype(int)
    broken = random.random(records) < defects
    defect_kinds = random.integers(0, 6, records)
    texts = (_PRAISE, _BLAME, _NEGATED, _NEUTRAL)
    pieces: list[bytes] = []
    for i in range(records):
        middle = texts[kinds[i]]
        text = " ".join(
            (
                _OPENINGS[random.integers(len(_OPENINGS))],
                middle[random.integers(len(middle))] + _ENDINGS[random.integers(len(_ENDINGS))],
                _NEUTRAL[random.integers(len(_NEUTRAL))],
            )
        ).strip()
        if long_text and i == records // 2:
            text = (text + " ") * (1_048_576 // (len(text) + 1) + 1)
        if broken[i]:
            pieces.append(_taken(out))
            pieces.append(_broken(int(defect_kinds[i]), int(customers[i]), text))
        else:
            writer.writerow((customers[i], text))
    pieces.append(_taken(out))
    return ReviewFile(b"".join(pieces), records, int(broken.sum()))


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()


def _broken(kind: int, customer: int, text: str) -> bytes:
    """One record as no classifier can take it."""
    quoted = '"' + text.replace('"', '""') + '"'
    return {
        0: f",{quoted}\r\n".encode(),
        1: f"customer {customer},{quoted}\r\n".encode(),
        2: f"{customer},".encode() + b"tr\xe8s bien \xff\r\n",
        3: b"\r\n",
        4: f"{customer},{quoted},surplus\r\n".encode(),
        5: f"{10**11 + customer},{quoted}\r\n".encode(),
    }[kind]
