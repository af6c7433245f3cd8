"""The plain DuckDB script that `dataset build` is measured against: unzip, one SQL file, done."""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb


def main(archive: Path, out: Path) -> None:
    sql = Path(__file__).with_suffix(".sql").read_text()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        with zipfile.ZipFile(archive) as members:
            members.extractall(folder)
        os.chdir(out)
        connection.execute("SET VARIABLE folder = ?", [folder])
        for statement in duckdb.extract_statements(sql):
            connection.execute(statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
