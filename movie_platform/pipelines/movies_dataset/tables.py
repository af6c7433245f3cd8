"""The eight tables, the files that they come from, and the shape of what was rejected."""

from dataclasses import dataclass

import pyarrow as pa

from movie_platform.csv_files.kinds import kind_of_type
from movie_platform.engine import RecordColumn
from movie_platform.table import Column, Table

INTEGER, NUMBER, TEXT, TRUTH, DAY = pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32()


def _record(**fields: pa.DataType) -> pa.StructType:
    return pa.struct(list(fields.items()))


# Keys in the order of the files: literals in this order are the fast ones.
COLLECTION = _record(id=INTEGER, name=TEXT, poster_path=TEXT, backdrop_path=TEXT)
GENRES = pa.list_(_record(id=INTEGER, name=TEXT))
COMPANIES = pa.list_(_record(name=TEXT, id=INTEGER))
COUNTRIES = pa.list_(_record(iso_3166_1=TEXT, name=TEXT))
LANGUAGES = pa.list_(_record(iso_639_1=TEXT, name=TEXT))
KEYWORDS = pa.list_(_record(id=INTEGER, name=TEXT))
CAST_MEMBER = _record(
    cast_id=INTEGER,
    character=TEXT,
    credit_id=TEXT,
    gender=INTEGER,
    id=INTEGER,
    name=TEXT,
    order=INTEGER,
    profile_path=TEXT,
)
CREW_MEMBER = _record(
    credit_id=TEXT, department=TEXT, gender=INTEGER, id=INTEGER, job=TEXT, name=TEXT, profile_path=TEXT
)
CAST, CREW = pa.list_(CAST_MEMBER), pa.list_(CREW_MEMBER)

_MOVIE_ID = Column("movie_id", INTEGER, "TMDB's id of the movie", nullable=False)

MOVIES_MASTER = Table(
    "movies_master",
    (
        Column("id", INTEGER, "TMDB's id of the movie", nullable=False),
        Column("adult", TRUTH, "whether it is an adult film"),
        Column("belongs_to_collection", COLLECTION, "the series that it is part of"),
        Column("budget", INTEGER, "in dollars; 0 where unknown", nullable=False),
        Column("genres", GENRES, "its genres, the most fitting first"),
        Column("homepage", TEXT, "its official page"),
        Column("imdb_id", TEXT, "IMDB's id, tt and seven digits or more"),
        Column("original_language", TEXT, "ISO 639-1 code of the language that it was made in"),
        Column("original_title", TEXT, "its title in that language"),
        Column("overview", TEXT, "what it is about"),
        Column("popularity", NUMBER, "TMDB's popularity; 0 where unknown", nullable=False),
        Column("poster_path", TEXT, "its poster on TMDB's image server"),
        Column("production_companies", COMPANIES, "who produced it"),
        Column("production_countries", COUNTRIES, "where it was produced"),
        Column("release_date", DAY, "first release"),
        Column("revenue", INTEGER, "in dollars; 0 where unknown", nullable=False),
        Column("runtime", NUMBER, "in minutes"),
        Column("spoken_languages", LANGUAGES, "languages spoken in it"),
        Column("status", TEXT, "Released, Rumored, Post Production, ..."),
        Column("tagline", TEXT, "its advertising line"),
        Column("title", TEXT, "its English title", nullable=False),
        Column("video", TRUTH, "whether it came out on video only"),
        Column("vote_average", NUMBER, "mean of TMDB's votes, 0 to 10"),
        Column("vote_count", INTEGER, "how many votes; 0 where unknown", nullable=False),
    ),
    "Every movie of movies_metadata.csv once.",
    key=("id",),
    sort=("id",),
)

CHECKED_CELLS = tuple(column.name for column in MOVIES_MASTER.columns[1:] if column.type != TEXT)
"""Columns of movies_metadata.csv whose cells may be no value; the movie stays without it."""

MOVIES_AGGREGATED = Table(
    "movies_aggregated",
    (
        _MOVIE_ID,
        Column("popularity", NUMBER, "TMDB's popularity", nullable=False),
        Column("revenue", INTEGER, "in dollars", nullable=False),
        Column("budget", INTEGER, "in dollars", nullable=False),
        Column("release_date", DAY, "first release"),
        Column("genre", TEXT, "one of its genres; null where it has none"),
        Column("production_company", TEXT, "one of its companies; null where it has none"),
        Column("release_year", pa.int32(), "year of the first release"),
        Column("profit", INTEGER, "revenue less budget, in dollars", nullable=False),
    ),
    "One row per movie, genre and production company; a movie without one or both has a row with nulls there.",
    sort=("release_year",),
)

KEYWORDS_MASTER = Table(
    "keywords_master",
    (
        _MOVIE_ID,
        Column("keyword_id", INTEGER, "TMDB's id of the keyword"),
        Column("keyword", TEXT, "the keyword"),
    ),
    "One row per movie and keyword.",
    sort=("movie_id",),
)

CREDITS_MASTER = Table(
    "credits_master",
    (_MOVIE_ID, Column("cast", CAST, "who plays in it"), Column("crew", CREW, "who made it")),
    "Cast and crew of each movie, as they came.",
    sort=("movie_id",),
)

CAST_MASTER = Table(
    "cast_master",
    (
        _MOVIE_ID,
        Column("cast_id", INTEGER, "number of the role within the movie"),
        Column("character", TEXT, "the role"),
        Column("credit_id", TEXT, "TMDB's id of the credit"),
        Column("gender", INTEGER, "1 female, 2 male, 0 not said"),
        Column("id", INTEGER, "TMDB's id of the person"),
        Column("name", TEXT, "the person's name"),
        Column("order", INTEGER, "place in the credits, from 0"),
        Column("profile_path", TEXT, "the person's picture on TMDB's image server"),
    ),
    "One row per movie and role.",
    sort=("movie_id",),
)

CREW_MASTER = Table(
    "crew_master",
    (
        _MOVIE_ID,
        Column("credit_id", TEXT, "TMDB's id of the credit"),
        Column("department", TEXT, "Directing, Writing, ..."),
        Column("gender", INTEGER, "1 female, 2 male, 0 not said"),
        Column("id", INTEGER, "TMDB's id of the person"),
        Column("job", TEXT, "Director, Screenplay, ..."),
        Column("name", TEXT, "the person's name"),
        Column("profile_path", TEXT, "the person's picture on TMDB's image server"),
    ),
    "One row per movie and job.",
    sort=("movie_id",),
)

RATINGS_MASTER = Table(
    "ratings_master",
    (
        Column("movie_id", INTEGER, "MovieLens's id of the movie: links_master leads to TMDB's", nullable=False),
        Column("user_id", INTEGER, "MovieLens's id of the user", nullable=False),
        Column("rating", NUMBER, "half stars, 0.5 to 5.0", nullable=False),
        Column("timestamp", INTEGER, "seconds since 1970, UTC"),
    ),
    "One row per user and movie rated.",
    sort=("movie_id",),
)

LINKS_MASTER = Table(
    "links_master",
    (
        Column("movie_id", INTEGER, "MovieLens's id of the movie", nullable=False),
        Column("imdb_id", INTEGER, "IMDB's id as a number"),
        Column("tmdb_id", INTEGER, "TMDB's id, the id of movies_master"),
    ),
    "MovieLens's movies, and where IMDB and TMDB have them.",
    key=("movie_id",),
    sort=("movie_id",),
)

TABLES = (
    MOVIES_MASTER,
    MOVIES_AGGREGATED,
    KEYWORDS_MASTER,
    CREDITS_MASTER,
    CAST_MASTER,
    CREW_MASTER,
    RATINGS_MASTER,
    LINKS_MASTER,
)

REJECTS = Table(
    "rejects",
    (
        Column("source", TEXT, "the file", nullable=False),
        Column("record_number", INTEGER, "number of the record in it, from 1", nullable=False),
        Column("scope", TEXT, "row: the record was left out; cell: only the cell, now null", nullable=False),
        Column("reason", TEXT, "why", nullable=False),
        Column("column", TEXT, "the column at fault, where it is one"),
        Column("raw", TEXT, "the record or the cell as it came"),
    ),
    "What could not be loaded, as it came.",
)


@dataclass(frozen=True)
class SourceFile:
    """A file of the zip: what is read of it, in the order of its publisher, and which tables it makes."""

    name: str
    columns: tuple[RecordColumn, ...]
    tables: tuple[Table, ...]
    required: bool = False


_MOVIE_REQUIRED = {"id": RecordColumn("id", "integer", required=True), "title": RecordColumn("title", required=True)}

MOVIES_FILE = SourceFile(
    "movies_metadata.csv",
    tuple(_MOVIE_REQUIRED.get(name, RecordColumn(name)) for name in MOVIES_MASTER.column_names),
    (MOVIES_MASTER, MOVIES_AGGREGATED),
    required=True,
)
KEYWORDS_FILE = SourceFile(
    "keywords.csv",
    (RecordColumn("id", "integer", required=True), RecordColumn("keywords")),
    (KEYWORDS_MASTER,),
)
CREDITS_FILE = SourceFile(
    "credits.csv",
    (RecordColumn("cast"), RecordColumn("crew"), RecordColumn("id", "integer", required=True)),
    (CREDITS_MASTER, CAST_MASTER, CREW_MASTER),
)
RATINGS_FILE = SourceFile(
    "ratings.csv",
    (
        RecordColumn("userId", "integer", required=True),
        RecordColumn("movieId", "integer", required=True),
        RecordColumn("rating", "number", required=True),
        RecordColumn("timestamp", "integer"),
    ),
    (RATINGS_MASTER,),
)
LINKS_FILE = SourceFile(
    "links.csv",
    (
        RecordColumn("movieId", "integer", required=True),
        RecordColumn("imdbId", "integer"),
        RecordColumn("tmdbId", "integer"),
    ),
    (LINKS_MASTER,),
)
FILES = (MOVIES_FILE, KEYWORDS_FILE, CREDITS_FILE, LINKS_FILE, RATINGS_FILE)

LINEAGE: dict[str, dict[str, tuple[str, ...]]] = {
    "movies_master": {name: (name,) for name in MOVIES_MASTER.column_names},
    "movies_aggregated": {
        "movie_id": ("id",),
        "popularity": ("popularity",),
        "revenue": ("revenue",),
        "budget": ("budget",),
        "release_date": ("release_date",),
        "genre": ("genres",),
        "production_company": ("production_companies",),
        "release_year": ("release_date",),
        "profit": ("revenue", "budget"),
    },
    "keywords_master": {"movie_id": ("id",), "keyword_id": ("keywords",), "keyword": ("keywords",)},
    "credits_master": {"movie_id": ("id",), "cast": ("cast",), "crew": ("crew",)},
    "cast_master": {"movie_id": ("movie_id",), **{field.name: ("cast",) for field in CAST_MEMBER}},
    "crew_master": {"movie_id": ("movie_id",), **{field.name: ("crew",) for field in CREW_MEMBER}},
    "ratings_master": {
        "movie_id": ("movieId",),
        "user_id": ("userId",),
        "rating": ("rating",),
        "timestamp": ("timestamp",),
    },
    "links_master": {"movie_id": ("movieId",), "imdb_id": ("imdbId",), "tmdb_id": ("tmdbId",)},
}
"""Per table and column, the columns that it comes from: of movies_master for movies_aggregated, of credits_master for
cast and crew, of the file for the others."""


def _made(file: SourceFile, column: str) -> Column:
    """The first table's column that is made of a column of a file, which says what that holds."""
    if (file, column) == (KEYWORDS_FILE, "keywords"):
        return Column("keywords", KEYWORDS, "the movie's keywords, as a list")
    names = LINEAGE[file.tables[0].name].items()
    return next(file.tables[0][name] for name, columns in names if column in columns)


EXPECTED = {
    file.name: {column.name: kind_of_type(_made(file, column.name).type) for column in file.columns} for file in FILES
}
"""By file its columns and what they hold."""


DELIVERED = Table(
    "the_movies_dataset",
    tuple(
        Column(f"{file.name}: {column.name}", TEXT, _made(file, column.name).description)
        for file in FILES
        for column in file.columns
    ),
    "The files of the zip, each column after its file.",
)
