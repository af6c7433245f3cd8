"""Small triplets, written out as the client writes them."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.tables import TRIPLET, TYPE_A, TYPE_B, TYPE_C, DeliveredFile
from movie_platform.pipelines.imdb_feed.verification import file_name

W = "202601010000"
NEXT = "202601010010"
LATER = datetime(2026, 1, 1, 6, 5, tzinfo=UTC)

Files = dict[str, bytes]
Cells = Mapping[str, object]

A, B, C = (file_name(W, kind) for kind in TRIPLET)


def movie(id: object, **changes: object) -> Cells:  # noqa: A002 - the client's own name of the column
    row = {
        "id": id,
        "imdb_movie_id": f"tt{id}",
        "title": f"Movie {id}",
        "release_year": 1999,
        "certificate": "PG",
        "run_time_min": 100,
        "imdb_rating": 7.5,
        "metascore": 60,
        "description": 'A plot, with a comma, a "quote"\nand a line break',
        "num_voted_users": 1000,
        "gross": 123456,
    }
    return {**row, **changes}


def pair(movie_id: object, person_id: object) -> Cells:
    return {"movie_id": movie_id, "person_id": person_id}


def person(id: object, **changes: object) -> Cells:  # noqa: A002 - the client's own name of the column
    return {"id": id, "imdb_person_id": f"nm{id}", "full_name": f"Person {id}", **changes}


def written(columns: Iterable[str], rows: Iterable[Cells], *, end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def triplet(
    window: str = W,
    movies: Sequence[Cells] = (movie(1), movie(2)),
    pairs: Sequence[Cells] = (pair(1, 10), pair(2, 20), pair(99, 10)),
    people: Sequence[Cells] = (person(10), person(20), person(30)),
) -> Files:
    rows: dict[DeliveredFile, Sequence[Cells]] = {TYPE_A: movies, TYPE_B: pairs, TYPE_C: people}
    return {file_name(window, kind): written(kind.columns, rows[kind]) for kind in TRIPLET}


def deliver(raw: ObjectStore, window: str, files: Files | None = None, *, at: datetime | None = None) -> None:
    """Put a window's files where the client puts them; `at` dates them, on local disk."""
    for name, data in (triplet(window) if files is None else files).items():
        key = f"imdb_raw_data/{window}/{name}"
        raw.write(key, data)
        if at:
            path = raw.local_path(key)
            assert path is not None
            os.utime(path, (at.timestamp(), at.timestamp()))


def everything(store: ObjectStore, prefix: str = "") -> dict[str, bytes]:
    return {info.key: store.read(info.key) for info in store.objects(prefix)}


def products(store: ObjectStore) -> dict[str, bytes]:
    """Everything but the manifests and receipts, which hold the store's own etags."""
    return {key: data for key, data in everything(store).items() if not key.startswith("deliveries/")}
