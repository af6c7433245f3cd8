"""CSV as the rules see it: a column is numeric only if every cell that is not blank is a number.

A blank in a numeric column is null, a blank in a text column is the empty string. Dates stay text; a rule about dates
reads them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from movie_platform.csv_files.cells import NOTHING, NUMBER, WHOLE, all_of_64_bits, between_blanks
from movie_platform.csv_files.strict import check
from movie_platform.errors import InputRefused
from movie_platform.quality.data import DataSet, SourceFile, spool
from movie_platform.quality.errors import DataUnreadable

_BLOCK_BYTES = 16 * 2**20
_INTEGER = between_blanks(WHOLE)
_NUMBER = between_blanks(NUMBER)
_BLANK = between_blanks(NOTHING)


def read_csv(files: Sequence[SourceFile], missing: Collection[str] = ()) -> DataSet:
    """CSV files (UTF-8, a header, quotes doubled inside quotes) as one data set, file after file.

    A column is typed by its cells in all the files. Names and order of the columns are those of the first file; the
    others have the same ones, in any order and case. A cell that is one of the words in `missing` has no value: it is
    null, also in a column of text.

    Raises DataUnreadable, saying where, for an empty file, text that is not UTF-8, a quote that is never closed, a
    record with the wrong number of cells, two columns of one name, or files with different columns.
    """
    surveys = [survey(file, missing) for file in files]
    schema = common_schema(surveys)
    parts = (typed_batches(*part, schema, missing) for part in zip(files, surveys, strict=True))
    return spool(pa.RecordBatchReader.from_batches(schema, chain.from_iterable(parts)))


@dataclass(frozen=True)
class Survey:
    """What there is to know of a file before it is read together with others: its columns, and what their cells are."""

    name: str
    header: list[str]
    kinds: "list[_ColumnKind]"


def survey(file: SourceFile, missing: Collection[str] = ()) -> Survey:
    """Reads a file once; raises DataUnreadable as `read_csv` does."""
    header = _checked_header(file)
    kinds = [_ColumnKind() for _ in header]
    for batch in _text_batches(file, header, header, missing):
        for kind, column in zip(kinds, batch.columns, strict=True):
            kind.look_at(column)
    return Survey(file.name, header, kinds)


def common_schema(surveys: Sequence[Survey]) -> pa.Schema:
    """The columns of the first file, typed by the cells of all; raises DataUnreadable where one has other columns."""
    first = surveys[0]
    together = {name.casefold(): _ColumnKind() for name in first.header}
    for found in surveys:
        kinds = dict(zip(map(str.casefold, found.header), found.kinds, strict=True))
        if kinds.keys() != together.keys():
            raise DataUnreadable(f"{found.name} has other columns than {first.name}: {', '.join(found.header)}")
        for name, kind in kinds.items():
            together[name].add(kind)
    return pa.schema([(name, together[name.casefold()].decided()) for name in first.header])


def typed_batches(
    file: SourceFile, found: Survey, schema: pa.Schema, missing: Collection[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that was surveyed, with the columns and types of all files together."""
    for batch in _text_batches(file, found.header, schema.names, missing):
        yield _with_types(batch, schema)


def type_columns(text: DataSet) -> DataSet:
    """A data set of text columns, whoever read them, with the types that a CSV file's columns have."""
    kinds = [_ColumnKind() for _ in text.schema]
    for batch in text.batches():
        for kind, column in zip(kinds, batch.columns, strict=True):
            kind.look_at(column)
    types = {name: kind.decided() for name, kind in zip(text.schema.names, kinds, strict=True)}
    schema = pa.schema(list(types.items()))
    return spool(pa.RecordBatchReader.from_batches(schema, (_with_types(batch, schema) for batch in text.batches())))


class _ColumnKind:
    """What a column's cells have been so far."""

    def __init__(self) -> None:
        self.integers = True
        self.numbers = True
        self.wide = False
        self.any_value = False

    def look_at(self, cells: pa.Array) -> None:
        if not self.numbers:
            return
        cells = cells.drop_null()
        blank = pc.match_substring_regex(cells, _BLANK)
        values = cells.filter(pc.invert(blank))
        if not len(values):
            return
        self.any_value = True
        if self.integers and not _all(values, _INTEGER):
            self.integers = False
        if not self.integers and not _all(values, _NUMBER):
            self.numbers = False
        elif self.integers and not self.wide:
            self.wide = not all_of_64_bits(values)

    def add(self, other: "_ColumnKind") -> None:
        """Counts the cells that another one looked at too."""
        self.integers &= other.integers
        self.numbers &= other.numbers
        self.wide |= other.wide
        self.any_value |= other.any_value

    def decided(self) -> pa.DataType:
        if not self.any_value or not self.numbers or (self.integers and self.wide):
            return pa.string()
        return pa.int64() if self.integers else pa.float64()


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _with_types(text: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_typed(column, kind) for column, kind in zip(text.columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _typed(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return cells
    trimmed = pc.utf8_ltrim(pc.utf8_trim_whitespace(cells), "+")
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed).cast(kind)


def _checked_header(source: SourceFile) -> list[str]:
    """The names of the columns, once every record was seen to be whole.

    The fast reader below forgives a quote that is never closed, and joins the records that follow it into one cell.
    """
    try:
        header = check(source.open)
    except InputRefused as refused:
        raise DataUnreadable(f"{source.name}: {refused}") from refused
    if not header:
        raise DataUnreadable(f"{source.name} is empty: it has not even a header")
    times = Counter(name.casefold() for name in header)
    twice = next((name for name, count in times.items() if count > 1), None)
    if twice is not None:
        raise DataUnreadable(f"{source.name} has two columns named {twice!r}")
    return header


def _text_batches(
    file: SourceFile, header: list[str], order: list[str], missing: Collection[str]
) -> Iterator[pa.RecordBatch]:
    """The records as text, with the columns in the given order, words that mean that there is no value as null."""
    found = {name.casefold(): place for place, name in enumerate(header)}
    places = [found[name.casefold()] for name in order]
    options = {
        "read_options": pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=bool(missing),
            null_values=list(missing),
        ),
    }
    try:
        with file.open() as stream:
            for batch in pyarrow.csv.open_csv(stream, **options):
                if batch.num_rows:
                    yield batch.select(places)
    except pa.ArrowInvalid as failure:
        raise DataUnreadable(f"{file.name} cannot be read as CSV: {failure}") from failure
