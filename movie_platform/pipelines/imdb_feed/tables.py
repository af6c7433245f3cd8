"""The feed's files as they are delivered, and its tables as they are served."""

from dataclasses import dataclass, field

import pyarrow as pa

from movie_platform.table import Column, Table, ValueCheck

MOVIE_ID = Column("movie_id", pa.int64(), "the client's number of the movie; it identifies the movie", nullable=False)
RATING = Column(
    "imdb_rating",
    pa.float64(),
    "mean user rating at delivery, 0 to 10",
    checks=(ValueCheck("imdb_rating_between_0_and_10", "in_range", (0, 10)),),
)
TITLE = Column("title", pa.string(), "the movie's title", nullable=False)

IMDB_CLEAN = Table(
    name="imdb_clean",
    description="One row per movie and director of one ten-minute delivery.",
    columns=(
        Column("imdb_movie_id", pa.string(), "IMDB's own id of the movie", nullable=False),
        TITLE,
        Column("release_year", pa.int64(), "year of first release"),
        Column("certificate", pa.string(), "age certificate"),
        Column("run_time_min", pa.int64(), "running time in minutes"),
        RATING,
        Column("metascore", pa.int64(), "Metacritic's score, 0 to 100"),
        Column("description", pa.string(), "plot summary; may hold commas, quotes and line breaks"),
        Column("num_voted_users", pa.int64(), "votes behind the rating at delivery"),
        Column("gross", pa.float64(), "box office gross in dollars"),
        MOVIE_ID,
        Column("person_id", pa.int64(), "the client's number of the director", nullable=False),
        Column("imdb_person_id", pa.string(), "IMDB's own id of the director", nullable=False),
        Column("director_name", pa.string(), "the director's full name"),
    ),
    key=("movie_id", "person_id"),
)

MADE_OF = {
    **{column.name: (f"type_A: {column.name}",) for column in IMDB_CLEAN.columns[:10]},
    "movie_id": ("type_A: id", "type_B: movie_id"),
    "person_id": ("type_B: person_id", "type_C: id"),
    "imdb_person_id": ("type_C: imdb_person_id",),
    "director_name": ("type_C: full_name",),
}
"""Of each clean column those of the delivered files that it is made of."""

DELIVERED = Table(
    name="imdb_raw_triplet",
    description="The three files of one window as they are delivered, each column after its file.",
    columns=tuple(
        Column(delivered, pa.string(), IMDB_CLEAN[name].description)
        for name, columns in MADE_OF.items()
        for delivered in columns
    ),
)

_WINDOW = Column("window", pa.string(), "the delivery's window, YYYYMMDDHHMM in UTC", nullable=False, max_bytes=12)

IMDB_MOVIE_WINDOWS = IMDB_CLEAN.derive(
    "imdb_movie_windows",
    description="Every delivered state of every movie: the clean rows of each window.",
    last=(_WINDOW,),
    key=("window", "movie_id", "person_id"),
    partition="window",
    sort=("window", "movie_id"),
)

IMDB_MOVIES = IMDB_MOVIE_WINDOWS.derive(
    "imdb_movies",
    description="Each movie as the highest window that it appears in delivered it, one row per director.",
    key=("movie_id", "person_id"),
    partition=None,
    sort=("movie_id",),
)


@dataclass(frozen=True, eq=False)
class DeliveredFile:
    """One of a triplet's files: the columns that its header must name, and what each record must satisfy."""

    type: str
    columns: dict[str, pa.DataType]
    required: tuple[str, ...]
    """Columns whose cells must not be blank."""
    checks: dict[str, tuple[ValueCheck, ...]] = field(default_factory=dict)
    """What the values of a column must satisfy where they are not null."""


_MOVIE_COLUMNS = IMDB_CLEAN.columns[:10]

TYPE_A = DeliveredFile(
    "A",
    {"id": pa.int64(), **{column.name: column.type for column in _MOVIE_COLUMNS}},
    required=("id", *(column.name for column in _MOVIE_COLUMNS if not column.nullable)),
    checks={column.name: column.checks for column in _MOVIE_COLUMNS},
)
TYPE_B = DeliveredFile("B", {"movie_id": pa.int64(), "person_id": pa.int64()}, required=("movie_id", "person_id"))
TYPE_C = DeliveredFile(
    "C", {"id": pa.int64(), "imdb_person_id": pa.string(), "full_name": pa.string()}, required=("id", "imdb_person_id")
)
TRIPLET = (TYPE_A, TYPE_B, TYPE_C)
