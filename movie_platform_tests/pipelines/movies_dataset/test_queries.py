"""The SQL that is kept for DuckDB is what Ibis makes of the transforms.

`make queries` writes it anew: `python -m movie_platform_tests.pipelines.movies_dataset.test_queries`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from movie_platform.engine.in_process import DuckDBEngine, sql_of
from movie_platform.engine.protocol import Format
from movie_platform.engine.relation import Relation, Rows
from movie_platform.pipelines.movies_dataset import queries
from movie_platform.pipelines.movies_dataset.build import build_dataset
from movie_platform.progress import LogProgress
from movie_platform_tests.pipelines.movies_dataset.zips import movie, zip_of

KEPT = Path(queries.__file__).with_name("queries.json")
A_RECORD_OF_EACH_FILE_AND_A_BROKEN_ONE: dict[str, list[Any]] = {
    "movies_metadata.csv": [movie(1), ""],
    "keywords.csv": [(1, "[]"), ""],
    "credits.csv": [("[]", "[]", 1), ""],
    "links.csv": [(1, 1, 1), ""],
    "ratings.csv": [(1, 1, 1, 1), ""],
}


class Recording(DuckDBEngine):
    """Notes the SQL that Ibis makes of every query that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, str] = {}

    def _note(self, rows: Rows) -> None:
        assert isinstance(rows, Relation)
        if "(" in rows.name:
            self.asked[rows.name] = sql_of(rows.table)

    def stage(self, name: str, rows: Rows) -> Relation:
        self._note(rows)
        return super().stage(name, rows)

    def to_arrow(self, rows: Rows) -> pa.Table:
        self._note(rows)
        return super().to_arrow(rows)

    def write(self, rows: Rows, path: Path, kind: Format, schema: pa.Schema) -> int:
        self._note(rows)
        return super().write(rows, path, kind, schema)


def asked(folder: Path) -> dict[str, str]:
    """The queries of a build that leaves out none, by call."""
    zipped = zip_of(folder / "the-movies-dataset.zip", A_RECORD_OF_EACH_FILE_AND_A_BROKEN_ONE)
    with Recording() as engine:
        build_dataset(zipped, folder / "out", engine, progress=LogProgress())
        return dict(sorted(engine.asked.items()))


def test_every_query_of_a_build_is_kept_as_ibis_compiles_it(tmp_path: Path) -> None:
    assert queries.saved() == asked(tmp_path), "run `make queries`"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        KEPT.write_text(json.dumps(asked(Path(folder)), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
