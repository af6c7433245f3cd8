"""Rows of a part on their way to where those that belong together meet."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa


def bucketed(table: pa.Table, bucket: np.ndarray, buckets: int) -> Iterator[tuple[int, bytes]]:
    """The rows of each bucket that has some, in Arrow's stream format; `bucket` has the number of each row's."""
    order = np.argsort(bucket, kind="stable")
    table = table.take(pa.array(order))
    ends = np.searchsorted(bucket[order], np.arange(buckets), side="right").tolist()
    for place, (first, end) in enumerate(pairwise([0, *ends])):
        if end > first:
            yield place, as_bytes(table.slice(first, end - first).combine_chunks())


def as_bytes(table: pa.Table) -> bytes:
    """The table in Arrow's stream format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def without_numbers(streams: Iterable[bytes], numbers: list[np.ndarray]) -> Iterator[pa.RecordBatch]:
    """The batches of the streams; their last column, the numbers of the rows, is put into `numbers` instead."""
    for stream in streams:
        for batch in pa.ipc.open_stream(stream):
            numbers.append(batch.columns[-1].to_numpy())
            yield batch.select(list(range(batch.num_columns - 1)))
