"""The IMDB feed's client: triplets like the real ones, and the ways in which real ones are broken."""

import csv
import gzip
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed.deliveries import RAW_PREFIX
from movie_platform.pipelines.imdb_feed.tables import TRIPLET, TYPE_A, TYPE_B, TYPE_C, DeliveredFile
from movie_platform.pipelines.imdb_feed.verification import file_name

if TYPE_CHECKING:
    import psycopg

Files = dict[str, bytes]
CLIENT_TABLES = {"A": "movie_info", "B": "movie_director", "C": "person"}
"""The client's own tables, by the type of the file that each is exported to."""

_GIVEN = [
    "Ada",
    "Björn",
    "Chiara",
    "Dmitri",
    "Élodie",
    "Farouk",
    "Grażyna",
    "Hiro",
    "Ines",
    "João",
    "Kerstin",
    "Liam",
    "Mei",
    "Noor",
    "Olga",
    "Pilar",
    "Quentin",
]
_FAMILY = [
    "Abara",
    "Bergström",
    "Castellanos",
    "Dubois",
    "Eriksen",
    "Fontaine",
    "Grünwald",
    "Hayashi",
    "Ivanova",
    "Jensen",
    "O'Rourke",
    "Świątek",
]
_ADJECTIVES = [
    "Silent",
    "Crimson",
    "Last",
    "Hidden",
    "Borrowed",
    "Endless",
    "Paper",
    "Northern",
    "Broken",
    "Distant",
    "Electric",
    "Forgotten",
]
_NOUNS = [
    "Harbor",
    "Orchard",
    "Letters",
    "Winter",
    "Machine",
    "River",
    "Sisters",
    "Kingdom",
    "Mirror",
    "Garden",
    "Signal",
    "Promise",
]
_CERTIFICATES = ("PG", "PG-13", "R", "G", "Not Rated", "")
_PLOTS = (
    "A retired cartographer, asked for one last map, finds that the coast has moved.",
    'Two rivals share a secret: "nobody leaves", they say, and nobody does.',
    "In the first winter after the war\na teacher returns\nto a village that has forgotten her.",
    "Three sisters, one orchestra, and a train that never arrives.",
)


@dataclass(frozen=True)
class FeedClient:
    """A catalogue that grows no more, of which every window delivers some movies with new votes and ratings.

    The same seed, window and sizes give the same bytes.
    """

    seed: int = 0
    movies: int = 2_000
    people: int = 1_200
    movies_a_window: int = 60

    def triplet(self, window: str, *, like: Files | None = None) -> Files:
        """The window's three files, by name; pairs and people, equal every time, may come from another triplet."""
        choice = random.Random(f"{self.seed}/{window}")
        pairs, people = _of_type(like, "B"), _of_type(like, "C")
        delivered = sorted(choice.sample(range(1, self.movies + 1), min(self.movies_a_window, self.movies)))
        return {
            file_name(window, TYPE_A): _csv(list(TYPE_A.columns), (self._movie(n, choice) for n in delivered)),
            file_name(window, TYPE_B): pairs or _csv(list(TYPE_B.columns), self._directors()),
            file_name(window, TYPE_C): people or _csv(list(TYPE_C.columns), self._people()),
        }

    def _movie(self, number: int, choice: random.Random) -> Sequence[object]:
        movie = random.Random(f"{self.seed}/movie/{number}")
        rating = min(10.0, max(0.0, movie.gauss(7, 1) + choice.gauss(0, 0.05)))
        title = f"The {movie.choice(_ADJECTIVES)} {movie.choice(_NOUNS)}"
        return [
            number,
            f"tt{1_000_000 + number:07d}",
            title if movie.random() < 0.8 else f"{title}, Part {movie.randint(2, 4)}",
            movie.randint(1930, 2025),
            movie.choice(_CERTIFICATES),
            movie.randint(70, 200),
            f"{rating:.1f}",
            movie.randint(20, 100) if movie.random() < 0.8 else "",
            movie.choice(_PLOTS),
            movie.randint(1_000, 2_000_000) + choice.randint(0, 5_000),
            movie.randint(10_000, 900_000_000) if movie.random() < 0.8 else "",
        ]

    def _directors(self) -> Iterator[Sequence[object]]:
        """One movie in fifty has none, one in ten has two."""
        pairs = random.Random(f"{self.seed}/directors")
        for number in range(1, self.movies + 1):
            count = 0 if number % 50 == 0 else 2 if number % 10 == 0 else 1
            yield from ([number, person] for person in pairs.sample(range(1, self.people + 1), count))

    def _people(self) -> Iterator[Sequence[object]]:
        names = random.Random(f"{self.seed}/people")
        for number in range(1, self.people + 1):
            yield [number, f"nm{1_000_000 + number:07d}", f"{names.choice(_GIVEN)} {names.choice(_FAMILY)}"]


def _of_type(files: Files | None, kind: str) -> bytes:
    return next((data for name, data in (files or {}).items() if name.endswith(f"_type_{kind}.csv")), b"")


def defective(files: Files, window: str, choice: random.Random) -> tuple[str, Files]:
    """The triplet with one defect, and the defect's name."""
    name = choice.choice(sorted(DEFECTS))
    return name, DEFECTS[name](dict(files), window)


def deliver(raw: ObjectStore, window: str, files: Files) -> None:
    """Put the files where the client puts them."""
    for name, data in files.items():
        raw.write(f"{RAW_PREFIX}{window}/{name}", data)


def exported(source: str, windows: list[str], movies_a_window: int) -> Iterator[tuple[str, Files]]:
    """Triplets out of the client's own tables movie_info, movie_director and person, a slice of the movies a window.

    All of them show the tables as they were at one moment.
    """
    import psycopg
    from psycopg import IsolationLevel

    try:
        with psycopg.connect(source) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield from _slices(connection, windows, movies_a_window)
    except psycopg.Error as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WorldUnavailable(
            f"the client's tables {', '.join(CLIENT_TABLES.values())} could not be exported: {reason}"
        ) from error


def _slices(connection: "psycopg.Connection", windows: list[str], movies_a_window: int) -> Iterator[tuple[str, Files]]:
    pairs = _copied(connection, TYPE_B, "ORDER BY movie_id, person_id")
    people = _copied(connection, TYPE_C, "ORDER BY id")
    counted = connection.execute("SELECT count(*) FROM movie_info").fetchone()
    total = max(counted[0] if counted else 0, 1)
    for number, window in enumerate(windows):
        offset = number * movies_a_window % total
        movies = _copied(connection, TYPE_A, "ORDER BY id LIMIT {} OFFSET {}", movies_a_window, offset)
        contents = zip(TRIPLET, (movies, pairs, people), strict=True)
        yield window, {file_name(window, kind): data for kind, data in contents}


def _copied(connection: "psycopg.Connection", kind: DeliveredFile, tail: str, *values: int) -> bytes:
    """The columns of a file out of the client's table, as CSV with a header."""
    from psycopg import sql

    columns = sql.SQL(", ").join(map(sql.Identifier, kind.columns))
    rows = sql.SQL(tail).format(*map(sql.Literal, values))
    question = sql.SQL("COPY (SELECT {} FROM {} {}) TO STDOUT (FORMAT csv, HEADER)").format(
        columns, sql.Identifier(CLIENT_TABLES[kind.type]), rows
    )
    with connection.cursor() as cursor, cursor.copy(question) as chunks:
        return b"".join(bytes(chunk) for chunk in chunks)


def _csv(header: list[str], rows: Iterator[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _edit(kind: int, change: Callable[[bytes], bytes]) -> Callable[[Files, str], Files]:
    def apply(files: Files, window: str) -> Files:
        name = file_name(window, TRIPLET[kind])
        return {**files, name: change(files[name])}

    return apply


def _rename(kind: int, name_of: Callable[[str, str], str]) -> Callable[[Files, str], Files]:
    def apply(files: Files, window: str) -> Files:
        name = file_name(window, TRIPLET[kind])
        data = files.pop(name)
        return {**files, name_of(window, name): data}

    return apply


def _without(kind: int) -> Callable[[Files, str], Files]:
    def apply(files: Files, window: str) -> Files:
        files.pop(file_name(window, TRIPLET[kind]))
        return files

    return apply


def _records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def _cell(record: int, column: str, value: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        rows = _records(data)
        rows[record][rows[0].index(column)] = value
        return _csv(list(rows[0]), iter([list(row) for row in rows[1:]]))

    return change


def _reordered(data: bytes) -> bytes:
    rows = [list(reversed(row)) for row in _records(data)]
    return _csv(list(rows[0]), iter([list(row) for row in rows[1:]]))


def _without_column(data: bytes) -> bytes:
    rows = [row[:-1] for row in _records(data)]
    return _csv(list(rows[0]), iter([list(row) for row in rows[1:]]))


DEFECTS: dict[str, Callable[[Files, str], Files]] = {
    "empty file": _edit(2, lambda data: b""),
    "header only": _edit(0, lambda data: data.split(b"\n", 1)[0] + b"\n"),
    "missing file": _without(1),
    "extra file": lambda files, window: {**files, f"{window}_type_D.csv": b"id\n1\n"},
    "misnamed file": _rename(1, lambda window, name: name.replace("type_B", "typeB")),
    "file of another window": _rename(0, lambda window, name: name.replace(window, "202001010000")),
    "missing column": _edit(0, _without_column),
    "renamed column": _edit(0, lambda data: data.replace(b"imdb_rating", b"rating", 1)),
    "duplicated column": _edit(2, lambda data: data.replace(b"full_name", b"id", 1)),
    "latin-1 text": _edit(2, lambda data: data.decode().encode("latin-1", "replace") + b"999999,nm9999999,Ren\xe9\n"),
    "UTF-16 text": _edit(1, lambda data: data.decode().encode("utf-16")),
    "NUL byte": _edit(1, lambda data: data + b"\x00,1\n"),
    "unclosed quote": _edit(2, lambda data: data + b'999999,nm9999999,"Nobody\n'),
    "too few fields": _edit(0, lambda data: data + b"999999,tt9999999\n"),
    "too many fields": _edit(1, lambda data: data + b"1,2,3\n"),
    "gzip named .csv": _edit(0, lambda data: gzip.compress(data, mtime=0)),
    "CRLF line ends": _edit(1, lambda data: data.replace(b"\n", b"\r\n")),
    "byte order mark": _edit(2, lambda data: b"\xef\xbb\xbf" + data),
    "reordered columns": _edit(0, _reordered),
    "rating of 11": _edit(0, _cell(1, "imdb_rating", "11")),
    "id that is no number": _edit(0, _cell(2, "id", "unknown")),
    "blank title": _edit(0, _cell(3, "title", "")),
}
"""What goes wrong with real deliveries; the last six are accepted, as a whole or but for the row."""
