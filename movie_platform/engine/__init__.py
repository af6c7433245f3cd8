"""Where bulk transforms run: DuckDB in this process, or Spark."""

from movie_platform.csv_files.records import RAW, REASON, REASON_COLUMN, RECORD_NUMBER, CsvFile, RecordColumn
from movie_platform.engine.protocol import Engine, Format

__all__ = ["RAW", "REASON", "REASON_COLUMN", "RECORD_NUMBER", "CsvFile", "Engine", "Format", "RecordColumn"]
