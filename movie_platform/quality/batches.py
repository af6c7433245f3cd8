"""One batch of rows with the forms that rules need of its columns, each made once."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from movie_platform.quality.data import plain

Kind = Literal["number", "text", "time", "clock", "boolean", "other"]
Mask: TypeAlias = NDArray[np.bool_]
V = TypeVar("V")

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
INTEGER = r"^[+-]?[0-9]+$"
ISO_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?\s*(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)


def kind_of(kind: pa.DataType) -> Kind:
    """How values of an Arrow type are compared."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view() or pa.types.is_null(kind):
        return "text"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_time(kind):
        return "clock"
    if pa.types.is_boolean(kind):
        return "boolean"
    return "other"


CLOCK = (
    r"^(?P<hour>[0-9]{1,2}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    r"(?: ?(?P<half>[AaPp])[Mm])?$"
)
"""A time of day: 9:30 AM, 09:30, 21:30:15."""

SHORT = 18
"""A whole number of so many characters fits 64 bits, whatever they are."""


def fits_bits(digits: str, bits: int = 63) -> bool:
    """Whether a whole number in digits, with or without a sign, is one of -2**bits to 2**bits - 1."""
    bare = digits.strip()
    significant = bare.lstrip("+-").lstrip("0")
    # Thousands of digits are no number that Python reads, and none that fits either.
    return len(significant) <= SHORT + 1 and -(2**bits) <= int(bare) < 2**bits


def as_mask(array: pa.Array) -> Mask:
    """A boolean array as numpy, null as false."""
    if array.null_count:
        array = pc.fill_null(array, False)
    mask: Mask = array.to_numpy(zero_copy_only=False)
    return mask


class Batch:
    """A record batch and, on demand, its columns as numbers, texts, lengths, times."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows
        self._places = {name: place for place, name in reversed(list(enumerate(rows.schema.names)))}
        self._made: dict[tuple[str, str], Any] = {}

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def _once(self, what: str, name: str, make: Callable[[], V]) -> V:
        key = (what, name)
        if key not in self._made:
            self._made[key] = make()
        return cast(V, self._made[key])

    def column(self, name: str) -> pa.Array:
        """The column, decoded, NaN as null."""
        return self._once("column", name, lambda: plain(self.rows.column(self._places[name])))

    def each(self, name: str, work: Callable[["Batch"], np.ndarray]) -> np.ndarray:
        """What `work` gives for each row, looking at this column alone: once for each of its different values.

        That is where the column comes dictionary-encoded and repeats its values; elsewhere `work` sees all rows.
        """
        distinct = self._once("distinct", name, lambda: self._distinct(name))
        if distinct is None:
            return work(self)
        values, places = distinct
        of_each: np.ndarray = work(values)[places]
        return of_each

    def _distinct(self, name: str) -> "tuple[Batch, np.ndarray] | None":
        """The values that occur in a column, and a null, as a batch; and where in it the value of each row stands."""
        encoded = self.rows.column(self._places[name])
        if not pa.types.is_dictionary(encoded.type) or 2 * len(encoded.dictionary) > len(encoded):
            return None
        null = len(encoded.dictionary)
        places = pc.fill_null(encoded.indices.cast(pa.int64()), null).to_numpy(zero_copy_only=False)
        occurs = np.bincount(places, minlength=null + 1) > 0
        occurs[null] = True
        values = pa.concat_arrays([encoded.dictionary, pa.nulls(1, encoded.dictionary.type)])
        if not occurs.all():
            values, places = values.filter(pa.array(occurs)), (np.cumsum(occurs) - 1)[places]
        return Batch(pa.RecordBatch.from_arrays([values], names=[name])), places

    def present(self, name: str) -> Mask:
        """Which rows have a value."""

        def of_all(batch: "Batch") -> Mask:
            column = batch.column(name)
            return as_mask(pc.is_valid(column)) if column.null_count else np.ones(len(column), dtype=bool)

        return self._once("present", name, lambda: self.each(name, of_all))

    def numbers(self, name: str) -> pa.Array:
        """The column as numbers; null where there is none. Integers stay integers."""

        def make() -> pa.Array:
            column = self.column(name)
            if pa.types.is_decimal(column.type):
                return column.cast(pa.float64(), safe=False)
            if pa.types.is_uint64(column.type):
                return column.cast(pa.float64(), safe=False) if _beyond_int64(column) else column.cast(pa.int64())
            if pa.types.is_integer(column.type):
                return column.cast(pa.int64())
            if kind_of(column.type) == "number":
                return column
            trimmed = pc.utf8_trim_whitespace(column)
            readable = pc.match_substring_regex(trimmed, NUMBER)
            bare = pc.utf8_ltrim(trimmed, "+")
            return pc.if_else(readable, bare, pa.scalar(None, column.type)).cast(pa.float64())

        return self._once("numbers", name, make)

    def texts(self, name: str) -> pa.Array:
        """The column as text; a whole number has no decimals and no exponent, also among floats."""

        def make() -> pa.Array:
            column = self.column(name)
            if kind_of(column.type) == "text":
                return column
            if pa.types.is_floating(column.type):
                whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less(pc.abs(column), 2.0**53))
                integers = pc.if_else(whole, column, pa.scalar(None, column.type)).cast(pa.int64())
                return pc.coalesce(integers.cast(pa.string()), column.cast(pa.string()))
            return column.cast(pa.string())

        return self._once("texts", name, make)

    def lengths(self, name: str) -> np.ndarray:
        """The number of characters of each value; a null has none."""

        def of_all(batch: "Batch") -> np.ndarray:
            counted: np.ndarray = pc.fill_null(pc.utf8_length(batch.texts(name)), 0).to_numpy(zero_copy_only=False)
            return counted

        return self._once("lengths", name, lambda: self.each(name, of_all))

    def times(self, name: str) -> pa.Array:
        """The column as instants (UTC, microseconds); null where there is none or it is not an ISO date or time."""

        def make() -> pa.Array:
            column = self.column(name)
            if pa.types.is_timestamp(column.type):
                return column.cast(pa.timestamp("us"), safe=False)
            if pa.types.is_date(column.type):
                return column.cast(pa.date32()).cast(pa.timestamp("us"))
            trimmed = pc.utf8_trim_whitespace(column)
            readable = pc.if_else(pc.match_substring_regex(trimmed, ISO_TIME), trimmed, pa.scalar(None, column.type))
            read = pd.to_datetime(readable.to_pandas(), errors="coerce", format="ISO8601", utc=True)
            return pa.array(read.dt.tz_localize(None).astype("datetime64[us]"), from_pandas=True)

        return self._once("times", name, make)

    def clocks(self, name: str) -> pa.Array:
        """The column as microseconds since midnight; null where it is no time of day."""

        def make() -> pa.Array:
            column = self.column(name)
            if pa.types.is_time(column.type):
                return column.cast(pa.time64("us")).cast(pa.int64())
            if kind_of(column.type) == "time":
                instants = self.times(name)
                return pc.subtract(instants.cast(pa.int64()), pc.floor_temporal(instants, unit="day").cast(pa.int64()))
            found = pc.extract_regex(pc.utf8_trim_whitespace(column), CLOCK)
            return pa.array([clock(**parts) if parts is not None else None for parts in found.to_pylist()], pa.int64())

        return self._once("clocks", name, make)


def clock(*, hour: str, minute: str, second: str, fraction: str, half: str) -> int | None:
    """The parts of a time of day, as CLOCK finds them, in microseconds since midnight; None when there is no such."""
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "pP" else 0)
    if hours > 23:
        return None
    seconds = (hours * 60 + int(minute)) * 60 + int(second or 0)
    return seconds * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _beyond_int64(column: pa.Array) -> bool:
    highest = pc.max(column).as_py()
    return highest is not None and highest >= 2**63


def instant(moment: datetime) -> pa.Scalar:
    """A moment as the scalar that `Batch.times` is compared with."""
    if moment.tzinfo is not None:
        moment = pd.Timestamp(moment).tz_convert("UTC").tz_localize(None).to_pydatetime()
    return pa.scalar(moment, pa.timestamp("us"))
