"""Small deliveries of rated movies, and the rules to judge them by."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.quality_movies.evaluation import Nulls, RulesInUse
from movie_platform.quality import parse_ruleset
from movie_platform.samples.quality_movies import COLUMNS

RATING = 'ColumnValues "imdb_rating" between 8.5 and 10.3'


def movie(title: str, rating: str = "9.0", **cells: str) -> dict[str, str]:
    """A sound row; `cells` are set by the table's column names."""
    row = {
        "poster_link": "https://posters.example/1.jpg",
        "series_title": title,
        "released_year": "1994",
        "certificate": "A",
        "runtime": "142 min",
        "genre": "Drama",
        "imdb_rating": rating,
        "overview": 'Two men, "bonded",\nover years.',
        "meta_score": "80",
        "director": "Ada Abara",
        "star1": "Björn Cruz",
        "star2": "Mei Brandt",
        "star3": "Noor Rossi",
        "star4": "Olga Ueda",
        "no_of_votes": "2343110",
        "gross": "28,341,469",
    }
    return {**row, **cells}


def delivery(*rows: dict[str, str], without: Sequence[str] = ()) -> bytes:
    """A file as the source writes it: its own spelling of the columns, quotes where they are needed."""
    names = [name for name in COLUMNS if name.lower() not in without]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[row[name.lower()] for name in names] for row in rows])
    return text.getvalue().encode()


def rules_of(*rules: str, nulls: Nulls = "documented") -> RulesInUse:
    return RulesInUse("test.dqdl", parse_ruleset(f"Rules = [ {', '.join(rules or (RATING,))} ]"), nulls)


@pytest.fixture
def raw(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "raw").as_uri())


@pytest.fixture
def lake(store: ObjectStore) -> ObjectStore:
    """The lake, once on disk and once on S3."""
    return store


@pytest.fixture
def local_lake(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "lake").as_uri())


Deliver = Callable[..., None]
