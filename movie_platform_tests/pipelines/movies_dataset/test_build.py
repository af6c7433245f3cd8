"""Given this zip, these tables: every row of a file is out, merged or rejected, and says so."""

import csv
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from movie_platform.engine import Engine
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.pipelines.movies_dataset.archive import Limits
from movie_platform.pipelines.movies_dataset.build import build_dataset
from movie_platform.pipelines.movies_dataset.report import BuildReport
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.progress import LogProgress
from movie_platform.samples.movies_dataset import write_dataset
from movie_platform_tests.pipelines.movies_dataset.zips import Row, movie, zip_of


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with DuckDBEngine() as engine:
        yield engine


class Built:
    def __init__(self, folder: Path, report: BuildReport) -> None:
        self.folder, self.report = folder, report

    def rows(self, table: str) -> list[dict[str, Any]]:
        return pq.read_table(self.folder / f"{table}.parquet").to_pylist()

    def rejects(self, file: str) -> list[tuple[Any, ...]]:
        rows = pq.read_table(self.folder / "rejects" / f"{file}.parquet").to_pylist()
        return [(row["record_number"], row["scope"], row["reason"], row["column"], row["raw"]) for row in rows]


@pytest.fixture
def build(engine: Engine, tmp_path: Path) -> Any:
    def build(files: Mapping[str, Sequence[Row]], **options: Any) -> Built:
        archive = zip_of(tmp_path / "the-movies-dataset.zip", files)
        report = build_dataset(archive, tmp_path / "out", engine, progress=LogProgress(), **options)
        return Built(tmp_path / "out", report)

    return build


GENRES = "[{'id': 35, 'name': 'Comedy'}, {'id': 80, 'name': 'Crime'}]"
COMPANIES = "[{'name': 'Handmade Films Ltd.', 'id': 146}, {'name': 'Summit Entertainment', 'id': 491}]"


def test_a_movie_has_the_types_of_the_model(build: Any) -> None:
    row = movie(
        "100",
        " Lock, Stock ",
        belongs_to_collection="{'id': 86224, 'name': 'The Saint', 'poster_path': '/3.jpg', 'backdrop_path': None}",
        budget="1350000",
        genres=GENRES,
        popularity="4.60786",
        production_companies=COMPANIES,
        production_countries="[{'iso_3166_1': 'GB', 'name': 'United Kingdom'}]",
        release_date="1998-03-05",
        revenue="3897569",
        runtime="105.0",
        spoken_languages="[{'iso_639_1': 'en', 'name': ' English '}]",
        vote_average="7.5",
        vote_count="1671.0",
        adult="FALSE",
        video="True",
    )
    (found,) = build({"movies_metadata.csv": [row]}).rows("movies_master")
    expected = {
        "id": 100,
        "title": "Lock, Stock",
        "adult": False,
        "video": True,
        "budget": 1350000,
        "revenue": 3897569,
        "popularity": 4.60786,
        "runtime": 105.0,
        "vote_average": 7.5,
        "vote_count": 1671,
        "release_date": date(1998, 3, 5),
        "belongs_to_collection": {"id": 86224, "name": "The Saint", "poster_path": "/3.jpg", "backdrop_path": None},
        "genres": [{"id": 35, "name": "Comedy"}, {"id": 80, "name": "Crime"}],
        "production_countries": [{"iso_3166_1": "GB", "name": "United Kingdom"}],
        "spoken_languages": [{"iso_639_1": "en", "name": " English "}],
        "tagline": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_blank_numbers_are_zero_and_a_blank_runtime_is_unknown(build: Any) -> None:
    (found,) = build({"movies_metadata.csv": [movie(1, release_date="")]}).rows("movies_master")
    zeros = {name: found[name] for name in ("budget", "popularity", "revenue", "vote_count")}
    assert zeros == dict.fromkeys(zeros, 0)
    assert found["runtime"] is found["vote_average"] is found["release_date"] is None


def test_a_repeated_id_is_one_movie_with_averaged_numbers_and_the_first_of_the_rest(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [
                movie(1, "First", popularity="0.1", vote_count="3", budget="", tagline=""),
                movie(2, "Between"),
                movie(1, "Second", popularity="0.2", vote_count="4", budget="10", tagline="Line"),
                movie(1, "Third", popularity="0.3", vote_count="4", budget="11", tagline="Other"),
            ]
        }
    )
    first, between = built.rows("movies_master")
    assert (first["title"], first["tagline"]) == ("First", "Line")
    assert (first["popularity"], first["vote_count"], first["budget"]) == (0.2, 4, 11)
    assert between["id"] == 2
    (account,) = built.report.files
    assert (account.records, account.out, account.merged, account.rejected) == (4, 2, 2, 0)


def test_broken_records_are_rejected_with_number_reason_and_text(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [
                movie(1),
                "False,,0,[],,82663,tt0113002,en,Midnight Man,British soldiers",
                " - Written by Ørnås,0.065736,/ff9.jpg,[],[],1997-08-20,0,104.0,[],Released,,Midnight Man,False,6.0,1",
                "",
                "," * 23,
                movie("1997-08-20"),
                movie(3, ""),
                movie(2),
            ]
        }
    )
    assert [row["id"] for row in built.rows("movies_master")] == [1, 2]
    rejects = built.rejects("movies_metadata")
    assert [(number, reason, column) for number, _, reason, column, _ in rejects] == [
        (2, "10 fields where the header has 24", None),
        (3, "15 fields where the header has 24", None),
        (4, "blank", None),
        (5, "blank", None),
        (6, "not an integer", "id"),
        (7, "required, but blank", "title"),
    ]
    assert rejects[0][4] == "False,,0,[],,82663,tt0113002,en,Midnight Man,British soldiers"
    assert built.report.is_conserved


def test_a_cell_that_does_not_read_is_null_and_reported_while_its_movie_stays(build: Any) -> None:
    row = movie(1, genres="[{'id': 35, 'na", release_date="soon", budget="/a.jpg", adult="maybe", popularity="high")
    built = build({"movies_metadata.csv": [row]})
    (found,) = built.rows("movies_master")
    assert (found["genres"], found["release_date"], found["budget"], found["adult"]) == (None, None, 0, None)
    assert [(scope, reason, column, raw) for _, scope, reason, column, raw in built.rejects("movies_metadata")] == [
        ("cell", "neither true nor false", "adult", "maybe"),
        ("cell", "not an integer, or beyond a trillion", "budget", "/a.jpg"),
        ("cell", "not a literal of its column's type", "genres", "[{'id': 35, 'na"),
        ("cell", "not a number, or beyond a trillion", "popularity", "high"),
        ("cell", "not a date", "release_date", "soon"),
    ]
    (account,) = built.report.files
    assert (account.out, account.rejected, sum(account.bad_cells.values())) == (1, 0, 5)


def test_a_cell_that_is_too_large_a_literal_is_rejected_for_that(build: Any) -> None:
    many = "[" + "1," * 300_000 + "]"
    files = {"movies_metadata.csv": [movie(1, genres=many)], "keywords.csv": [(1, many)]}
    built = build(files, limits=Limits(max_ratio=1_000))
    reason = "not a literal of its column's type, or one of more than 200,000 parts"
    assert [(scope, why, column) for _, scope, why, column, _ in built.rejects("movies_metadata")] == [
        ("cell", reason, "genres")
    ]
    assert [(scope, why, column) for _, scope, why, column, _ in built.rejects("keywords")] == [
        ("row", reason, "keywords")
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1995-10-30", date(1995, 10, 30)),
        ("10/30/1995", date(1995, 10, 30)),
        ("1/5/1995", date(1995, 1, 5)),
        (" 1995-10-30 ", date(1995, 10, 30)),
        ("2/30/1995", None),
        ("1995", None),
        ("30.10.1995", None),
        ("0001-01-01", date(1, 1, 1)),
        ("12/31/9999", date(9999, 12, 31)),
        ("0000-12-31", None),
        ("12/31/0000", None),
    ],
)
def test_dates(build: Any, written: str, read: date | None) -> None:
    (found,) = build({"movies_metadata.csv": [movie(1, release_date=written)]}).rows("movies_master")
    assert found["release_date"] == read


@pytest.mark.parametrize(
    ("column", "cell", "instead"),
    [
        ("revenue", "9223372036854775807", 0),
        ("budget", "-9223372036854775808", 0),
        ("vote_count", "1000000000001", 0),
        ("popularity", "1e999", 0),
        ("runtime", "-1e999", None),
        ("vote_average", "1e308", None),
    ],
)
def test_a_number_that_no_movie_has_is_null_and_reported(build: Any, column: str, cell: str, instead: Any) -> None:
    built = build({"movies_metadata.csv": [movie(1, **{column: cell}), movie(2), movie(1, **{column: cell})]})
    assert [row[column] for row in built.rows("movies_master")] == [instead, instead]
    rejects = [(number, scope, name, raw) for number, scope, _, name, raw in built.rejects("movies_metadata")]
    assert rejects == [(1, "cell", column, cell), (3, "cell", column, cell)]


def test_the_largest_numbers_that_are_taken_can_be_subtracted_and_averaged(build: Any) -> None:
    extremes = {"revenue": "1000000000000", "budget": "-1000000000000", "popularity": "1e12"}
    built = build({"movies_metadata.csv": [movie(1, **extremes), movie(1, **{**extremes, "revenue": "999999999998"})]})
    (found,) = built.rows("movies_aggregated")
    assert (found["revenue"], found["profit"], found["popularity"]) == (10**12 - 1, 2 * 10**12 - 1, 1e12)
    assert built.rejects("movies_metadata") == []


def test_aggregated_has_a_row_per_movie_genre_and_company_and_keeps_movies_without(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [
                movie(1, genres=GENRES, production_companies=COMPANIES, budget="10", revenue="25", popularity="1.5"),
                movie(2, genres="[{'id': 35, 'name': 'Comedy'}, {'id': 35, 'name': 'Comedy'}]", release_date=""),
                movie(3, budget="5"),
            ]
        }
    )
    rows = [(row["movie_id"], row["genre"], row["production_company"]) for row in built.rows("movies_aggregated")]
    assert rows == [
        (1, "Comedy", "Handmade Films Ltd."),
        (1, "Comedy", "Summit Entertainment"),
        (1, "Crime", "Handmade Films Ltd."),
        (1, "Crime", "Summit Entertainment"),
        (2, "Comedy", None),
        (3, None, None),
    ]
    first, *_, undated, loss = built.rows("movies_aggregated")
    assert (first["release_year"], first["profit"], first["popularity"]) == (1995, 15, 1.5)
    assert undated["release_year"] is None
    assert loss["profit"] == -5


CAST = (
    "[{'cast_id': 14, 'character': 'Woody (voice)', 'credit_id': '52fe', 'gender': 2, 'id': 31, 'name': 'Tom Hanks', "
    "'order': 0, 'profile_path': None}]"
)
CREW = (
    "[{'credit_id': '52ff', 'department': 'Directing', 'gender': 2, 'id': 7879, 'job': 'Director', "
    "'name': 'John Lasseter', 'profile_path': '/7.jpg'}]"
)


def test_keywords_and_credits_become_a_row_each(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [movie(862)],
            "keywords.csv": [(862, "[{'id': 931, 'name': 'jealousy'}, {'id': 4290, 'name': 'toy'}]"), (863, "[]")],
            "credits.csv": [(CAST, CREW, 862), ("[]", CREW, 5)],
        }
    )
    assert built.rows("keywords_master") == [
        {"movie_id": 862, "keyword_id": 931, "keyword": "jealousy"},
        {"movie_id": 862, "keyword_id": 4290, "keyword": "toy"},
    ]
    (member,) = built.rows("cast_master")
    assert member["profile_path"] is None
    assert (member["movie_id"], member["character"], member["order"]) == (862, "Woody (voice)", 0)
    assert [(row["movie_id"], row["job"]) for row in built.rows("crew_master")] == [(862, "Director"), (5, "Director")]
    assert [row["movie_id"] for row in built.rows("credits_master")] == [862, 5]
    unknown = {unknown.table: (unknown.rows, unknown.unknown) for unknown in built.report.unknown}
    assert unknown == {"keywords_master": (2, 0), "cast_master": (1, 0), "crew_master": (2, 1)}


def test_identical_records_merge_and_differing_ones_are_kept_and_reported(build: Any) -> None:
    one, other = "[{'id': 1, 'name': 'a'}]", "[{'id': 2, 'name': 'b'}]"
    built = build(
        {"movies_metadata.csv": [movie(1)], "keywords.csv": [(1, one), (2, one), (1, one), (1, other), (1, one)]}
    )
    assert [(row["movie_id"], row["keyword_id"]) for row in built.rows("keywords_master")] == [(1, 1), (2, 1), (1, 2)]
    account = built.report.account("keywords.csv")
    assert (account.records, account.out, account.merged, account.conflicting) == (5, 3, 2, 1)


def test_names_in_lists_are_trimmed_and_counted(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [
                movie(1, genres="[{'id': 18, 'name': 'Drama '}, {'id': 18, 'name': 'Drama'}]"),
                movie(2, genres="[{'id': 18, 'name': 'Drama'}]", production_companies="[{'name': ' Fox ', 'id': 1}]"),
            ],
            "keywords.csv": [(1, "[{'id': 931, 'name': ' jealousy'}]")],
            "credits.csv": [(CAST.replace("Tom Hanks", "Tom Hanks "), CREW, 1)],
        }
    )
    rows = [(row["movie_id"], row["genre"], row["production_company"]) for row in built.rows("movies_aggregated")]
    assert rows == [(1, "Drama", None), (2, "Drama", "Fox")]
    assert built.rows("keywords_master")[0]["keyword"] == "jealousy"
    assert built.rows("cast_master")[0]["name"] == "Tom Hanks"
    assert built.report.trimmed == {
        "movies_metadata.csv": {"genres": 1, "production_companies": 1},
        "keywords.csv": {"keywords": 1},
        "credits.csv": {"cast": 1},
    }
    errors = [json.loads(line) for line in (built.folder / "errors.jsonl").read_text().splitlines()]
    assert [(e["file"], e["column"], e["count"]) for e in errors if e["what"] == "names trimmed"] == [
        ("movies_metadata.csv", "genres", 1),
        ("movies_metadata.csv", "production_companies", 1),
        ("keywords.csv", "keywords", 1),
        ("credits.csv", "cast", 1),
    ]


def test_amounts_that_no_movie_has_are_named_and_kept(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [
                movie(1, title="The Prophecy", budget="8", revenue="16115878"),
                movie(2, budget="1000", revenue="0"),
                movie(3, budget="1001", revenue="12"),
                movie(4, budget="0", revenue="0"),
            ]
        }
    )
    named = [(of.movie_id, of.column, of.amount) for of in built.report.implausible_amounts]
    assert named == [(1, "budget", 8), (3, "revenue", 12), (2, "budget", 1000)]
    assert built.report.implausible == 3
    assert built.report.implausible_amounts[0].title == "The Prophecy"
    assert [row["budget"] for row in built.rows("movies_master")] == [8, 1000, 1001, 0]


CUT_OFF = f"{CREW[:-5]}, \"both\" 'quotes', "


def test_a_list_that_does_not_read_rejects_its_record(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [movie(1)],
            "keywords.csv": [(1, "[{'id': 1, 'na"), (2, "__import__('os').system('exit 3')"), ("x", "[]")],
            "credits.csv": [(CAST, CUT_OFF, 1), (CAST, CREW, 2)],
        }
    )
    assert built.rejects("keywords") == [
        (1, "row", "not a literal of its column's type", "keywords", "1,\"[{'id': 1, 'na\""),
        (2, "row", "not a literal of its column's type", "keywords", "2,\"__import__('os').system('exit 3')\""),
        (3, "row", "not an integer", "id", "x,[]"),
    ]
    ((_, _, reason, column, raw),) = built.rejects("credits")
    assert (reason, column) == ("not a literal of its column's type", "crew")
    assert next(csv.reader([raw])) == [CAST, CUT_OFF, "1"]
    assert [row["movie_id"] for row in built.rows("cast_master")] == [2]
    assert built.report.is_conserved


def test_ratings_keep_half_stars_and_reach_movies_through_links(build: Any) -> None:
    built = build(
        {
            "movies_metadata.csv": [movie(862)],
            "links.csv": [(1, "0114709", "862"), (2, "0113497", ""), (3, "0113228", "15602.0")],
            "ratings.csv": [(1, 1, 0.5, 10), (1, 2, 5, 11), (2, 9, 3.5, 12), (2, 1, "", 13)],
        }
    )
    assert built.rows("links_master") == [
        {"movie_id": 1, "imdb_id": 114709, "tmdb_id": 862},
        {"movie_id": 2, "imdb_id": 113497, "tmdb_id": None},
        {"movie_id": 3, "imdb_id": 113228, "tmdb_id": 15602},
    ]
    assert [row["rating"] for row in built.rows("ratings_master")] == [0.5, 5.0, 3.5]
    assert built.rejects("ratings") == [(4, "row", "required, but blank", "rating", "2,1,,13")]
    (unknown,) = built.report.unknown
    assert (unknown.rows, unknown.unknown) == (3, 2)


def test_a_missing_optional_file_skips_its_tables(build: Any) -> None:
    built = build({"movies_metadata.csv": [movie(1)], "links.csv": [(1, "1", "1")]})
    assert built.report.rows == {"movies_master": 1, "movies_aggregated": 1, "links_master": 1}
    assert built.report.missing["credits.csv"] == ("credits_master", "cast_master", "crew_master")
    log = [json.loads(line) for line in (built.folder / "errors.jsonl").read_text().splitlines()]
    assert {line["file"] for line in log if line["what"] == "file missing"} == {
        "keywords.csv",
        "credits.csv",
        "ratings.csv",
    }


def test_without_movies_nothing_is_built(build: Any, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"holds no movies_metadata\.csv, and nothing can be built without it"):
        build({"links.csv": [(1, "1", "1")]})
    assert not (tmp_path / "out").exists()


def test_a_build_that_fails_leaves_the_last_one_in_place(build: Any, engine: Engine, tmp_path: Path) -> None:
    built = build({"movies_metadata.csv": [movie(1)], "links.csv": [(1, "1", "1")]})
    before = {path.name: path.stat().st_mtime_ns for path in built.folder.iterdir()}
    with zipfile.ZipFile(tmp_path / "the-movies-dataset.zip", "a") as archive:
        archive.writestr("keywords.csv", "id,words\n1,[]\n")
    with pytest.raises(InputRefused, match=r"keywords\.csv has no column 'keywords'"):
        build_dataset(tmp_path / "the-movies-dataset.zip", built.folder, engine, progress=LogProgress())
    assert {path.name: path.stat().st_mtime_ns for path in built.folder.iterdir()} == before


def test_the_next_build_leaves_no_table_of_the_last_one(build: Any) -> None:
    build({"movies_metadata.csv": [movie(1)], "links.csv": [(1, "1", "1")]}, kind="csv")
    built = build({"movies_metadata.csv": [movie(1)]})
    assert sorted(path.name for path in built.folder.iterdir()) == [
        "errors.jsonl",
        "movies_aggregated.parquet",
        "movies_master.parquet",
        "rejects",
    ]


@pytest.mark.parametrize("spreadsheet", [False, True])
def test_a_sample_is_accounted_for_and_builds_the_same_tables_again(
    engine: Engine, tmp_path: Path, spreadsheet: bool
) -> None:
    archive = tmp_path / "the-movies-dataset.zip"
    facts = write_dataset(archive, scale=0.01, seed=7, spreadsheet=spreadsheet)
    tables = []
    for attempt in ("first", "second"):
        report = build_dataset(archive, tmp_path / attempt, engine, progress=LogProgress())
        assert report.is_conserved
        assert {account.file: account.records for account in report.files} == facts.rows
        tables.append({t.name: pq.read_table(tmp_path / attempt / f"{t.name}.parquet") for t in TABLES})
    movies, lists = report.account("movies_metadata.csv"), report.account("credits.csv")
    assert movies is not None
    assert lists is not None
    assert movies.merged == facts.duplicate_movies
    assert sum(account.reasons.get("blank", 0) for account in report.files) == facts.blank
    assert lists.rejected - lists.reasons.get("blank", 0) == facts.cut_off
    assert movies.rejected - movies.reasons.get("blank", 0) == facts.broken
    assert report.rows["movies_aggregated"] > report.rows["movies_master"] > 400
    dated = tables[0]["movies_master"]["release_date"]
    assert dated.null_count < 5
    assert tables[0] == tables[1]
