"""A room per source. Each hands over its `Source` in `source.py` and its part of Dagster in `definitions.py`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movie_platform.deliveries.source import Source

PIPELINES = (
    "movie_platform.pipelines.imdb_feed",
    "movie_platform.pipelines.movies_dataset",
    "movie_platform.pipelines.quality_movies",
    "movie_platform.pipelines.user_behavior",
)
"""The sources of the platform: the one list of them."""


def source_of(pipeline: str) -> "Source":
    source: Source = import_module(f"{pipeline}.source").SOURCE
    return source
