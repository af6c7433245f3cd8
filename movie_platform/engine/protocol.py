"""What a bulk transform may ask of the engine that it runs on.

Transforms are Ibis expressions over the relations an engine hands out; they never ask which engine it is. Three things
have an implementation per engine, held to one suite of cases: reading CSV records with their record number, reading a
column of Python literals, and asking a Python function about the texts of a column.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.engine.relation import Relation, Rows
from movie_platform.waits import Waits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

Format = Literal["parquet", "csv", "json"]
LiteralReader = Callable[["ir.StringValue"], "ir.Value"]


class Engine(Protocol):
    """An engine under way; leaving its `with` block ends it and removes what it staged."""

    name: str
    waits: Waits
    """How long S3 may take where a job reads or writes a store."""

    def records(self, name: str, file: CsvFile, columns: Sequence[RecordColumn]) -> Relation:
        """All records of a CSV file with the columns of `record_schema(columns)`, read anew whenever they are computed:
        stage what is needed more than once. The relation has the name, as those of `parquet` and `stage` do, until the
        name is given again."""

    def record_count(self, records: Relation) -> int:
        """How many records there are in a relation that `records` gave, blank and broken ones included; free where the
        engine has seen them all, as after a `write` of what it made of them."""

    def literal(self, kind: "pa.DataType") -> LiteralReader:
        """What reads a column of Python literals as values of the type, equal to `read_literals`; null where
        unreadable."""

    def parquet(self, name: str, paths: Sequence[Path]) -> Relation:
        """The rows of Parquet files of one schema."""

    def numbers(self, function: Callable[[Sequence[str]], Sequence[int]], text: "ir.StringValue") -> "ir.IntegerValue":
        """The whole number (64 bits) that a function gives each text; it gets many texts at once, however they are
        grouped. It must be one that pickle can carry to a worker, such as a function of a module or a
        `functools.partial` of one, and of its argument alone. Texts must not be null. Stage what is used twice."""

    def stage(self, name: str, rows: Rows) -> Relation:
        """The rows computed once, to be read many times; they may be larger than memory."""

    def to_arrow(self, rows: Rows) -> "pa.Table":
        """The rows in memory, for results that are small."""

    def write(self, rows: Rows, path: Path, kind: Format, schema: "pa.Schema") -> int:
        """Write the rows with the schema's columns and types, in their order, and count them.
        `path` becomes a file, or a folder of parts where the engine writes in parallel. CSV and JSON (one object a
        line) hold nested values as JSON."""

    def side_by_side(self, steps: Sequence[Callable[[], None]]) -> Iterator[None]:
        """Do the steps, which use this engine, as many at once as it gains from, beginning with the first; each is
        yielded for in this order. Where one fails, those that have not begun never do, and the others are ended."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
