"""Weights in whole numbers and the scores that they give: sums of 64-bit integers, which no machine rounds."""

import hashlib
import io
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from movie_platform.errors import SettingsError
from movie_platform.pipelines.user_behavior.sentiment.features import Features, in_groups, ngrams, spark_terms

POINTS = 10_000
"""A score of 1, in points."""
POSITIVE = POINTS // 2
"""A review of so many points or more is positive."""

FEATURES: dict[str, Callable[[Sequence[str], int], Features]] = {"ngrams": ngrams, "spark": spark_terms}


@dataclass(frozen=True, eq=False)
class Weights:
    """A linear model: the buckets that weigh something, how much, and what a sum of weights means."""

    features: str
    """How texts become buckets: a name in `FEATURES`."""
    buckets: int
    positions: npt.NDArray[np.int64]
    """The buckets with a weight, ascending."""
    values: npt.NDArray[np.int64]
    intercept: int
    scale: float
    """A sum divided by this is the logarithm of the odds that the review is positive."""

    @cached_property
    def version(self) -> str:
        """Eight hexadecimal digits that change with anything that changes a score."""
        digest = hashlib.sha256(f"{self.features} {self.buckets} {self.intercept} {self.scale!r}".encode())
        digest.update(self.positions.astype("<i8").tobytes())
        digest.update(self.values.astype("<i8").tobytes())
        return digest.hexdigest()[:8]

    def to_bytes(self) -> bytes:
        """An `.npz` file; the same weights are the same bytes."""
        out = io.BytesIO()
        np.savez_compressed(
            out,
            features=np.array(self.features),
            buckets=np.array(self.buckets),
            gaps=np.diff(self.positions, prepend=0).astype(np.uint32),
            values=self.values.astype(np.int8 if np.abs(self.values).max(initial=0) < 128 else np.int32),
            intercept=np.array(self.intercept),
            scale=np.array(self.scale),
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> "Weights":
        """Weights as `to_bytes` wrote them; `name` stands in the `SettingsError` about a file that holds none."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                made = cls(
                    str(file["features"]),
                    int(file["buckets"]),
                    np.cumsum(file["gaps"], dtype=np.int64),
                    file["values"].astype(np.int64),
                    int(file["intercept"]),
                    float(file["scale"]),
                )
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise SettingsError(
                f"{name} holds no weights of a review model: {error}. Write one with `movie-platform reviews train`."
            ) from error
        made._check(name)
        return made

    def _check(self, name: str) -> None:
        fits = (
            self.features in FEATURES
            and 0 < self.buckets <= 2**26
            and len(self.positions) == len(self.values)
            and (not len(self.positions) or self.positions[-1] < self.buckets)
            and math.isfinite(self.scale)
            and self.scale > 0
        )
        if not fits:
            raise SettingsError(f"{name} holds weights that do not fit each other. Write it anew.")


class ReviewModel:
    """Scores texts by weights."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._features = FEATURES[weights.features]
        kind = np.int8 if np.abs(weights.values).max(initial=0) < 128 else np.int32
        self._table = np.zeros(weights.buckets, kind)
        self._table[weights.positions] = weights.values
        odds = (math.log(points / (POINTS - points)) for points in range(1, POINTS))
        self._borders = np.array([math.ceil(weights.scale * value) for value in odds], np.int64)

    def points(self, texts: Sequence[str]) -> list[int]:
        """The probability that each text is positive, in ten-thousandths rounded down; `POSITIVE` and more is positive.

        A text without a word is not positive.
        """
        return [points for group in in_groups(texts) for points in self._points(group).tolist()]

    def _points(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        found = self._features(texts, self.weights.buckets)
        sums = np.concatenate([[0], np.cumsum(self._table[found.buckets], dtype=np.int64)])[found.starts]
        points = np.searchsorted(self._borders, np.diff(sums) + self.weights.intercept, side="right")
        silent = np.fromiter((not text or text.isspace() for text in texts), bool, len(texts))
        silent |= np.diff(found.starts) == 0
        return np.where(silent, np.minimum(points, POSITIVE - 1), points)
