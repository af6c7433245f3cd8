"""A classifier is chosen by name and judges a text by itself."""

import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from movie_platform.errors import SettingsError
from movie_platform.pipelines.user_behavior.classifiers import (
    CLASSIFIERS,
    TokenClassifier,
    classifier,
    code_version,
    judge,
    label,
    points,
    second_opinion,
)
from movie_platform.pipelines.user_behavior.sentiment.model import POINTS, POSITIVE, Weights
from movie_platform.settings import load_settings

CLEAR = {
    "A wonderful film, one of the best that I have seen. I loved it!": True,
    "Great acting, a beautiful story, highly recommended.": True,
    "An awful waste of time. The plot is boring and the acting terrible.": False,
    "Not good at all: dull, stupid and far too long. Avoid.": False,
    "I don't recommend this to anyone": False,
}


@pytest.mark.parametrize(
    ("text", "positive"),
    [
        ("A good film", True),
        ("GOOD!!!", True),
        ('they call it "good".\nI agree', True),
        ("good", True),
        ("not good", True),  # it knows no negation: that is what the others are for
        ("goodness, no", False),
        ("goods and services", False),
        ("great", False),
        ("", False),
        (" \n", False),
    ],
)
def test_the_token_classifier_looks_for_good_among_the_words(text: str, positive: bool) -> None:
    assert judge("token", text) is positive


def test_stop_words_are_no_tokens() -> None:
    assert TokenClassifier().tokens("This isn't the BEST of all films, is it?") == ["isn't", "best", "films"]


@pytest.mark.parametrize(
    ("text", "positive"),
    [
        ("A good film", True),
        ("This is not good", False),
        ("It isn't a good film", False),
        ("This is not\nso great", False),
        ("I love it", True),
        ("A masterpiece, great and funny.", True),
        ("Terrible. I hated it.", False),
        ("It runs for two hours", False),
        ("", False),
    ],
)
def test_the_lexicon_classifier_handles_negation(text: str, positive: bool) -> None:
    assert judge("lexicon", text) is positive


@pytest.mark.parametrize(("text", "positive"), CLEAR.items())
def test_the_model_judges_clear_reviews_right(text: str, positive: bool) -> None:
    assert judge("model", text) is positive


def test_the_model_hears_a_negation_between_neighbours() -> None:
    worth, not_worth = points("model", ["It is worth seeing", "It is not worth seeing"])
    assert worth >= POSITIVE > not_worth


@pytest.mark.parametrize("text", ["", " \n", "...", "<br /><br />", "😀"])
def test_a_text_without_a_word_is_not_positive(text: str) -> None:
    assert not any(judge(name, text) for name in CLASSIFIERS if name != "lexicon" or text != "😀")


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.timeout(20)
def test_a_megabyte_of_text_takes_no_more_than_its_share_of_time(name: str) -> None:
    assert judge(name, "a good, wonderful and happy film. " * 30_000)
    assert judge(name, "good wonderful happy " * 50_000)
    assert not judge(name, "x" * 2**20)
    assert all(0 <= found <= POINTS for found in points(name, ["<" * 2**20, "<a" * 2**19, "a'" * 2**19]))


@pytest.mark.parametrize("name", CLASSIFIERS)
@hypothesis.given(texts=st.lists(st.text(max_size=40) | st.sampled_from(list(CLEAR)), max_size=6))
@hypothesis.settings(max_examples=50, deadline=None)
def test_a_text_gets_the_same_points_in_any_company(name: str, texts: list[str]) -> None:
    together = points(name, texts)
    assert together == [points(name, [text])[0] for text in texts]
    assert together == points(name, texts[::-1])[::-1]
    assert all(0 <= found <= POINTS for found in together)


class Optimist:
    name = "optimist"
    version = "7"

    def is_positive(self, text: str) -> bool:
        return True


class Undecided:
    name = "undecided"
    version = "2"

    def points(self, texts: Sequence[str]) -> list[int]:
        return [POSITIVE - 1] * len(texts)


def test_one_of_your_own_is_named_by_its_module() -> None:
    name = f"{__name__}:Optimist"
    assert load_settings(review_classifier=name).review_classifier == name
    assert points(name, ["awful", None]) == [POINTS, POINTS]
    assert second_opinion(name) == "lexicon"
    assert label(name) == f"{name} 7"
    assert points(f"{__name__}:Undecided", ["awful"]) == [POSITIVE - 1]


@pytest.mark.parametrize("name", ["nowhere.at_all:Thing", f"{__name__}:Missing", "oracle", "movie_platform:__name__"])
def test_one_that_is_not_there_is_an_error_of_the_settings(name: str) -> None:
    with pytest.raises(SettingsError, match="Allowed are model, token, lexicon"):
        classifier(name)


def test_the_model_is_the_default_and_its_label_names_its_weights() -> None:
    assert load_settings().review_classifier == "model"
    name, version = label("model").split()
    assert (name, len(version)) == ("model", 8)
    assert int(version, 16) >= 0
    assert code_version("model") == label("model")
    assert second_opinion("model") == "lexicon"
    assert second_opinion("lexicon") == "model"


def some_weights(scale: float = 10.0) -> Weights:
    return Weights("spark", 1024, np.array([3, 700]), np.array([5, -300]), -1, scale)


def test_weights_of_your_own_are_named_by_their_address(tmp_path: Path) -> None:
    (tmp_path / "ours.npz").write_bytes(some_weights().to_bytes())
    name = load_settings(review_classifier=f"model:{tmp_path}/ours.npz").review_classifier
    assert name == f"model:{tmp_path.as_uri()}/ours.npz"
    assert label(name) == f"model {some_weights().version}"
    assert code_version(name) == name  # definitions are built without reading it
    assert label(name) != label("model")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(SettingsError, match=r"broken.npz holds no weights of a review model.*reviews train"):
        classifier(f"model:{tmp_path.as_uri()}/broken.npz")
    with pytest.raises(SettingsError, match=r"weights that are not there: .*absent.npz"):
        classifier(f"model:{tmp_path.as_uri()}/absent.npz")


def test_a_judge_travels_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(partial(points, "token")))(["good"]) == [POINTS]
