"""What is read of a CSV file, and the columns that its records have then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

import pyarrow as pa

RECORD_NUMBER = "record_number"
REASON = "reason"
REASON_COLUMN = "reason_column"
RAW = "raw"

_ARROW_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}


@dataclass(frozen=True)
class RecordColumn:
    """A column of the file that is read.

    Text is what the cell holds, untrimmed, blank as an empty string. An integer may be written with a fraction of zeros
    (`862.0`), as spreadsheets and pandas do; integers and numbers may have blanks around them, and a blank one is null.
    A record whose cell is none of its kind, or is blank though `required`, is broken.
    """

    name: str
    kind: Literal["text", "integer", "number"] = "text"
    required: bool = False

    @property
    def type(self) -> pa.DataType:
        return _ARROW_TYPES[self.kind]


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that can be opened as often as needed; `name` is what people call it."""

    name: str
    open: Callable[[], BinaryIO]


def record_schema(columns: Sequence[RecordColumn]) -> pa.Schema:
    """Number and trouble of the record, then its columns; `reason` is null where the record is sound."""
    return pa.schema(
        [
            pa.field(RECORD_NUMBER, pa.int64(), nullable=False),
            pa.field(REASON, pa.string()),
            pa.field(REASON_COLUMN, pa.string()),
            pa.field(RAW, pa.string()),
            *(pa.field(column.name, column.type) for column in columns),
        ]
    )
