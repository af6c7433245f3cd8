"""Every record of a verified triplet is in the clean rows, merged, rejected, quarantined, or not of this delivery."""

import io
import json

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from movie_platform.pipelines.imdb_feed.tables import IMDB_CLEAN, RATING
from movie_platform.pipelines.imdb_feed.transforms import CleanWindow, breaks_check, clean
from movie_platform.pipelines.imdb_feed.verification import verify
from movie_platform_tests.pipelines.imdb_feed.triplets import A, B, C, Cells, Files, W, movie, pair, person, triplet


def cleaned(files: Files) -> CleanWindow:
    verified = verify(W, files).triplet
    assert verified is not None
    window = clean(verified)
    assert window.conserved
    return window


def left_out(table: pa.Table) -> list[tuple[str, int, str]]:
    return [(row["source"], row["record"], row["reason"]) for row in table.to_pylist()]


def titles(window: CleanWindow) -> list[tuple[int, int]]:
    return [(row["movie_id"], row["person_id"]) for row in window.rows.to_pylist()]


def fates(window: CleanWindow, source: str) -> dict[str, int]:
    (account,) = (account for account in window.accounts if account.source == source)
    return {fate: count for fate, count in account.fates.items() if count}


def test_clean_rows_have_the_columns_that_others_rely_on() -> None:
    assert cleaned(triplet()).rows.column_names == [
        "imdb_movie_id",
        "title",
        "release_year",
        "certificate",
        "run_time_min",
        "imdb_rating",
        "metascore",
        "description",
        "num_voted_users",
        "gross",
        "movie_id",
        "person_id",
        "imdb_person_id",
        "director_name",
    ]


def test_each_movie_is_joined_with_each_of_its_directors() -> None:
    window = cleaned(triplet(pairs=[pair(2, 20), pair(1, 10), pair(1, 20), pair(77, 10)]))
    assert titles(window) == [(1, 10), (1, 20), (2, 20)]
    first = window.rows.to_pylist()[0]
    assert first["title"] == "Movie 1"
    assert first["description"] == 'A plot, with a comma, a "quote"\nand a line break'
    assert (first["release_year"], first["imdb_rating"], first["gross"]) == (1999, 7.5, 123456.0)
    assert (first["imdb_person_id"], first["director_name"]) == ("nm10", "Person 10")
    assert fates(window, A) == {"out": 2}
    assert fates(window, B) == {"out": 3, "of other deliveries' movies": 1}
    assert fates(window, C) == {"referenced": 2, "unreferenced": 1}


def test_blank_cells_are_nulls_and_text_is_never_trimmed() -> None:
    blank = {"gross": "", "metascore": "", "certificate": "", "imdb_rating": "", "release_year": ""}
    (row,) = cleaned(triplet(movies=[movie(1, title="  Up ", **blank)], pairs=[pair(1, 10)])).rows.to_pylist()
    assert {row[name] for name in blank} == {None}
    assert row["title"] == "  Up "


@pytest.mark.parametrize(
    ("cell", "value"),
    [("007", 7), (" 7 ", 7), ("+7", 7), ("7.0", 7), ("-7", -7), ("9223372036854775807", 2**63 - 1)],
)
def test_a_whole_number_is_read_as_programs_write_it(cell: str, value: int) -> None:
    for neighbour in ("1", "no number"):
        movies = [movie(1, num_voted_users=cell), movie(2, num_voted_users=neighbour)]
        rows = cleaned(triplet(movies=movies)).rows.to_pylist()
        assert rows[0]["num_voted_users"] == value


@pytest.mark.parametrize(
    "cell",
    [
        "0x1F",
        "1e3",
        "7.5",
        "1_000",
        "9223372036854775808",
        "٣",
        "--1",
        "7,5",
        pytest.param("9" * 5000, id="5,000 digits"),
    ],
)
def test_what_is_no_whole_number_is_quarantined_whatever_stands_beside_it(cell: str) -> None:
    for neighbour in ("1", "no number"):
        movies = [movie(1, release_year=cell), movie(2, release_year=neighbour), movie(3)]
        window = cleaned(triplet(movies=movies, pairs=[pair(1, 10), pair(3, 10)]))
        assert (A, 1, "breaks release_year_is_a_whole_number") in left_out(window.bad_records)
        assert titles(window) == [(3, 10)]


@pytest.mark.parametrize(("cell", "value"), [("8.3", 8.3), ("+8.3", 8.3), (" 8.3", 8.3), ("8.", 8.0), (".5", 0.5)])
def test_a_number_is_read_as_programs_write_it(cell: str, value: float) -> None:
    for neighbour in ("1", "no number"):
        movies = [movie(1, imdb_rating=cell), movie(2, imdb_rating=neighbour)]
        assert cleaned(triplet(movies=movies)).rows.to_pylist()[0]["imdb_rating"] == value


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "1e999", "8,3", "0x1p3", "good"])
def test_what_is_no_number_is_quarantined_whatever_stands_beside_it(cell: str) -> None:
    for neighbour in ("1", "no number"):
        movies = [movie(1, gross=cell), movie(2, gross=neighbour)]
        window = cleaned(triplet(movies=movies))
        assert (A, 1, "breaks gross_is_a_number") in left_out(window.bad_records)


QUARANTINED = {
    "an id that is no number": ({"movies": [movie("one"), movie(2)]}, A, 1, ["id_is_a_whole_number"]),
    "a blank id": ({"movies": [movie(1), movie("")]}, A, 2, ["id_not_null"]),
    "a rating of 11": ({"movies": [movie(1, imdb_rating=11), movie(2)]}, A, 1, ["imdb_rating_between_0_and_10"]),
    "a rating below 0": ({"movies": [movie(1, imdb_rating=-0.1)]}, A, 1, ["imdb_rating_between_0_and_10"]),
    "a blank title": ({"movies": [movie(1), movie(2, title=" ")]}, A, 2, ["title_not_null"]),
    "no id of IMDB's own": ({"movies": [movie(1, imdb_movie_id="")]}, A, 1, ["imdb_movie_id_not_null"]),
    "a pair without a movie": ({"pairs": [pair("", 10), pair(1, 10)]}, B, 1, ["movie_id_not_null"]),
    "a pair whose person is no number": ({"pairs": [pair(1, "x")]}, B, 1, ["person_id_is_a_whole_number"]),
    "a person without IMDB's own id": ({"people": [person(10, imdb_person_id="")]}, C, 1, ["imdb_person_id_not_null"]),
    "two rules at once": (
        {"movies": [movie(1, imdb_rating=11, title="")]},
        A,
        1,
        ["title_not_null", "imdb_rating_between_0_and_10"],
    ),
}


@pytest.mark.parametrize("case", QUARANTINED)
def test_a_record_that_breaks_a_row_rule_is_quarantined_with_it_and_the_others_go_on(case: str) -> None:
    parts, source, record, rules = QUARANTINED[case]
    window = cleaned(triplet(**parts))
    (bad,) = window.bad_records.to_pylist()
    assert (bad["window"], bad["source"], bad["record"], bad["rules"]) == (W, source, record, rules)
    assert json.loads(bad["raw"]).keys() >= {"id"} or source == B
    assert window.broken_rules == dict.fromkeys(rules, 1)


def test_rows_that_are_clean_satisfy_the_tables_own_pandera_schema() -> None:
    movies = [movie(1), movie(2, imdb_rating=10, gross="", certificate=""), movie(3, imdb_rating=11), movie("x")]
    rows = cleaned(triplet(movies=movies)).rows
    IMDB_CLEAN.pandera_schema.validate(rows.to_pandas(types_mapper=pd.ArrowDtype))
    assert rows.schema == IMDB_CLEAN.arrow_schema


def test_movies_without_a_director_and_unknown_directors_are_rejects_with_their_reason() -> None:
    window = cleaned(triplet(movies=[movie(1), movie(2), movie(3)], pairs=[pair(1, 10), pair(1, 404), pair(3, 404)]))
    assert titles(window) == [(1, 10)]
    assert left_out(window.rejects) == [
        (A, 2, "it has no director in type_B"),
        (A, 3, "none of its directors is in type_C"),
        (B, 2, "type_C has no such person"),
        (B, 3, "type_C has no such person"),
    ]


def test_equal_records_merge_and_records_that_share_an_id_and_differ_are_rejected() -> None:
    movies = [movie(1), movie(1), movie(2), movie(2, imdb_rating=1), movie(2)]
    window = cleaned(triplet(movies=movies, pairs=[pair(1, 10), pair(1, 10), pair(2, 20)]))
    assert titles(window) == [(1, 10)]
    assert fates(window, A) == {"out": 1, "rejected": 2, "merged": 2}
    assert fates(window, B) == {"out": 1, "merged": 1, "rejected": 1}
    assert left_out(window.rejects) == [
        (A, 3, "other records have the same id and differ"),
        (A, 4, "other records have the same id and differ"),
        (B, 3, "its movie is rejected or quarantined"),
    ]


def test_a_good_record_is_never_merged_into_a_quarantined_one() -> None:
    """The bad cell is null once it is typed, and so equals a blank one."""
    window = cleaned(triplet(movies=[movie(1, metascore="?"), movie(1, metascore="")], pairs=[pair(1, 10)]))
    assert titles(window) == [(1, 10)]
    assert fates(window, A) == {"quarantined": 1, "out": 1}


def test_ids_beyond_the_digits_of_a_float_stay_apart() -> None:
    big = 2**53
    movies = [movie(big, metascore=""), movie(big + 1), movie(1), movie(1)]
    window = cleaned(triplet(movies=movies, pairs=[pair(big, 10), pair(big + 1, 10), pair(1, 10), pair("x", 1)]))
    assert titles(window) == [(big, 10), (big + 1, 10), (1, 10)]


def test_people_who_conflict_are_rejected_and_their_movies_say_so() -> None:
    window = cleaned(triplet(movies=[movie(1)], pairs=[pair(1, 10)], people=[person(10), person(10, full_name="X")]))
    assert window.rows.num_rows == 0
    assert left_out(window.rejects) == [
        (A, 1, "none of its directors is in type_C"),
        (B, 1, "its person is rejected or quarantined"),
        (C, 1, "other records have the same id and differ"),
        (C, 2, "other records have the same id and differ"),
    ]


cells = st.sampled_from(["1", "2", "3", "4", "", "x", "1.0", "0x2"])
ratings = st.sampled_from(["7.5", "10", "11", "", "bad", "-1", "+7.5"])
movies_ = st.lists(st.builds(lambda i, t, r: movie(i, title=t, imdb_rating=r), cells, st.sampled_from("ab "), ratings))
pairs_ = st.lists(st.builds(pair, cells, cells))
people_ = st.lists(st.builds(lambda i, n: person(i, imdb_person_id=n), cells, st.sampled_from(["nm1", "nm2", ""])))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(movies_.filter(bool), pairs_.filter(bool), people_.filter(bool))
def test_every_record_has_exactly_one_fate(movies: list[Cells], pairs: list[Cells], people: list[Cells]) -> None:
    """Whatever repeats, conflicts, dangles or breaks a rule."""
    window = cleaned(triplet(movies=movies, pairs=pairs, people=people))
    places = [(row["source"], row["record"]) for t in (window.rejects, window.bad_records) for row in t.to_pylist()]
    assert len(places) == len(set(places))
    for account, delivered in zip(window.accounts, (movies, pairs, people), strict=True):
        assert account.records == len(delivered) == sum(account.fates.values())
        mine = [place for place in places if place[0] == account.source]
        assert len(mine) == account.fates["rejected"] + account.fates["quarantined"]
    for row in [*window.rejects.to_pylist(), *window.bad_records.to_pylist()]:
        delivered_cells = {A: movies, B: pairs, C: people}[row["source"]][row["record"] - 1]
        assert {name: cell or "" for name, cell in json.loads(row["raw"]).items()} == {
            name: str(cell) for name, cell in delivered_cells.items()
        }
    keys = titles(window)
    assert len(keys) == len(set(keys)) == window.accounts[1].fates["out"]
    assert len({movie_id for movie_id, _ in keys}) == window.accounts[0].fates["out"]


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(1, 12), min_size=1),
    st.sets(st.tuples(st.integers(1, 15), st.integers(1, 9)), min_size=1),
    st.sets(st.integers(1, 8), min_size=1),
)
def test_on_clean_input_the_rows_are_those_of_a_plain_merge(
    movie_ids: set[int], pair_ids: set[tuple[int, int]], person_ids: set[int]
) -> None:
    files = triplet(
        movies=[movie(n, imdb_rating=n / 2 % 10) for n in sorted(movie_ids)],
        pairs=[pair(*ids) for ids in sorted(pair_ids)],
        people=[person(n) for n in sorted(person_ids)],
    )
    a, b, c = (pd.read_csv(io.BytesIO(files[name])) for name in (A, B, C))
    merged = a.merge(b, left_on="id", right_on="movie_id").merge(c, left_on="person_id", right_on="id")
    expected = merged.rename(columns={"full_name": "director_name"})[list(IMDB_CLEAN.column_names)]
    found = cleaned(files).rows.to_pandas()
    by = ["movie_id", "person_id"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, ignore_index=True), expected.sort_values(by, ignore_index=True), check_dtype=False
    )


@given(st.lists(st.none() | st.floats(-1, 11) | st.sampled_from([0.0, 10.0]), max_size=12))
def test_the_extremes_of_a_column_say_of_no_other_record_that_it_breaks_a_rule(ratings: list[float | None]) -> None:
    check, values = RATING.checks[0], pa.array(ratings, pa.float64())
    expected = [rating is not None and not 0 <= rating <= 10 for rating in ratings]
    assert breaks_check(check, values).tolist() == expected
