"""A classifier is chosen by name and judges a text by itself."""

import pickle
from functools import partial

import pytest

from movie_platform.errors import SettingsError
from movie_platform.pipelines.user_behavior.classifiers import (
    CLASSIFIERS,
    LexiconClassifier,
    TokenClassifier,
    classifier,
    judge,
    second_opinion,
)
from movie_platform.settings import load_settings


@pytest.mark.parametrize(
    ("text", "positive"),
    [
        ("A good film", True),
        ("GOOD!!!", True),
        ('they call it "good".\nI agree', True),
        ("good", True),
        ("not good", True),  # it knows no negation: that is what the lexicon is for
        ("goodness, no", False),
        ("goods and services", False),
        ("great", False),
        ("", False),
        (" \n", False),
    ],
)
def test_the_token_classifier_looks_for_good_among_the_words(text: str, positive: bool) -> None:
    assert TokenClassifier().is_positive(text) is positive


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
    assert LexiconClassifier().is_positive(text) is positive


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.timeout(20)
def test_a_megabyte_of_text_takes_no_more_than_its_share_of_time(name: str) -> None:
    assert classifier(name).is_positive("a good and happy film. " * 45_000)
    assert classifier(name).is_positive("good happy " * 100_000)
    assert not classifier(name).is_positive("x" * 2**20)


class Optimist:
    name = "optimist"

    def is_positive(self, text: str) -> bool:
        return True


def test_one_of_your_own_is_named_by_its_module() -> None:
    name = f"{__name__}:Optimist"
    assert load_settings(review_classifier=name).review_classifier == name
    assert judge(name, "awful")
    assert second_opinion(name) == "lexicon"


@pytest.mark.parametrize("name", ["nowhere.at_all:Thing", f"{__name__}:Missing", "oracle", "movie_platform:__name__"])
def test_one_that_is_not_there_is_an_error_of_the_settings(name: str) -> None:
    with pytest.raises(SettingsError, match="Allowed are token, lexicon"):
        classifier(name)


def test_a_judge_travels_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(partial(judge, "token")))("good")
