"""Arrow arrays of Python's values, without what PyArrow imports for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_NUMBERS = {pa.int64(): np.int64, pa.float64(): np.float64}


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """What `pa.array(values, kind)` gives, where the values are of the type and it is text, a boolean, an integer or a
    float of 64 bits, or lists and structs of these. `pa.array` imports pandas, which takes a third of a second."""
    valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
    validity = None if valid.all() else _bits(valid)
    if kind in _NUMBERS:
        numbers = (0 if value is None else value for value in values)
        return _array(kind, values, [validity, pa.py_buffer(np.fromiter(numbers, _NUMBERS[kind], len(values)))])
    if pa.types.is_boolean(kind):
        return _array(kind, values, [validity, _bits(np.fromiter(map(bool, values), np.bool_, len(values)))])
    if pa.types.is_string(kind):
        texts = [b"" if value is None else value.encode() for value in values]
        return _array(kind, values, [validity, _offsets(texts), pa.py_buffer(b"".join(texts))])
    if pa.types.is_list(kind):
        lists = [value or () for value in values]
        items = array_of([item for value in lists for item in value], kind.value_type)
        return _array(kind, values, [validity, _offsets(lists)], [items])
    if pa.types.is_struct(kind):
        records = [value or {} for value in values]
        fields = [array_of([record.get(field.name) for record in records], field.type) for field in kind]
        return _array(kind, values, [validity], fields)
    raise TypeError(f"no array of {kind} is made here")


def _array(kind: pa.DataType, values: Sequence[Any], buffers: list[Any], children: list[Any] | None = None) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), buffers, children=children)


def _bits(flags: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _offsets(parts: Sequence[Any]) -> pa.Buffer:
    """Where each part starts and ends. Arrow's offsets have 32 bits: a batch of records holds 16 MB of text."""
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
    if offsets[-1] >= 2**31:
        raise OverflowError("more than 2 GB in one array")
    return pa.py_buffer(offsets.astype(np.int32))
