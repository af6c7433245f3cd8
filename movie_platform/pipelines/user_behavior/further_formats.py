"""A day's stages and metric as CSV or JSON too, for those who read no Parquet.

Each format has a prefix of its own, so that no external table reads two.
"""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.user_behavior.tables import MOVIE_REVIEW, USER_BEHAVIOR_METRIC, USER_PURCHASE

if TYPE_CHECKING:
    from movie_platform.engine import Engine, Format

FURTHER: "dict[Format, str]" = {"csv": "stage_csv/", "json": "stage_json/"}
FOLDERS = {"user_purchase": USER_PURCHASE, "movie_review": MOVIE_REVIEW, "user_behavior_metric": USER_BEHAVIOR_METRIC}
"""The folders of `stage/`, which each format has too, with what is in them."""
MADE = tuple(f"{prefix}{name}/" for prefix in FURTHER.values() for name in FOLDERS)


def put_further(
    lake: ObjectStore, engine: "Engine", day: date, made: dict[str, Path], formats: "Collection[Format]", folder: Path
) -> dict[str, str]:
    """Write the day's Parquet (by the name of its folder) in each of the formats; the etags of what was written.

    What the day has in a format that is not asked for is removed.
    """
    written: dict[str, str] = {}
    for kind, prefix in FURTHER.items():
        for name, parquet in made.items() if kind in formats else ():
            path = folder / f"{name}.{kind}"
            engine.write(engine.parquet(name, [parquet]), path, kind, FOLDERS[name].arrow_schema)
            key = f"{prefix}{name}/{day}/{path.name}"
            written[key] = lake.upload(key, path)
    lake.delete([key for key in further(lake, day) if key not in written])
    return written


def further(lake: ObjectStore, day: date) -> dict[str, str]:
    """The etags of what the day has in further formats."""
    return {info.key: info.etag for prefix in MADE for info in lake.objects(f"{prefix}{day}/")}
