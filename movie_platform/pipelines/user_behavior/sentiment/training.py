"""Training the model on labelled reviews in this process, and measuring it on reviews that it never saw.

Each word or pair of words is weighted by how much more often it stands in positive than in negative reviews, and
logistic regression over those features does the rest; what matters least is dropped, the rest becomes whole numbers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from movie_platform.errors import PlatformError
from movie_platform.pipelines.user_behavior.sentiment.features import Features, in_groups, joined, ngrams
from movie_platform.pipelines.user_behavior.sentiment.logistic_regression import SparseRows, Vector, fit
from movie_platform.pipelines.user_behavior.sentiment.model import POSITIVE, ReviewModel, Weights
from movie_platform.progress import Progress

HELD_OUT, VALIDATION = "01", "23"
"""First digits of the SHA-256 of a text in UTF-8: held out for the last measurement, and to choose the penalty by."""
BUCKETS = 2**22
LARGEST = 127
KEPT_FEATURES = 80_000
FEWEST_REVIEWS = 3
"""A feature must be in so many reviews to count."""
PENALTIES = (1.0, 3.0, 10.0)


TEXT, LABEL = "review_str", "label"
"""The columns of labelled reviews; the label is 1 for a positive one and 0 for a negative one."""


def digit(text: str) -> str:
    """The digit that says which part of the data a text belongs to."""
    return hashlib.sha256(text.encode()).hexdigest()[0]


@dataclass(frozen=True)
class LabelledReviews:
    """Texts and whether each is positive."""

    texts: tuple[str, ...]
    positive: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.texts)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "LabelledReviews":
        return LabelledReviews(
            tuple(text for text, wanted in zip(self.texts, chosen, strict=True) if wanted), self.positive[chosen]
        )


@dataclass(frozen=True)
class Parts:
    """Labelled reviews, cut by the digest of their text: whoever has the text knows its part."""

    learning: LabelledReviews
    validation: LabelledReviews
    held_out: LabelledReviews

    @classmethod
    def of(cls, reviews: LabelledReviews) -> "Parts":
        digits = np.array([digit(text) for text in reviews.texts])
        held_out, validation = np.isin(digits, list(HELD_OUT)), np.isin(digits, list(VALIDATION))
        parts = cls(
            reviews.where(~held_out & ~validation),
            reviews.where(validation),
            reviews.where(held_out),
        )
        for name, part in (("to learn from", parts.learning), ("to choose by", parts.validation)):
            if len(set(part.positive.tolist())) < 2:
                raise PlatformError(
                    f"of {len(reviews)} labelled reviews {len(part)} are {name}, and not both positive and negative "
                    "ones: give some hundred of each"
                )
        return parts


@dataclass(frozen=True)
class Trained:
    """Weights, and how they were chosen."""

    weights: Weights
    penalty: float
    tried: dict[float, float]
    """The share that each penalty got right on the reviews for validation."""


def train(parts: Parts, progress: Progress) -> Trained:
    """Choose the penalty on the reviews for validation, then learn from these too. The held-out ones are not looked at.

    The same reviews in the same order give the same weights on the same machine.
    """
    learning, validation = _features(parts.learning.texts), _features(parts.validation.texts)
    tried: dict[float, float] = {}
    scales: dict[float, float] = {}
    for penalty in progress.track(PENALTIES, len(PENALTIES), "penalties tried"):
        weights = _weights(learning, parts.learning.positive, penalty)
        sums = _sums(weights, validation)
        tried[penalty] = float(((sums >= 0) == parts.validation.positive).mean())
        scales[penalty] = _scale(sums, parts.validation.positive)
    best = max(tried, key=lambda penalty: (tried[penalty], penalty))
    everything = joined([learning, validation])
    made = _weights(everything, np.concatenate([parts.learning.positive, parts.validation.positive]), best)
    return Trained(_calibrated(made, scales[best]), best, tried)


def evaluated(weights: Weights, parts: Parts) -> "Evaluated":
    """How often the model is right on the reviews that are held out."""
    points = np.array(ReviewModel(weights).points(parts.held_out.texts), np.int64)
    right = int(((points >= POSITIVE) == parts.held_out.positive).sum())
    return Evaluated(len(parts.learning) + len(parts.validation) + len(parts.held_out), len(parts.held_out), right)


@dataclass(frozen=True)
class Evaluated:
    """How many labelled reviews there are, how many of them were held out, and how many of these were judged right."""

    reviews: int
    held_out: int
    right: int

    def __str__(self) -> str:
        if not self.held_out:
            return f"{self.reviews:,} labelled reviews, none of them held out to measure by"
        return (
            f"{self.reviews:,} labelled reviews; of {self.held_out:,} held out {self.right / self.held_out:.1%} are "
            "judged right"
        )


def read_labelled(paths: Sequence[Path]) -> LabelledReviews:
    """The labelled reviews of CSV and Parquet files, each text once; rows without a text or a label are left out."""
    texts: dict[str, bool] = {}
    for path in paths:
        table = _read(path)
        missing = {TEXT, LABEL} - set(table.column_names)
        if missing:
            raise PlatformError(f"{path} has no column {', '.join(sorted(missing))}")
        for text, label in zip(table[TEXT].to_pylist(), table[LABEL].to_pylist(), strict=True):
            if text and str(label) in _LABELS:
                texts.setdefault(str(text), _LABELS[str(label)])
    return LabelledReviews(tuple(texts), np.array(list(texts.values()), np.bool_))


_LABELS = {"1": True, "1.0": True, "True": True, "0": False, "0.0": False, "False": False}


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        return pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types={TEXT: pa.string()}),
        )
    except (OSError, pa.ArrowException) as error:
        raise PlatformError(f"{path} cannot be read as labelled reviews: {error}") from error


def _features(texts: Sequence[str]) -> Features:
    return joined([ngrams(group, BUCKETS) for group in in_groups(texts)])


def _weights(features: Features, positive: npt.NDArray[np.bool_], penalty: float) -> Weights:
    """Whole-number weights of the features that matter most; their scale is that of the unrounded ones."""
    in_reviews = np.bincount(features.buckets, minlength=BUCKETS)
    known = np.flatnonzero(in_reviews >= FEWEST_REVIEWS)
    if not len(known):
        raise PlatformError(f"no word is in {FEWEST_REVIEWS} of the labelled reviews: give more of them")
    column_of = np.full(BUCKETS, -1, np.int64)
    column_of[known] = np.arange(len(known))
    columns, rows = column_of[features.buckets], features.texts
    rows, columns = rows[columns >= 0], columns[columns >= 0]
    ratios = _ratios(columns, positive[rows], len(known))
    found, intercept = fit(SparseRows(rows, columns, ratios[columns], len(positive)), positive, len(known), penalty)
    exact = found * ratios
    importance = np.abs(exact) * np.sqrt(in_reviews[known])
    kept = np.sort(np.argsort(-importance, kind="stable")[:KEPT_FEATURES])
    scale = LARGEST / float(np.quantile(np.abs(exact[kept]), 0.9995)) if exact[kept].any() else 1.0
    rounded = np.clip(np.rint(exact[kept] * scale), -LARGEST, LARGEST).astype(np.int64)
    heavy = rounded != 0
    return Weights("ngrams", BUCKETS, known[kept][heavy], rounded[heavy], round(intercept * scale), scale)


def _ratios(columns: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], count: int) -> Vector:
    """How much more often each feature stands in positive reviews than in negative ones, as a logarithm."""
    good = np.bincount(columns[positive], minlength=count) + 1.0
    bad = np.bincount(columns[~positive], minlength=count) + 1.0
    ratios: Vector = np.log((good / good.sum()) / (bad / bad.sum()))
    return ratios


def _sums(weights: Weights, features: Features) -> npt.NDArray[np.int64]:
    table = np.zeros(weights.buckets, np.int64)
    table[weights.positions] = weights.values
    return np.diff(np.concatenate([[0], np.cumsum(table[features.buckets])])[features.starts]) + weights.intercept


def _scale(sums: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_]) -> float:
    """The divisor that makes sums the logarithms of honest odds on these reviews: the likeliest of a fine grid."""
    signed = np.where(positive, sums, -sums).astype(np.float64)
    grid = np.geomspace(1.0, 10_000.0, 400)
    return float(grid[int(np.argmin([np.logaddexp(0, -signed / scale).sum() for scale in grid]))])


def _calibrated(weights: Weights, scale: float) -> Weights:
    return Weights(weights.features, weights.buckets, weights.positions, weights.values, weights.intercept, scale)
