"""The daily file of rated movies: a thousand invented films with the traits, and the defects, of the real ones."""

import csv
import io
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

FILE_NAME = "imdb_movies_rating.csv"
COLUMNS = (
    "Poster_Link",
    "Series_Title",
    "Released_Year",
    "Certificate",
    "Runtime",
    "Genre",
    "IMDB_Rating",
    "Overview",
    "Meta_score",
    "Director",
    "Star1",
    "Star2",
    "Star3",
    "Star4",
    "No_of_Votes",
    "Gross",
)

# Shares of the real file, in thousandths; a delivery of another size keeps them.
_CERTIFICATES = (
    ("U", 234),
    ("A", 197),
    ("UA", 175),
    ("R", 146),
    ("", 101),
    ("PG-13", 43),
    ("PG", 37),
    ("Passed", 34),
    ("G", 12),
    ("Approved", 11),
    ("TV-PG", 3),
    ("GP", 2),
    ("TV-14", 1),
    ("16", 1),
    ("TV-MA", 1),
    ("Unrated", 1),
    ("U/A", 1),
)
_RATINGS = (
    (9.3, 1),
    (9.2, 1),
    (9.0, 3),
    (8.9, 3),
    (8.8, 5),
    (8.7, 5),
    (8.6, 15),
    (8.5, 20),
    (8.4, 31),
    (8.3, 44),
    (8.2, 67),
    (8.1, 127),
    (8.0, 141),
    (7.9, 106),
    (7.8, 151),
    (7.7, 157),
    (7.6, 123),
)
_BLANK_META_SCORES = 157
_BLANK_GROSSES = 169
_SHARED_STARS = 220
_RARE_META_SCORES = (28, 30, 33, 36, 38, 40, 43, 45)
_META_SCORES = NormalDist(79, 12)
_FEWEST_VOTES, _MOST_VOTES = 25_088, 2_343_110
_LOGARITHMS_OF_VOTES = NormalDist(math.log(138_548), 1.18)
_YEARS = tuple(year for year in range(1920, 2021) if year not in (1923, 1929))
_RARE_YEARS = (
    *(1920, 1921, 1922, 1924, 1925, 1926, 1927, 1928, 1930, 1931, 1932, 1933, 1934, 1935, 1936, 1937, 1938, 1941),
    *(1942, 1943, 1944, 1945, 1947, 1949, 1952, 1953, 1956, 1958, 1961, 1963, 1965, 1969, 1970, 1977, 1981, 1983),
)
_LONGEST_GENRES = 29
_LONGEST_OVERVIEW = 313

_GIVEN = (
    *("Ada", "Björn", "Chiara", "Dmitri", "Élodie", "Farouk", "Grażyna", "Hiro", "Ines", "João", "Kerstin", "Liam"),
    *("Mei", "Noor", "Olga", "Pilar", "Quentin", "Rosa", "Sven", "Tariq", "Uma", "Viktor", "Wanda", "Xin", "Yara"),
    *("Zoë", "Anselm", "Bianca", "Cosmo", "Delphine", "Emeka", "Freya", "Goran", "Hanna", "Ivo", "Jolanda", "Kofi"),
)
_FAMILY = (
    *("Abara", "Bergström", "Castellanos", "Dubois", "Eriksen", "Fontaine", "Grünwald", "Hayashi", "Ivanova"),
    *("Jensen", "Kowalczyk", "Lindqvist", "Moreau", "Nakamura", "O'Rourke", "Petrov", "Quispe", "Rossi", "Świątek"),
    *("Tanaka", "Ueda", "Vasquez", "Whitlock", "Xanthos", "Yilmaz", "Zapata", "Adeyemi", "Brandt", "Cruz"),
)
_ADJECTIVES = (
    *("Silent", "Crimson", "Last", "Hidden", "Borrowed", "Endless", "Paper", "Northern", "Broken", "Distant"),
    *("Electric", "Forgotten", "Golden", "Hollow", "Idle", "Jagged", "Kind", "Lonely", "Midnight", "Narrow"),
    *("Open", "Pale", "Quiet", "Restless", "Salted", "Tender", "Unlit", "Velvet", "Wandering", "Yellow"),
)
_NOUNS = (
    *("Harbor", "Orchard", "Letters", "Winter", "Machine", "River", "Sisters", "Kingdom", "Mirror", "Garden"),
    *("Signal", "Promise", "Anthem", "Bridge", "Compass", "Dowry", "Ember", "Ferry", "Glacier", "Horizon"),
    *("Island", "Jury", "Kite", "Lantern", "Meadow", "Notebook", "Oath", "Parade", "Quarry", "Railway"),
    *("Station", "Theatre", "Umbrella", "Voyage", "Witness", "Year"),
)
_GENRES = ("Drama", "Comedy", "Crime", "Adventure", "Action", "Thriller", "Romance", "Biography", "Mystery", "War")
_HEROES = (
    "retired cartographer",
    "young notary",
    "night porter",
    "piano tuner",
    "lighthouse keeper",
    "court stenographer",
)
_PLACES = (
    "a harbor town",
    "the old observatory",
    "a border village",
    "the last cinema",
    "an island school",
    "the archive",
)
_TURNS = (
    "finds that the coast has moved",
    'hears the same word, "tomorrow", from every stranger',
    "inherits a debt, a dog, and a map",
    "must choose between a promise and a train",
    'learns what "home" has cost, and who has paid',
    "keeps a secret that the whole street knows",
)
_ENDS = ("before winter", "in a single night", "while the war goes on", "and nobody is sure who asked", "too late")


@dataclass(frozen=True)
class MovieCritic:
    """Makes daily deliveries; the same seed and day give the same bytes.

    A delivery of a thousand rows has 157 blank meta scores, 169 blank grosses, 101 blank certificates, one certificate
    in a year, and 33 ratings above 8.5; one of another size has the same shares. A thousand rows of any day pass
    the `recommended` ruleset but for the certificate in a year.
    """

    seed: int = 0
    rows: int = 1_000

    def delivery(self, day: str = "") -> bytes:
        """The day's file, CSV with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.records(day))
        return text.getvalue().encode()

    def records(self, day: str = "") -> Iterator[Sequence[object]]:
        """The day's rows, best rating first, as the source sorts them."""
        choice = random.Random(f"{self.seed}/{day}")
        count = self.rows
        ratings = sorted(self._spread(_RATINGS), reverse=True)
        certificates = self._spread(_CERTIFICATES)
        choice.shuffle(certificates)
        years = self._years(choice)
        titles = self._titles(choice)
        people = [f"{given} {family}" for given, family in product(_GIVEN, _FAMILY)]
        thirds = self._thirds(people, choice)
        no_score = set(choice.sample(range(count), self._share(_BLANK_META_SCORES)))
        no_gross = set(choice.sample(range(count), self._share(_BLANK_GROSSES)))
        votes = self._votes(choice)
        scores = self._meta_scores(choice)
        for number in range(count):
            runtime = min(max(round(choice.gauss(122, 28)), 45), 321)
            gross = round(10 ** choice.uniform(3.2, 8.9))
            yield [
                self._poster(number, choice),
                titles[number],
                years[number],
                certificates[number],
                f"{runtime} min",
                self._genres(choice),
                f"{ratings[number]:.1f}",
                self._overview(number, choice),
                "" if number in no_score else scores.pop(),
                choice.choice(people),
                choice.choice(people),
                choice.choice(people),
                thirds[number],
                choice.choice(people),
                votes[number],
                "" if number in no_gross else f"{gross:,}",
            ]

    def _share(self, thousandths: int) -> int:
        return round(thousandths * self.rows / 1_000)

    def _spread(self, shares: Sequence[tuple[T, int]]) -> list[T]:
        """Each value as often as its share says; the most frequent one makes up for what rounding left."""
        values = [value for value, share in shares for _ in range(self._share(share))][: self.rows]
        most = max(shares, key=lambda pair: pair[1])[0]
        return values + [most] * (self.rows - len(values))

    def _years(self, choice: random.Random) -> list[str]:
        """Every year twice where there are rows enough, the usual ones more often, the later the more; one is none."""
        if self.rows == 0:
            return []
        twice = [str(year) for year in _YEARS for _ in range(2)]
        usual = [year for year in _YEARS if year not in _RARE_YEARS]
        weights = [1.0 + (year - _YEARS[0]) ** 2 / 1_000 for year in usual]
        more = choice.choices(usual, weights, k=max(self.rows - len(twice), 0))
        years = (twice + [str(year) for year in more])[: self.rows]
        choice.shuffle(years)
        years[choice.randrange(self.rows)] = "PG"
        return years

    def _titles(self, choice: random.Random) -> list[str]:
        """Unique but for one pair, as a remake has the title of its original."""
        names = [f"The {adjective} {noun}" for adjective, noun in product(_ADJECTIVES, _NOUNS)]
        choice.shuffle(names)
        titles = [
            names[number % len(names)] + (f", Part {number // len(names) + 1}" if number >= len(names) else "")
            for number in range(self.rows)
        ]
        if self.rows > 1:
            titles[-1] = titles[0]
        return titles

    def _meta_scores(self, choice: random.Random) -> list[int]:
        """The scores of the rows that have one, spread alike every day; the lowest occur once each."""
        scores = list(_RARE_META_SCORES) if self.rows >= 100 else []
        count = self.rows - self._share(_BLANK_META_SCORES) - len(scores)
        for number in range(count):
            scores.append(min(max(round(_META_SCORES.inv_cdf((number + 0.5) / count)), 47), 100))
        choice.shuffle(scores)
        return scores

    def _genres(self, choice: random.Random) -> str:
        genres = sorted(choice.sample(_GENRES, choice.choice((1, 2, 3, 3))))
        while len(", ".join(genres)) > _LONGEST_GENRES:
            genres.pop()
        return ", ".join(genres) if genres != ["War"] else "Drama, War"

    def _thirds(self, people: Sequence[str], choice: random.Random) -> list[str]:
        """Third billing: mostly people who appear once, but for a share who come back."""
        names = [
            people[number % len(people)] + (f" {number // len(people) + 1}" if number >= len(people) else "")
            for number in range(self.rows)
        ]
        for number in choice.sample(range(self.rows), self._share(_SHARED_STARS)):
            names[number] = people[number % 40]
        choice.shuffle(names)
        return names

    def _votes(self, choice: random.Random) -> list[int]:
        """Unique but for one pair, spread alike every day."""
        low, high = (_LOGARITHMS_OF_VOTES.cdf(math.log(votes)) for votes in (_FEWEST_VOTES, _MOST_VOTES))
        votes: dict[int, None] = {_FEWEST_VOTES: None, _MOST_VOTES: None}
        for number in range(self.rows):
            share = low + (high - low) * (number + choice.random()) / self.rows
            found = round(math.exp(_LOGARITHMS_OF_VOTES.inv_cdf(share)))
            while found in votes:
                found = min(found + 1, _MOST_VOTES - 1) if found < _MOST_VOTES - 1 else choice.randrange(_MOST_VOTES)
            votes[found] = None
        listed = list(votes)[: self.rows]
        if len(listed) > 3:
            listed[-1] = listed[-2]
        choice.shuffle(listed)
        return listed

    def _poster(self, number: int, choice: random.Random) -> str:
        token = "".join(
            choice.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=choice.randint(45, 92))
        )
        return f"https://posters.example/images/M/{number:06d}{token}_V1_UX67_CR0,0,67,98_AL_.jpg"

    def _overview(self, number: int, choice: random.Random) -> str:
        hero, place, turn, end = (choice.choice(words) for words in (_HEROES, _PLACES, _TURNS, _ENDS))
        first = f"A {hero} comes to {place} and {turn}, {end}."
        if number % 3 == 0:
            return f"{first} Case {number + 1:,}."
        second = f"Elsewhere, in chapter {number + 1:,}, a {choice.choice(_HEROES)} {choice.choice(_TURNS)}."
        third = f"Years later, {choice.choice(_PLACES)} remembers; one of them {choice.choice(_TURNS)}."
        whole = f"{first} {second} {third}"
        return whole if number % 3 == 2 and len(whole) <= _LONGEST_OVERVIEW else f"{first} {second}"


DEFECTS = (
    "",
    "records that are no rows: too few fields, nothing at all, bytes that are no text",
    "a vote count in words, a rating with a comma, a formula, markup and a terminal escape as titles",
    "no column Gross",
    "an empty file",
    "a header and nothing else",
    "ratings up to 8.5 that are all two points lower: nothing that a row shows, an anomaly beside the days before",
)
"""What is wrong with the deliveries of `defective`, one after the other."""


def defective(content: bytes, number: int) -> tuple[str, bytes]:
    """A delivery with the defect of this number (they repeat), and which one that is; the first is sound."""
    defect = number % len(DEFECTS)
    header, *rows = list(csv.reader(io.StringIO(content.decode())))
    if defect == 1:
        content += b'"The Short One",1999\n\n\xff\xfe broken bytes,1\n'
    elif defect == 2:
        changes: tuple[tuple[int, str], ...] = (
            (14, "many"),
            (6, "8,7"),
            (1, "=1+1"),
            (1, "<b>Bold</b>"),
            (1, "\x1b[31mRed"),
        )
        for row, (place, value) in zip(rows[::7], changes, strict=False):
            row[place] = value
        content = _csv([header, *rows])
    elif defect == 3:
        content = _csv([row[:15] for row in [header, *rows]])
    elif defect == 4:
        content = b""
    elif defect == 5:
        content = _csv([header])
    elif defect == 6:
        for row in rows:
            row[6] = row[6] if float(row[6]) > 8.5 else f"{float(row[6]) - 2:.1f}"
        content = _csv([header, *rows])
    return DEFECTS[defect], content


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
