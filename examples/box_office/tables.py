"""What the box office is, in the lake and in the warehouse."""

import pyarrow as pa

from movie_platform.table import Column, Table

BOX_OFFICE = Table(
    "box_office",
    (
        Column("date", pa.date32(), "the day", nullable=False),
        Column("imdb_id", pa.string(), "IMDB's id of the movie", nullable=False),
        Column("gross", pa.int64(), "what it took in that day, in dollars", nullable=False),
        Column("theaters", pa.int64(), "how many theaters showed it", nullable=False),
    ),
    "What each movie took in on a day.",
    partition="date",
    sort=("date", "imdb_id"),
)

DELIVERED = Table("box_office_files", tuple(Column(of.name, pa.string(), of.description) for of in BOX_OFFICE.columns))

BAD = Table(
    "box_office_bad",
    (
        Column("source", pa.string(), "the delivered file", nullable=False),
        Column("record", pa.int64(), "the record's number in it, from 1", nullable=False),
        Column("reason", pa.string(), "why it is not served", nullable=False),
        Column("raw", pa.string(), "the record as it came"),
    ),
    "Records that cannot be read, or that break a rule.",
)
