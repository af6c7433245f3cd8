"""The rated movies as they are served, and what every evaluation measured."""

import pyarrow as pa

from movie_platform.table import Column, Table

SCHEMA = "movies"
DATASET = "quality_movies"
"""The name that the history, notices and folders of the lake know the data set by."""

IMDB_MOVIES_RATING = Table(
    name="imdb_movies_rating",
    schema=SCHEMA,
    description="The good rows of the newest day: movies that meet the rules.",
    columns=(
        Column("poster_link", pa.string(), "address of the poster"),
        Column("series_title", pa.string(), "the movie's title"),
        Column("released_year", pa.string(), "year of first release, as delivered"),
        Column("certificate", pa.string(), "age certificate; blank where there is none"),
        Column("runtime", pa.string(), "running time with its unit, such as 142 min"),
        Column("genre", pa.string(), "genres, separated by commas"),
        Column("imdb_rating", pa.decimal128(10, 2), "mean user rating"),
        Column("overview", pa.string(), "plot summary"),
        Column("meta_score", pa.int32(), "Metacritic's score, 0 to 100"),
        Column("director", pa.string(), "the director's full name"),
        Column("star1", pa.string(), "first billing"),
        Column("star2", pa.string(), "second billing"),
        Column("star3", pa.string(), "third billing"),
        Column("star4", pa.string(), "fourth billing"),
        Column("no_of_votes", pa.int32(), "votes behind the rating"),
        Column("gross", pa.string(), "box office gross in dollars, with separators, as delivered"),
    ),
    sort=("series_title",),
)

DELIVERED = Table(
    "quality_movies_input_data",
    tuple(Column(column.name, pa.string(), column.description) for column in IMDB_MOVIES_RATING.columns),
    description="The quality movies as they were delivered; text that spans lines is cut by this format's reader.",
)

DELIVERIES = IMDB_MOVIES_RATING.derive(
    "imdb_movies_rating_deliveries",
    description="The good rows of every day.",
    last=(Column("delivery_date", pa.date32(), "the day of the delivery", nullable=False),),
    partition="delivery_date",
    sort=("delivery_date", "series_title"),
)

QUALITY_HISTORY = Table(
    name="quality_history",
    description="What every evaluation of a data set measured; dynamic rules and anomaly detection look back on it.",
    columns=(
        Column("dataset", pa.string(), "the data set that was judged", nullable=False, max_bytes=256),
        Column("at", pa.timestamp("us", tz="UTC"), "the moment that the evaluation stands for", nullable=False),
        Column("metric", pa.string(), "the metric's name", nullable=False, max_bytes=4096),
        Column("value", pa.float64(), "what was measured", nullable=False),
        Column("evaluation", pa.string(), "data set and delivery", nullable=False, max_bytes=512),
    ),
    key=("evaluation", "metric"),
    partition="evaluation",
    sort=("dataset", "metric", "at"),
)
