"""CSV as the rules see it: a column is numeric only if every cell that is not blank is a number.

A blank in a numeric column is null, a blank in a text column is the empty string. Dates stay text; a rule about dates
reads them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

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
    headers = [_checked_header(file) for file in files]
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        if sorted(map(str.casefold, header)) != sorted(map(str.casefold, first)):
            raise DataUnreadable(f"{file.name} has other columns than {files[0].name}: {', '.join(header)}")
    kinds = {name: _ColumnKind() for name in first}
    parts = list(zip(files, headers, strict=True))
    for file, header in parts:
        for batch in _text_batches(file, header, first, missing):
            for kind, column in zip(kinds.values(), batch.columns, strict=True):
                kind.look_at(column)
    return spool(_Typed(parts, {name: kind.decided() for name, kind in kinds.items()}, missing))


def type_columns(text: DataSet) -> DataSet:
    """A data set of text columns, whoever read them, with the types that a CSV file's columns have."""
    kinds = [_ColumnKind() for _ in text.schema]
    for batch in text.batches():
        for kind, column in zip(kinds, batch.columns, strict=True):
            kind.look_at(column)
    types = {name: kind.decided() for name, kind in zip(text.schema.names, kinds, strict=True)}
    return spool(_TypedText(text, pa.schema(list(types.items()))))


class _TypedText:
    """Text in batches, with its final types."""

    def __init__(self, text: DataSet, schema: pa.Schema) -> None:
        self._text = text
        self.schema = schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._text.batches():
            arrays = [_typed(batch.column(place), kind) for place, kind in enumerate(self.schema.types)]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


class _Typed:
    """The files' batches with their final types; carries the schema for files that have a header only."""

    def __init__(
        self,
        parts: Sequence[tuple[SourceFile, list[str]]],
        types: dict[str, pa.DataType],
        missing: Collection[str],
    ) -> None:
        self._parts = parts
        self._missing = missing
        self._types = types
        self.schema = pa.schema(list(types.items()))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for file, header in self._parts:
            for batch in _text_batches(file, header, list(self._types), self._missing):
                arrays = [_typed(batch.column(place), kind) for place, kind in enumerate(self._types.values())]
                yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


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

    def decided(self) -> pa.DataType:
        if not self.any_value or not self.numbers or (self.integers and self.wide):
            return pa.string()
        return pa.int64() if self.integers else pa.float64()


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


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
