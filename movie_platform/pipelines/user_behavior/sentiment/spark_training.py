"""Training on Spark, for labelled reviews that one machine does not hold: a pipeline of Spark ML, and its weights.

The pipeline is Tokenizer, HashingTF, IDF and LogisticRegression. Tokenizer only cuts at blanks, so `good.` is another
term than `good`: on the reviews of the package's own model it is right a little less often than that one.
"""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from movie_platform.errors import PlatformError
from movie_platform.pipelines.user_behavior.sentiment.model import Weights
from movie_platform.pipelines.user_behavior.sentiment.training import HELD_OUT, LABEL, TEXT, Evaluated

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

BUCKETS = 2**18
FEWEST_REVIEWS = 3
PENALTY = 0.3
"""Right in 84.5 % of the reviews for validation of the package's own data; 0.03 in 83.0 %, 0.003 in 81.3 %."""
STEPS = 100
LARGEST = 2**24
"""The heaviest weight as a whole number: rounding moves no score that people see."""


def read(session: "SparkSession", files: Sequence[str]) -> "DataFrame":
    """The rows of CSV and Parquet files, by Spark's own readers; folders and patterns are as good as files."""
    frames = [
        session.read.parquet(file)
        if file.endswith(".parquet")
        else session.read.csv(file, header=True, multiLine=True, escape='"')
        for file in files
    ]
    missing = [name for frame in frames for name in (TEXT, LABEL) if name not in frame.columns]
    if missing:
        raise PlatformError(f"the labelled reviews have no column {', '.join(sorted(set(missing)))}")
    return reduce(lambda one, other: one.unionByName(other), (frame.select(TEXT, LABEL) for frame in frames))


def labelled(frame: "DataFrame") -> "DataFrame":
    """The frame's usable labelled reviews, each text once, with the digit that says which part it belongs to."""
    from pyspark.sql import functions as f

    known = frame.select(f.col(TEXT).cast("string"), f.col(LABEL).cast("double")).where(
        f.col(TEXT).isNotNull() & f.col(LABEL).isin(0.0, 1.0)
    )
    return known.dropDuplicates([TEXT]).withColumn("digit", f.substring(f.sha2(f.col(TEXT).cast("binary"), 256), 1, 1))


def fit_pipeline(reviews: "DataFrame") -> "PipelineModel":
    """The pipeline, fitted to all reviews of `labelled` that are not held out."""
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import IDF, HashingTF, Tokenizer

    learning = reviews.where(~reviews.digit.isin(*HELD_OUT))
    if len(learning.select(LABEL).distinct().take(2)) < 2:
        raise PlatformError("the labelled reviews to learn from are not both positive and negative ones: give more")
    stages: list[Any] = [
        Tokenizer(inputCol=TEXT, outputCol="tokens"),
        HashingTF(inputCol="tokens", outputCol="terms", numFeatures=BUCKETS),
        IDF(inputCol="terms", outputCol="weighted", minDocFreq=FEWEST_REVIEWS),
        LogisticRegression(featuresCol="weighted", labelCol=LABEL, regParam=PENALTY, maxIter=STEPS),
    ]
    return Pipeline(stages=stages).fit(learning)


def weights(pipeline: "PipelineModel") -> Weights:
    """What the pipeline learned, as weights that the classifier `model` scores by, without Spark."""
    stages: list[Any] = pipeline.stages
    _, hashing, idf, regression = stages
    exact = regression.coefficients.toArray() * idf.idf.toArray()
    scale = LARGEST / max(float(np.abs(exact).max()), 1e-12)
    rounded = np.rint(exact * scale).astype(np.int64)
    positions = np.flatnonzero(rounded)
    return Weights(
        "spark", hashing.getNumFeatures(), positions, rounded[positions], round(regression.intercept * scale), scale
    )


def evaluated(pipeline: "PipelineModel", reviews: "DataFrame") -> Evaluated:
    """How often the pipeline is right on the reviews that are held out."""
    from pyspark.sql import functions as f

    judged = pipeline.transform(reviews.where(reviews.digit.isin(*HELD_OUT)))
    row = judged.agg(f.count("*"), f.sum((f.col("prediction") == f.col(LABEL)).cast("int"))).collect()[0]
    return Evaluated(reviews.count(), row[0], row[1] or 0)
