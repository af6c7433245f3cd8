"""Which reviews are positive. A classifier is a name and a function of one text; which one counts is a setting."""

import importlib
import re
from collections.abc import Callable
from functools import cache
from typing import Protocol

from movie_platform.errors import SettingsError


class ReviewClassifier(Protocol):
    """Judges a review by its text alone, so that it may run anywhere and in any order."""

    name: str

    def is_positive(self, text: str) -> bool:
        """Whether the review is positive; the same text always gets the same answer."""


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

STOP_WORDS = frozenset(
    """
    a about all am an and any are as at be because been being but by can could did do does doing down during each
    few for from further had has have having he her here hers him his how i if in into is it its itself just me
    more most my no nor not now of off on once only or other our ours out over own same she should so some such
    than that the their theirs them then there these they this those through to too under until up very was we
    were what when where which while who whom why will with would you your yours
    """.split()  # noqa: SIM905 - 130 quoted words would hide each other
)


class TokenClassifier:
    """Positive when "good" is among the words that carry meaning. It knows no negation: a stand-in for a model."""

    name = "token"

    def is_positive(self, text: str) -> bool:
        return "good" in self.tokens(text)

    def tokens(self, text: str) -> list[str]:
        """The text's words in lower case, stop words left out."""
        return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_SENTENCE_WORDS = 60
_POSITIVE = 0.05


class LexiconClassifier:
    """VADER: a lexicon that weighs words and knows negation, boosters, capitals and emoticons.

    It is made for sentences, and its time grows with the square of its text: a review is judged sentence by sentence,
    and is positive when the mean over sentences that say anything is.
    """

    name = "lexicon"

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def is_positive(self, text: str) -> bool:
        scores = [self._analyzer.polarity_scores(sentence)["compound"] for sentence in _sentences(text)]
        telling = [score for score in scores if score]
        return bool(telling) and sum(telling) / len(telling) >= _POSITIVE


def _sentences(text: str) -> list[str]:
    sentences = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        sentences += [" ".join(words[i : i + _SENTENCE_WORDS]) for i in range(0, len(words), _SENTENCE_WORDS)]
    return sentences


CLASSIFIERS: dict[str, Callable[[], ReviewClassifier]] = {"token": TokenClassifier, "lexicon": LexiconClassifier}


@cache
def classifier(name: str) -> ReviewClassifier:
    """The classifier that a setting names: one of `CLASSIFIERS`, or one's own `package.module:Class`."""
    if name in CLASSIFIERS:
        return CLASSIFIERS[name]()
    module, _, attribute = name.partition(":")
    try:
        made: ReviewClassifier = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(
            f"MOVIE_PLATFORM_REVIEW_CLASSIFIER={name!r}: {error}. Allowed are {', '.join(CLASSIFIERS)} and "
            "package.module:Class of a class with is_positive(text)."
        ) from error
    return made


def second_opinion(name: str) -> str:
    """The classifier that a chosen one is compared with: the lexicon, or the token where the lexicon is chosen."""
    return "token" if name == "lexicon" else "lexicon"


def judge(name: str, text: str | None) -> bool:
    """What the named classifier says of a text. A function of plain values, so that it travels to any worker."""
    return classifier(name).is_positive(text or "")
