"""The simulated client delivers what the real one does, defects included."""

import io
import random

import pandas as pd
import pytest

from movie_platform.pipelines.imdb_feed.transforms import clean
from movie_platform.pipelines.imdb_feed.verification import verify
from movie_platform.samples.imdb_feed import DEFECTS, FeedClient, defective

W, NEXT = "202601010000", "202601010010"
CLIENT = FeedClient(movies=200, people=120, movies_a_window=50)
WHOLE = ("CRLF line ends", "byte order mark", "reordered columns")
BUT_FOR_A_ROW = ("rating of 11", "id that is no number", "blank title")


def test_a_triplet_verifies_and_has_the_traits_of_real_ones() -> None:
    verified = verify(W, CLIENT.triplet(W))
    assert verified.triplet is not None
    window = clean(verified.triplet)
    assert window.conserved
    assert window.bad_records.num_rows == 0
    movies = pd.read_csv(io.BytesIO(CLIENT.triplet(W)[f"{W}_type_A.csv"]))
    assert len(movies) == 50
    assert movies["description"].str.contains("\n").any()
    assert movies["description"].str.contains('"').any()
    assert movies[["gross", "metascore", "certificate"]].isna().any().all()
    assert "has no director" in str(window.rejects["reason"].to_pylist())


def test_every_window_brings_the_same_people_and_pairs_and_other_votes() -> None:
    first, second = CLIENT.triplet(W), CLIENT.triplet(NEXT)
    for kind in "BC":
        assert first[f"{W}_type_{kind}.csv"] == second[f"{NEXT}_type_{kind}.csv"]
    votes = [
        pd.read_csv(io.BytesIO(files[f"{window}_type_A.csv"])).set_index("id")["num_voted_users"]
        for window, files in ((W, first), (NEXT, second))
    ]
    again = votes[0].index.intersection(votes[1].index)
    assert len(again)
    assert (votes[0][again] != votes[1][again]).any()


def test_the_same_seed_and_window_give_the_same_bytes() -> None:
    assert CLIENT.triplet(W) == FeedClient(movies=200, people=120, movies_a_window=50).triplet(W)
    assert CLIENT.triplet(NEXT, like=CLIENT.triplet(W)) == CLIENT.triplet(NEXT)
    assert CLIENT.triplet(W) != FeedClient(seed=1, movies=200, people=120, movies_a_window=50).triplet(W)


@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_each_defect_is_met_as_it_should_be(defect: str) -> None:
    verified = verify(W, DEFECTS[defect](dict(CLIENT.triplet(W)), W))
    if defect not in (*WHOLE, *BUT_FOR_A_ROW):
        assert verified.triplet is None
        return
    assert verified.reason == ""
    assert verified.triplet is not None
    window = clean(verified.triplet)
    assert window.conserved
    assert window.bad_records.num_rows == (1 if defect in BUT_FOR_A_ROW else 0)


def test_a_defect_is_named() -> None:
    name, files = defective(CLIENT.triplet(W), W, random.Random(3))
    assert files == DEFECTS[name](dict(CLIENT.triplet(W)), W)
