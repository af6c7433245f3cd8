"""Small data sets written by hand, for tests that know every row."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from movie_platform.pipelines.movies_dataset.tables import MOVIES_MASTER

Row = Sequence[Any] | str


def movie(id: Any, title: str = "Title", **cells: Any) -> list[Any]:  # noqa: A002
    """A record of movies_metadata.csv: what is not given is as plain as can be."""
    plain = dict.fromkeys(MOVIES_MASTER.column_names, "")
    plain |= {
        "adult": "False",
        "genres": "[]",
        "production_companies": "[]",
        "production_countries": "[]",
        "spoken_languages": "[]",
        "release_date": "1995-10-30",
        "video": "False",
    }
    return [{**plain, "id": id, "title": title, **cells}[name] for name in MOVIES_MASTER.column_names]


def content(header: Sequence[str], rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        if isinstance(row, str):
            out.write(row + "\n")
        else:
            writer.writerow(row)
    return out.getvalue()


HEADERS = {
    "movies_metadata.csv": MOVIES_MASTER.column_names,
    "keywords.csv": ("id", "keywords"),
    "credits.csv": ("cast", "crew", "id"),
    "links.csv": ("movieId", "imdbId", "tmdbId"),
    "ratings.csv": ("userId", "movieId", "rating", "timestamp"),
}


def zip_of(path: Path, files: Mapping[str, Sequence[Row]]) -> Path:
    """A zip with these records in these files; files not named are not in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in files.items():
            archive.writestr(name, content(HEADERS[name], rows))
    return path
