"""The Movies Dataset as its publisher zips it, at any scale and with its defects; one seed, the same bytes."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from movie_platform.samples.vocabulary import (
    COUNTRIES,
    DEPARTMENTS,
    FIRST,
    GENRES,
    LANGUAGES,
    LAST,
    MOVIE_COLUMNS,
    ODD_NAMES,
    WORDS,
)

MOVIES = 45_466
KEYWORDS = 46_419
CREDITS = 45_476
LINKS = 45_843
RATINGS = 26_024_289
USERS = 270_896
COMPANIES = 23_000
PEOPLE = 350_000
KEYWORD_NAMES = 19_956
DUPLICATES = 30
BROKEN = 3
SPREADSHEET_BLANKS = 40_000
SPREADSHEET_CELL = 32_767

_ZIP_TIME = (2017, 11, 14, 0, 0, 0)
_BLOCK = 2_000
_RATINGS_BLOCK = 1_000_000

_RATING_TEXTS = pa.array([f"{half / 2:.1f}" for half in range(1, 11)])
_RATING_WEIGHTS = np.array([2, 4, 2, 8, 5, 20, 12, 27, 8, 12]) / 100


@dataclass
class Facts:
    """What was put into a sample: records per file, and how many of them carry a defect."""

    rows: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    duplicate_movies: int = 0
    blank: int = 0
    cut_off: int = 0


class _Shape:
    """Sizes of a sample, and how its cells are written."""

    def __init__(self, scale: float, seed: int, spreadsheet: bool) -> None:
        self.seed = seed
        self.spreadsheet = spreadsheet
        self.movies = max(round(MOVIES * scale), 60)
        self.keywords = max(round(KEYWORDS * scale), 60)
        self.credits = max(round(CREDITS * scale), 60)
        self.links = max(round(LINKS * scale), 60)
        self.users = max(round(USERS * scale), 60)
        # Nobody rates a movie twice, and nobody rates them all: a small sample has fewer ratings a user.
        self.ratings = min(max(round(RATINGS * scale), 1), self.users * self.links // 5)
        self.duplicates = max(min(round(DUPLICATES * scale), self.movies // 10), 3)
        self.companies = max(round(COMPANIES * scale), 40)
        self.people = max(round(PEOPLE * scale), 500)
        self.keyword_names = max(round(KEYWORD_NAMES * scale), 100)
        self.blanks = max(round(SPREADSHEET_BLANKS * scale), 50) if spreadsheet else 0
        unique = self.movies - 2 * BROKEN - self.duplicates
        random = self.random("ids")
        steps = random.integers(1, 20, unique)
        self.movie_ids = np.cumsum(steps)
        random.shuffle(self.movie_ids)

    def random(self, purpose: str) -> np.random.Generator:
        """A stream of its own per file, so that a change in one leaves the others alone."""
        return np.random.default_rng([self.seed, *purpose.encode()])


def write_dataset(
    path: Path, *, scale: float = 0.01, seed: int = 0, spreadsheet: bool = False, without: Iterable[str] = ()
) -> Facts:
    """Write `the-movies-dataset.zip` and say what is in it.

    Scale 1 has the real sizes. A `spreadsheet` copy went through one: other dates, TRUE and FALSE, rows with nothing in
    them, long cells cut off. Files named in `without` are left out.
    """
    shape = _Shape(scale, seed, spreadsheet)
    facts = Facts()
    files: dict[str, Callable[[], Iterator[bytes]]] = {
        "credits.csv": lambda: _text_file(shape, facts, "credits.csv", ["cast", "crew", "id"], _credits(shape)),
        "keywords.csv": lambda: _text_file(shape, facts, "keywords.csv", ["id", "keywords"], _keywords(shape)),
        "links.csv": lambda: _text_file(shape, facts, "links.csv", ["movieId", "imdbId", "tmdbId"], _links(shape)),
        "links_small.csv": lambda: _small(["movieId", "imdbId", "tmdbId"], "1,0114709,862"),
        "movies_metadata.csv": lambda: _text_file(
            shape, facts, "movies_metadata.csv", MOVIE_COLUMNS, _movies(shape, facts)
        ),
        "ratings.csv": lambda: _ratings(shape, facts),
        "ratings_small.csv": lambda: _small(["userId", "movieId", "rating", "timestamp"], "1,31,2.5,1260759144"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    left_out = set(without)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            if name not in left_out:
                member = zipfile.ZipInfo(name, _ZIP_TIME)
                member.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(member, "w", force_zip64=True) as stream:
                    for data in _ahead(content()):
                        stream.write(data)
    return facts


def _ahead(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same, the next piece made while this one is compressed."""
    with ThreadPoolExecutor(1) as maker:
        upcoming = maker.submit(next, content, None)
        while (data := upcoming.result()) is not None:
            upcoming = maker.submit(next, content, None)
            yield data


def _small(header: Sequence[str], row: str) -> Iterator[bytes]:
    yield f"{','.join(header)}\n{row}\n".encode()


Row = list[Any] | str
"""Cells of a record, or a line as it stands in the file."""


def _text_file(shape: _Shape, facts: Facts, name: str, header: Sequence[str], rows: Iterator[Row]) -> Iterator[bytes]:
    end = "\r\n" if shape.spreadsheet else "\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=end)
    writer.writerow(header)
    count = 0
    for row in _with_blanks(shape, facts, len(header), rows) if shape.spreadsheet else rows:
        if isinstance(row, str):
            buffer.write(row + end)
        else:
            writer.writerow(row)
        count += 1
        if count % 500 == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    facts.rows[name] = count
    yield buffer.getvalue().encode()


def _with_blanks(shape: _Shape, facts: Facts, width: int, rows: Iterator[Row]) -> Iterator[Row]:
    """A spreadsheet cuts long cells, fills short rows, and leaves rows with nothing in them."""
    blank: Row = "," * (width - 1)
    for number, row in enumerate(rows):
        if number == 20:
            yield from (blank for _ in range(shape.blanks // 2))
        if not isinstance(row, str):
            if any(isinstance(cell, str) and len(cell) > SPREADSHEET_CELL for cell in row):
                facts.cut_off += 1
            row = [cell[:SPREADSHEET_CELL] if isinstance(cell, str) else cell for cell in row]
            row += [""] * (width - len(row))
        yield row
    yield from (blank for _ in range(shape.blanks - shape.blanks // 2))
    facts.blank += shape.blanks


def _person_names(shape: _Shape) -> list[str]:
    random = shape.random("people")
    firsts, lasts = random.integers(0, len(FIRST), shape.people), random.integers(0, len(LAST), shape.people)
    names = [f"{FIRST[a]} {LAST[b]}" for a, b in zip(firsts.tolist(), lasts.tolist(), strict=True)]
    for position, name in enumerate(ODD_NAMES * max(shape.people // 20_000, 1)):
        names[(position * 1009 + 7) % shape.people] = name
    return names


def _skewed(random: np.random.Generator, bound: int, count: int, power: float = 3.0) -> np.ndarray:
    """Numbers below the bound, small ones far more often, as with companies and movies people talk about."""
    return (bound * random.random(count) ** power).astype(np.int64)


def _sentence(random: np.random.Generator, words: int) -> str:
    return " ".join(WORDS[word] for word in random.integers(0, len(WORDS), words).tolist()).capitalize()


def _path(number: int) -> str:
    return f"/{number:027x}.jpg"


def _movies(shape: _Shape, facts: Facts) -> Iterator[Row]:
    random = shape.random("movies")
    titles = shape.random("titles")
    companies = [{"name": _company(number), "id": number + 1} for number in range(shape.companies)]
    written: list[Row] = []
    breaks = {shape.movies * part // 7 for part in (2, 4, 6)}
    repeats = set(np.linspace(30, len(shape.movie_ids) - 1, shape.duplicates).astype(int).tolist())
    for number, movie_id in enumerate(shape.movie_ids.tolist()):
        row = _movie(shape, random, titles, companies, number, movie_id)
        yield row
        if number in repeats:
            written.append(row)
        if number % 40 == 0:
            for earlier in written:
                yield _repeated(earlier, random)
                facts.duplicate_movies += 1
            written.clear()
        if number in breaks:
            yield from _broken(shape, row, movie_id)
            facts.broken += 2
    for earlier in written:
        yield _repeated(earlier, random)
        facts.duplicate_movies += 1


def _company(number: int) -> str:
    odd = ('Company "Quote" Ltd.', "O'Neil & Sons, Inc.", "Studio [1]", "Nil by Mouth", "Paramount Pictures", "Pixar")
    return odd[number] if number < len(odd) else f"{LAST[number % len(LAST)]} Film {number}"


def _movie(
    shape: _Shape,
    random: np.random.Generator,
    titles: np.random.Generator,
    companies: list[dict[str, Any]],
    number: int,
    movie_id: int,
) -> list[Any]:
    chance = random.random(24).tolist()
    genres = [
        {"id": GENRES[index][0], "name": GENRES[index][1]}
        for index in dict.fromkeys(_skewed(random, len(GENRES), int(chance[0] * 4.3), 1.5).tolist())
    ]
    makers = [
        companies[index] for index in dict.fromkeys(_skewed(random, len(companies), int(chance[1] ** 2 * 5.5)).tolist())
    ]
    countries = [
        {"iso_3166_1": code, "name": name}
        for code, name in COUNTRIES[: 1 + int(chance[2] ** 6 * 4)][int(chance[3] < 0.1) :]
    ]
    language = int(chance[4] ** 4 * len(LANGUAGES))
    spoken = [
        {"iso_639_1": code, "name": name} for code, name in LANGUAGES[language : language + 1 + int(chance[5] * 1.3)]
    ]
    released = date(1915, 1, 1) + timedelta(days=int(37_500 * chance[6] ** 0.4))
    known = chance[7] < 0.2
    title = _sentence(titles, 1 + int(chance[8] * 4))
    collection = _collection(title, number, chance[9])
    budget = int(chance[10] ** 3 * 2e8) if known else 0
    overview = _sentence(titles, 20 + int(chance[11] * 60))
    if chance[12] < 0.03:
        overview += '\n\nSecond paragraph, "with quotes".'
    return [
        _truth(shape, chance[13] < 0.0002),
        repr(collection) if chance[14] < 0.1 else "",
        "" if chance[15] < 0.001 else str(budget),
        repr(genres),
        f"http://www.example.com/{movie_id}" if chance[16] < 0.17 else "",
        str(movie_id),
        "" if number % 2700 == 99 else f"tt{movie_id:07d}",
        LANGUAGES[language][0],
        f" {title} " if chance[12] > 0.99 else title,
        overview,
        "" if number % 9000 == 77 else f"{chance[17] ** 5 * 40:.6f}",
        _path(number) if chance[18] < 0.99 else "",
        repr(makers),
        repr(countries),
        _release_date(shape, released, number),
        "" if number % 9000 == 78 else str(int(budget * chance[19] * 6)),
        "" if number % 170 == 55 else f"{60 + int(chance[20] * 90)}.0",
        repr(spoken),
        "Released" if chance[21] < 0.99 else "Rumored",
        _sentence(titles, 6) if chance[22] < 0.45 else "",
        title,
        _truth(shape, chance[13] > 0.998),
        f"{chance[23] * 10:.1f}",
        "" if number % 9000 == 79 else str(int(chance[17] ** 5 * 6000)),
    ]


def _collection(title: str, number: int, chance: float) -> dict[str, Any]:
    return {
        "id": 10_000 + number,
        "name": f"{title} Collection",
        "poster_path": None if chance < 0.1 else _path(number),
        "backdrop_path": None if chance < 0.3 else _path(number + 1),
    }


def _truth(shape: _Shape, value: bool) -> str:
    return str(value).upper() if shape.spreadsheet else str(value)


def _release_date(shape: _Shape, released: date, number: int) -> str:
    if number % 520 == 44:
        return ""
    if number % 15_000 == 45:
        return "unknown"
    return f"{released.month}/{released.day}/{released.year}" if shape.spreadsheet else released.isoformat()


def _repeated(row: Row, random: np.random.Generator) -> Row:
    """The same movie again, as the publisher's download had it a moment later."""
    again = list(row)
    again[10] = f"{float(again[10] or 0) + random.random() / 10:.6f}"
    again[23] = str(int(again[23] or 0) + int(random.integers(0, 3)))
    return again


def _broken(shape: _Shape, row: Row, movie_id: int) -> Iterator[Row]:
    """One record over two lines, because a line break in its overview has no quotes around it."""
    cells = list(row)
    cells[5] = str(movie_id + 1_000_000)
    cells[9] = "Cut by a line break"
    yield cells[:10]
    yield [
        " - Written by Ørnås",
        f"{float(cells[10] or 0):.6f}",
        cells[11] or _path(movie_id),
        *cells[12:14],
        cells[14] or "1997-08-20",
        *cells[15:],
    ]


def _with_repeats(rows: Iterator[Row], total: int, differing: Callable[[Row], Row]) -> Iterator[Row]:
    """The rows, then some of them again until there are `total`: most of them the same, a few with another list."""
    kept: list[Row] = []
    count = 0
    for count, row in enumerate(rows, 1):
        yield row
        if count % 43 == 5:
            kept.append(row)
    for number in range(total - count):
        row = kept[number % len(kept)]
        yield differing(row) if number % 12 == 3 else row


def _keywords(shape: _Shape) -> Iterator[Row]:
    names = [f"{WORDS[n % len(WORDS)]} {WORDS[n // 7 % len(WORDS)]} {n}" for n in range(shape.keyword_names)]
    names[1] = 'woman\'s "best" friend'
    names[2] = "based on novel or book's plot"

    def rows() -> Iterator[Row]:
        random = shape.random("keywords")
        for movie_id in shape.movie_ids.tolist():
            picked = dict.fromkeys(_skewed(random, len(names), int(random.random() ** 2 * 11), 2.0).tolist())
            yield [str(movie_id), repr([{"id": key + 1, "name": names[key]} for key in picked])]

    return _with_repeats(rows(), shape.keywords, lambda row: [row[0], "[]"])


def _credits(shape: _Shape) -> Iterator[Row]:
    people = _person_names(shape)

    def rows() -> Iterator[Row]:
        random = shape.random("credits")
        for first in range(0, len(shape.movie_ids), _BLOCK):
            movie_ids = shape.movie_ids[first : first + _BLOCK]
            cast_sizes = (random.random(len(movie_ids)) ** 1.6 * 32).astype(int)
            crew_sizes = (random.random(len(movie_ids)) ** 1.9 * 29).astype(int)
            cast_sizes[:: max(len(movie_ids) // 3, 1)] = 230
            cast = iter(_cast(random, people, int(cast_sizes.sum())))
            crew = iter(_crew(random, people, int(crew_sizes.sum())))
            sizes = zip(movie_ids.tolist(), cast_sizes.tolist(), crew_sizes.tolist(), strict=True)
            for movie_id, actors, makers in sizes:
                members = [{**next(cast), "order": order} for order in range(actors)]
                yield [
                    repr([{key: member[key] for key in _CAST_KEYS} for member in members]),
                    repr([next(crew) for _ in range(makers)]),
                    str(movie_id),
                ]

    return _with_repeats(rows(), shape.credits, lambda row: [row[0], "[]", row[2]])


_CAST_KEYS = ("cast_id", "character", "credit_id", "gender", "id", "name", "order", "profile_path")


def _cast(random: np.random.Generator, people: list[str], count: int) -> Iterator[dict[str, Any]]:
    for cast_id, role, credit, person, photo in zip(
        random.integers(1, 60, count).tolist(),
        _roles(random, count),
        random.integers(0, 2**62, count).tolist(),
        _skewed(random, len(people), count, 2.0).tolist(),
        random.random(count).tolist(),
        strict=True,
    ):
        yield {
            "cast_id": cast_id,
            "character": _character(role),
            "credit_id": f"52fe{credit:020x}",
            "gender": person % 3,
            "id": person + 1,
            "name": people[person],
            "profile_path": None if photo < 0.3 else _path(person),
        }


def _roles(random: np.random.Generator, count: int) -> list[int]:
    """Odd roles are rare, but even a small sample has each of them."""
    roles: list[int] = random.integers(0, 40_000, count).tolist()
    roles[: len(ODD_NAMES)] = range(min(len(ODD_NAMES), count))
    return roles


def _character(role: int) -> str:
    if role < len(ODD_NAMES):
        return ODD_NAMES[role]
    if role < 4_000:
        return ""
    return f"{FIRST[role % len(FIRST)]} {WORDS[role % len(WORDS)]}" + (" (voice)" if role % 9 == 0 else "")


def _crew(random: np.random.Generator, people: list[str], count: int) -> Iterator[dict[str, Any]]:
    for credit, duty, person, photo in zip(
        random.integers(0, 2**62, count).tolist(),
        random.integers(0, len(DEPARTMENTS), count).tolist(),
        _skewed(random, len(people), count, 2.0).tolist(),
        random.random(count).tolist(),
        strict=True,
    ):
        department, job = DEPARTMENTS[duty]
        yield {
            "credit_id": f"52fe{credit:020x}",
            "department": department,
            "gender": person % 3,
            "id": person + 1,
            "job": job,
            "name": people[person],
            "profile_path": None if photo < 0.7 else _path(person),
        }


def _links(shape: _Shape) -> Iterator[Row]:
    """Every link's movieId in order; a few without tmdbId, some to movies that the metadata does not have."""
    random = shape.random("links")
    tmdb_ids = shape.movie_ids.tolist()
    random.shuffle(tmdb_ids)
    unknown = max(int(shape.movie_ids.max()), 1) + 1
    for number in range(shape.links):
        tmdb_id = tmdb_ids[number] if number < len(tmdb_ids) else unknown + number
        imdb_id = tmdb_id % 10_000_000
        yield [
            str(_link_id(number)),
            str(imdb_id) if shape.spreadsheet else f"{imdb_id:07d}",
            "" if number % 209 == 11 else str(tmdb_id),
        ]


def _link_id(number: Any) -> Any:
    """The publisher's movie ids have gaps that widen."""
    return number + 1 + number // 10 * 2


def _ratings(shape: _Shape, facts: Facts) -> Iterator[bytes]:
    random = shape.random("ratings")
    end = b"\r\n" if shape.spreadsheet else b"\n"
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none", eol=end.decode())
    yield b"userId,movieId,rating,timestamp" + end
    facts.rows["ratings.csv"] = shape.ratings
    blocks = max(round(shape.ratings / _RATINGS_BLOCK), 1)
    for block in range(blocks):
        count = shape.ratings * (block + 1) // blocks - shape.ratings * block // blocks
        first_user = shape.users * block // blocks
        users = max(shape.users * (block + 1) // blocks - first_user, 1)
        keys = _pairs(random, shape, users, count)
        table = pa.table(
            {
                "userId": keys // shape.links + first_user + 1,
                "movieId": _link_id(keys % shape.links),
                "rating": _RATING_TEXTS.take(pa.array(random.choice(10, count, p=_RATING_WEIGHTS))),
                "timestamp": random.integers(789_652_009, 1_501_829_870, count),
            }
        )
        sink = io.BytesIO()
        pyarrow.csv.write_csv(table, sink, options)
        yield sink.getvalue()


def _pairs(random: np.random.Generator, shape: _Shape, users: int, count: int) -> np.ndarray:
    """Distinct (user, movie) pairs in order, busy users and popular movies far more often than others."""
    keys = np.empty(0, np.int64)
    while len(keys) < count:
        more = count - len(keys) + count // 8 + 100
        drawn = _skewed(random, users, more, 1.7) * shape.links + _skewed(random, shape.links, more, 2.2)
        keys = np.sort(np.concatenate([keys, drawn]))
        keys = keys[np.diff(keys, prepend=-1) > 0]
    surplus = np.zeros(len(keys), bool)
    surplus[random.permutation(len(keys))[: len(keys) - count]] = True
    return keys[~surplus]
