"""What each table must hold, as its owners write it: a ruleset file per table."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset.publication import Part
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.quality.ruleset_files import RulesetFile, read_ruleset_file

if TYPE_CHECKING:
    from movie_platform.quality import Evaluation


def ruleset_files() -> dict[str, RulesetFile]:
    """The ruleset file of each table."""
    folder = files(__package__).joinpath("rulesets")
    return {table.name: read_ruleset_file(folder.joinpath(f"{table.name}.dqdl")) for table in TABLES}


def judge(lake: ObjectStore, parts: Sequence[Part], rules: RulesetFile) -> "Evaluation":
    """A table in the lake, judged by its rules; a null breaks none but those that ask for a value."""
    from movie_platform.quality import evaluate, open_files

    with _on_disk(lake, parts) as paths:
        return evaluate(open_files({path.name: path for path in paths}), rules.rules, nulls="legacy")


@contextmanager
def _on_disk(lake: ObjectStore, parts: Sequence[Part]) -> Iterator[list[Path]]:
    """The parts as files of this machine, fetched where the lake is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="movie-platform-rules-") as folder:
        yield [lake.on_disk(part.key, Path(folder) / f"{number:05}.parquet") for number, part in enumerate(parts)]
