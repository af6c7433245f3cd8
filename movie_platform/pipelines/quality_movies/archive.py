"""Where the quality movies' files come, what they should hold, and where they are kept."""

from movie_platform.csv_files.kinds import kind_of_type
from movie_platform.deliveries.columns import Expectation
from movie_platform.deliveries.copies import Archive
from movie_platform.deliveries.days import DailyFiles
from movie_platform.pipelines.quality_movies.tables import IMDB_MOVIES_RATING

NAME = "quality_movies"
"""The source's name: of its folder in the lake's deliveries, its job and its sensor."""
FILES = DailyFiles("input_data/")
ARCHIVE = Archive(NAME, "archive/quality_movies/", FILES, full_keys=True)
EXPECTED = Expectation(
    NAME,
    files={"": {column.name: kind_of_type(column.type) for column in IMDB_MOVIES_RATING.columns}},
    if_new="it is in no table, and its values stay in archive/quality_movies/",
    if_gone="the day is blocked, and what was served before stays",
    if_unreadable="rows that do not fit are in bad-records/quality_movies/",
    ignores_case=True,
)
