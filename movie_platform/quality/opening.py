"""Data in whatever form it comes, opened as a data set."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from movie_platform.quality.csv_files import read_csv
from movie_platform.quality.data import DataSet, FrameData, Judgeable, ParquetData, SourceFile, TableData, spool
from movie_platform.quality.errors import DataUnreadable


def open_data(data: Judgeable | DataSet) -> DataSet:
    """The data set behind a frame, an Arrow table, a Parquet or CSV file (path or bytes), or an iterable of batches.

    An iterable is read once, here; what does not fit comfortably in memory is kept in a temporary file that is
    removed with the data set.
    """
    if isinstance(data, pd.DataFrame):
        return FrameData(data)
    if isinstance(data, pa.Table):
        return TableData(data)
    if isinstance(data, pa.RecordBatch):
        return TableData(pa.Table.from_batches([data]))
    if isinstance(data, str | Path):
        return open_files({Path(data).name: Path(data)})
    if isinstance(data, bytes):
        return open_files({"the data": data})
    if isinstance(data, DataSet):
        return data
    if isinstance(data, Iterable):
        return spool(data)
    raise TypeError(f"rules cannot judge a {type(data).__name__}")


def open_files(files: Mapping[str, Path | bytes], *, missing: Collection[str] = ()) -> DataSet:
    """The files of one delivery, all Parquet or all CSV, as one data set in the mapping's order.

    The keys are what messages call the files. `missing` are the words that mean null in a CSV file, such as NA; there
    are none unless they are named. Raises DataUnreadable when one cannot be read, or when they differ in
    kind or columns.
    """
    sources = [SourceFile(name, content) for name, content in files.items()]
    if not sources:
        raise DataUnreadable("there is no file to read")
    kinds = {source.is_parquet for source in sources}
    if len(kinds) > 1:
        raise DataUnreadable(f"{', '.join(files)} are partly Parquet and partly CSV")
    if kinds == {False}:
        return read_csv(sources, missing)
    parts = [ParquetData(source) for source in sources]
    return parts[0] if len(parts) == 1 else spool(batch for part in parts for batch in part.batches())


def named(columns: Iterable[str], names: Collection[str]) -> list[str]:
    """The columns that have one of the names, in whatever case."""
    folded = {name.casefold() for name in names}
    return [column for column in columns if column.casefold() in folded]


def without(data: DataSet, names: Collection[str]) -> DataSet:
    """The data set without the columns of these names, in whatever case."""
    found = named(data.schema.names, names)
    if not found:
        return data
    if isinstance(data, FrameData):
        return FrameData(data.frame.loc[:, [str(name) not in found for name in data.frame.columns]])
    if isinstance(data, TableData):
        return TableData(data.table.drop_columns(list(dict.fromkeys(found))))
    if isinstance(data, ParquetData):
        return ParquetData(data.source, leave_out=found)
    raise TypeError(f"columns cannot be left out of a {type(data).__name__}")
