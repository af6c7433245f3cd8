"""Which reviews are positive. A classifier is a name and a function of texts; which one counts is a setting."""

import importlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from movie_platform.errors import ObjectMissing, SettingsError
from movie_platform.lake import open_store
from movie_platform.pipelines.user_behavior.sentiment.model import POINTS, POSITIVE, ReviewModel, Weights

WEIGHTS_PREFIX = "model:"
"""`model:` with an address behind it names weights of one's own."""


class ReviewClassifier(Protocol):
    """Judges a review by its text alone, so that it may run anywhere and in any order."""

    name: str
    version: str
    """Another version may judge otherwise."""

    def points(self, texts: Sequence[str]) -> list[int]:
        """How positive each text is, from 0 to `POINTS`; `POSITIVE` points or more count as positive. The same text
        always gets the same points."""


class ModelClassifier:
    """A linear model over words and pairs of words; `sentiment/MODEL_CARD.md` is about the weights in the package."""

    name = "model"

    def __init__(self, weights: Weights | None = None) -> None:
        self._model = ReviewModel(weights or _packaged_weights())
        self.version = self._model.weights.version

    def points(self, texts: Sequence[str]) -> list[int]:
        return self._model.points(texts)


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
    version = "1"

    def points(self, texts: Sequence[str]) -> list[int]:
        return [POINTS if "good" in self.tokens(text) else 0 for text in texts]

    def tokens(self, text: str) -> list[str]:
        """The text's words in lower case, stop words left out."""
        return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_SENTENCE_WORDS = 60
_POSITIVE_COMPOUND = 0.05


class LexiconClassifier:
    """VADER: a lexicon that weighs words and knows negation, boosters, capitals and emoticons.

    It is made for sentences, and its time grows with the square of its text: a review is judged sentence by sentence,
    and is positive when the mean over sentences that say anything is. The mean goes from -1 to 1; its border of 0.05
    is half of all points.
    """

    name = "lexicon"
    version = "1"

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def points(self, texts: Sequence[str]) -> list[int]:
        return [self._points(text) for text in texts]

    def _points(self, text: str) -> int:
        scores = [self._analyzer.polarity_scores(sentence)["compound"] for sentence in _sentences(text)]
        meaningful = [score for score in scores if score]
        mean = sum(meaningful) / len(meaningful) if meaningful else 0.0
        if mean >= _POSITIVE_COMPOUND:
            return POSITIVE + round((mean - _POSITIVE_COMPOUND) / (1 - _POSITIVE_COMPOUND) * (POINTS - POSITIVE))
        return min(POSITIVE - 1, round((mean + 1) / (_POSITIVE_COMPOUND + 1) * POSITIVE))


def _sentences(text: str) -> list[str]:
    sentences = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        sentences += [" ".join(words[i : i + _SENTENCE_WORDS]) for i in range(0, len(words), _SENTENCE_WORDS)]
    return sentences


class YesOrNo:
    """A classifier of one's own that says yes or no: all points or none."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self.version = str(getattr(inner, "version", "of unknown version"))
        self._is_positive = inner.is_positive

    def points(self, texts: Sequence[str]) -> list[int]:
        return [POINTS if self._is_positive(text) else 0 for text in texts]


CLASSIFIERS: dict[str, Callable[[], ReviewClassifier]] = {
    "model": ModelClassifier,
    "token": TokenClassifier,
    "lexicon": LexiconClassifier,
}


@cache
def classifier(name: str) -> ReviewClassifier:
    """The classifier that a setting names: one of `CLASSIFIERS`, `model:` and the address of weights, or one's own
    `package.module:Class`."""
    if name in CLASSIFIERS:
        return CLASSIFIERS[name]()
    if name.startswith(WEIGHTS_PREFIX):
        return ModelClassifier(_weights_at(name.removeprefix(WEIGHTS_PREFIX)))
    module, _, attribute = name.partition(":")
    try:
        made: Any = getattr(importlib.import_module(module), attribute)()
        return made if hasattr(made, "points") else YesOrNo(name, made)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(
            f"MOVIE_PLATFORM_REVIEW_CLASSIFIER={name!r}: {error}. Allowed are {', '.join(CLASSIFIERS)}, model:<address "
            "of weights> and package.module:Class of a class with is_positive(text)."
        ) from error


def label(name: str) -> str:
    """The named classifier with its version, as stage and metric name it: what was judged under another label may have
    been judged otherwise."""
    chosen = classifier(name)
    return f"{chosen.name} {chosen.version}"


def code_version(name: str) -> str:
    """The label of a classifier that the package brings; of another one its name, so that nothing is read for it."""
    return label(name) if name in CLASSIFIERS else name


def second_opinion(name: str) -> str:
    """The classifier that a chosen one is compared with: the lexicon, or the model where the lexicon is chosen."""
    return "model" if name == "lexicon" else "lexicon"


def points(name: str, texts: Sequence[str | None]) -> list[int]:
    """The points that the named classifier gives texts. Plain values in and out, so that it travels to any worker."""
    return classifier(name).points([text or "" for text in texts])


def judge(name: str, text: str) -> bool:
    """Whether the named classifier finds a text positive."""
    return points(name, [text])[0] >= POSITIVE


def _packaged_weights() -> Weights:
    path = files(__package__).joinpath("sentiment", "weights.npz")
    return Weights.from_bytes(path.read_bytes(), "the package")


def _weights_at(uri: str) -> Weights:
    folder, _, key = uri.rpartition("/")
    try:
        return Weights.from_bytes(open_store(folder).read(key), uri)
    except ObjectMissing as missing:
        raise SettingsError(
            f"MOVIE_PLATFORM_REVIEW_CLASSIFIER names weights that are not there: {missing}"
        ) from missing
