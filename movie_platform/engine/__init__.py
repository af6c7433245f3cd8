"""Where bulk transforms run: DuckDB in this process, or Spark."""

from typing import TYPE_CHECKING

from movie_platform.packages import offer

if TYPE_CHECKING:
    from movie_platform.csv_files.columns import RAW, REASON, REASON_COLUMN, RECORD_NUMBER, CsvFile, RecordColumn
    from movie_platform.engine.protocol import Engine, Format

_COLUMNS = ("RAW", "REASON", "REASON_COLUMN", "RECORD_NUMBER", "CsvFile", "RecordColumn")
__getattr__ = offer(
    __name__, {"movie_platform.csv_files.columns": _COLUMNS, "movie_platform.engine.protocol": ("Engine", "Format")}
)

__all__ = ["RAW", "REASON", "REASON_COLUMN", "RECORD_NUMBER", "CsvFile", "Engine", "Format", "RecordColumn"]
