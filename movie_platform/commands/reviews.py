"""Reviews in the terminal: train a model on labelled reviews of one's own."""

from collections.abc import Sequence
from pathlib import Path

import click

from movie_platform.commands.bars import TerminalProgress
from movie_platform.commands.terminal import out, safe
from movie_platform.pipelines.user_behavior.sentiment.model import Weights
from movie_platform.pipelines.user_behavior.sentiment.training import Evaluated
from movie_platform.settings import load_settings


@click.group("reviews")
def reviews() -> None:
    """The model that judges reviews."""


@reviews.command("train")
@click.argument("files", nargs=-1, required=True)
@click.option("--out", "target", required=True, type=click.Path(path_type=Path, dir_okay=False), help="An .npz file.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), help="Where; by default as the settings say.")
@click.option("--pipeline", metavar="URI", help="With Spark: save the fitted pipeline there too, over what is there.")
def train_reviews(files: Sequence[str], target: Path, engine: str | None, pipeline: str | None) -> None:
    """Train a model on labelled reviews: CSV or Parquet FILES with the columns review_str and label (1 or 0).

    Reviews whose SHA-256 starts with 0 or 1 are held out and measured on. What is written is a classifier on either
    engine: MOVIE_PLATFORM_REVIEW_CLASSIFIER=model:<address of the file>.
    """
    settings = load_settings()
    on_spark = (engine or settings.engine).startswith("spark")
    if pipeline and not on_spark:
        raise click.UsageError("--pipeline saves a pipeline of Spark; add --engine spark")
    if on_spark:
        master = settings.engine.removeprefix("spark").removeprefix(":") or "local[*]"
        weights, measured = _on_spark(files, pipeline, master="local[*]" if master == "duckdb" else master)
    else:
        weights, measured = _here([Path(file) for file in files])
    target.write_bytes(weights.to_bytes())
    out.print(safe(measured))
    out.print(safe(f"model {weights.version}: {target}, {target.stat().st_size:,} bytes"))


def _here(files: Sequence[Path]) -> tuple[Weights, Evaluated]:
    from movie_platform.pipelines.user_behavior.sentiment.training import Parts, evaluated, read_labelled, train

    parts = Parts.of(read_labelled(files))
    trained = train(parts, TerminalProgress())
    return trained.weights, evaluated(trained.weights, parts)


def _on_spark(files: Sequence[str], pipeline: str | None, *, master: str) -> tuple[Weights, Evaluated]:
    from movie_platform.engine.spark import start_session
    from movie_platform.pipelines.user_behavior.sentiment import spark_training

    if master.startswith("emr"):
        raise click.UsageError(
            "training starts no job on EMR: run it in a session there (spark_training.fit_pipeline), or set "
            "MOVIE_PLATFORM_ENGINE to spark:local[N] or spark:spark://host:port"
        )
    session = start_session("movie-platform reviews train", master=master, configuration=load_settings().spark_conf)
    try:
        labelled = spark_training.labelled(spark_training.read(session, files)).persist()
        fitted = spark_training.fit_pipeline(labelled)
        if pipeline:
            fitted.write().overwrite().save(pipeline)
        return spark_training.weights(fitted), spark_training.evaluated(fitted, labelled)
    finally:
        session.stop()
