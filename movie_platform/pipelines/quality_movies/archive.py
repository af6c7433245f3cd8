"""Where the quality movies' files come, and where they are kept."""

from movie_platform.deliveries.copies import Archive
from movie_platform.deliveries.days import DailyFiles

NAME = "quality_movies"
"""The source's name: of its folder in the lake's deliveries, its job and its sensor."""
FILES = DailyFiles("input_data/")
ARCHIVE = Archive(NAME, "archive/quality_movies/", FILES, full_keys=True)
