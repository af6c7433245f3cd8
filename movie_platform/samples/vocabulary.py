"""The words that the sample of The Movies Dataset is made of."""

GENRES = (
    (28, "Action"),
    (12, "Adventure"),
    (16, "Animation"),
    (35, "Comedy"),
    (80, "Crime"),
    (99, "Documentary"),
    (18, "Drama"),
    (10751, "Family"),
    (14, "Fantasy"),
    (10769, "Foreign"),
    (36, "History"),
    (27, "Horror"),
    (10402, "Music"),
    (9648, "Mystery"),
    (10749, "Romance"),
    (878, "Science Fiction"),
    (10770, "TV Movie"),
    (53, "Thriller"),
    (10752, "War"),
    (37, "Western"),
)
LANGUAGES = (
    ("en", "English"),
    ("fr", "Français"),
    ("de", "Deutsch"),
    ("it", "Italiano"),
    ("es", "Español"),
    ("ja", "日本語"),
    ("ru", "Pусский"),
    ("ar", "العربية"),
    ("hi", "हिन्दी"),
    ("xx", "No Language"),
    ("sq", "shqip"),
    ("he", "עִבְרִית"),
)
COUNTRIES = (
    ("US", "United States of America"),
    ("GB", "United Kingdom"),
    ("FR", "France"),
    ("DE", "Germany"),
    ("IT", "Italy"),
    ("JP", "Japan"),
    ("CI", "Cote D'Ivoire"),
    ("LA", "Lao People's Democratic Republic"),
)
FIRST = (  # noqa: SIM905
    "Tom Tim Anna Zoë José Mary Jean-Luc Akira Björk Sinéad Ömer Lupita Wes Greta Bong Agnès"
).split()
LAST = (  # noqa: SIM905
    "Hanks O'Brien Allen D'Angelo Müller Kurosawa García Smith Nguyễn O'Hara Varda Anderson Kaya Lee Novák Ruiz"
).split()
ODD_NAMES = (
    'Dwayne "The Rock" O\'Johnson',
    "None",
    "Nobody, None",
    "[uncredited]",
    "{voice}: None, extra",
    "no\xa0break",
    "zero\u200bwidth",
    "tab\there",
    "two\nlines",
    "back\\slash",
    'The "Boss"',
    "宮崎 駿",
)
WORDS = (  # noqa: SIM905
    """a the of night love city war's last river "dream" ghost house girl boy king, road; summer winter """
    "secret train fire home blood moon old young killer detective family friend death music star sea."
).split()
DEPARTMENTS = (
    ("Directing", "Director"),
    ("Writing", "Screenplay"),
    ("Production", "Producer"),
    ("Camera", "Director of Photography"),
    ("Sound", "Original Music Composer"),
    ("Editing", "Editor"),
    ("Art", "Set Decoration"),
)
MOVIE_COLUMNS = (  # noqa: SIM905
    "adult belongs_to_collection budget genres homepage id imdb_id original_language original_title "
    "overview popularity poster_path production_companies production_countries release_date revenue "
    "runtime spoken_languages status tagline title video vote_average vote_count"
).split()
