"""Statistics that add up batch by batch and come out the same however the rows are cut into batches."""

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MANTISSA_BITS = 53
_SPLITTER = float(2**27 + 1)
_ROOT = 2**31
"""Whole numbers nearer to zero have squares of 62 bits."""
_AT_ONCE = 8_192
"""Numbers whose intermediate arrays stay in the processor's cache; larger ones are mapped anew for each step."""


class ExactSum:
    """A sum without rounding: floats are collected as integer mantissas per exponent, integers in two halves."""

    def __init__(self) -> None:
        self._per_exponent: dict[int, int] = {}
        self._not_finite = 0.0

    def add(self, values: np.ndarray) -> None:
        """Adds every value of an int64 or float64 array without nulls."""
        if not len(values):
            return
        if values.dtype.kind in "iu":
            integers = values.astype(np.int64, copy=False)
            high, low = integers >> 32, integers & 0xFFFFFFFF
            self._grow(0, (int(high.sum()) << 32) + int(low.sum()))
            return
        finite = np.isfinite(values)
        if not finite.all():
            self._not_finite += float(values[~finite].sum())
            values = values[finite]
        mantissas, exponents = np.frexp(values)
        integers = np.ldexp(mantissas, _MANTISSA_BITS).astype(np.int64)
        high, low = integers >> 27, integers & (2**27 - 1)
        lowest = int(exponents.min()) if len(exponents) else 0
        places = exponents - lowest
        highs = np.bincount(places, weights=high)
        lows = np.bincount(places, weights=low)
        for place in np.flatnonzero(np.bincount(places)):
            self._grow(int(place) + lowest - _MANTISSA_BITS, (int(highs[place]) << 27) + int(lows[place]))

    def _grow(self, exponent: int, amount: int) -> None:
        self._per_exponent[exponent] = self._per_exponent.get(exponent, 0) + amount

    @property
    def exact(self) -> Fraction:
        """The sum of the finite values."""
        total = Fraction(0)
        for exponent, amount in self._per_exponent.items():
            total += Fraction(amount) * Fraction(2) ** exponent
        return total

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return _rounded(self.exact) if self._not_finite == 0 else self._not_finite

    @property
    def is_finite(self) -> bool:
        """Whether no infinity was added."""
        return self._not_finite == 0


def add_products(target: ExactSum, left: np.ndarray, right: np.ndarray) -> None:
    """Adds left * right without rounding: each product as the nearest float and its exact remainder."""
    with np.errstate(over="ignore"):
        product = left * right
    target.add(product)
    if not np.isfinite(product).all() or np.abs(left).max(initial=0) > 1e140 or np.abs(right).max(initial=0) > 1e140:
        return
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    rest = ((left_high * right_high - product) + left_high * right_low + left_low * right_high) + left_low * right_low
    target.add(rest)


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = _SPLITTER * values
    high = scaled - (scaled - values)
    return high, values - high


class Moments:
    """Count, sum, mean, population standard deviation, least and greatest of numbers; nulls do not count.

    Without `squares`, which take most of the time, there is no variance and no deviation.
    """

    def __init__(self, *, squares: bool = True) -> None:
        self._with_squares = squares
        self.count = 0
        self.low: float | None = None
        self.high: float | None = None
        self._sum = ExactSum()
        self._squares = ExactSum()

    def add(self, numbers: pa.Array) -> None:
        """Adds the numbers of one batch."""
        values = numbers.drop_null().to_numpy(zero_copy_only=False)
        if not len(values):
            return
        self.count += len(values)
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            self._sum.add(some)
            if not self._with_squares:
                continue
            if some.dtype.kind == "i" and some.min() > -_ROOT and some.max() < _ROOT:
                self._squares.add(some * some)
                continue
            floats = some.astype(np.float64)
            add_products(self._squares, floats, floats)
        self.low = min(values.min().item(), self.low if self.low is not None else math.inf)
        self.high = max(values.max().item(), self.high if self.high is not None else -math.inf)

    @property
    def sum(self) -> float:
        return self._sum.value

    @property
    def mean(self) -> float:
        if not self._sum.is_finite:
            return self._sum.value
        return _rounded(self._sum.exact / self.count)

    @property
    def variance(self) -> float:
        """The population variance; nan when an infinity was added."""
        return _rounded(self._variance) if self._is_finite else math.nan

    @property
    def standard_deviation(self) -> float:
        return _root(self._variance) if self._is_finite else math.nan

    @property
    def _is_finite(self) -> bool:
        return self._sum.is_finite and self._squares.is_finite

    @property
    def _variance(self) -> Fraction:
        total = self._sum.exact
        return (self._squares.exact - total * total / self.count) / self.count


class Correlation:
    """Pearson's correlation of two columns over the rows that have both."""

    def __init__(self) -> None:
        self.count = 0
        self._left, self._right = ExactSum(), ExactSum()
        self._left_squares, self._right_squares, self._products = ExactSum(), ExactSum(), ExactSum()

    def add(self, left: pa.Array, right: pa.Array) -> None:
        """Adds the pairs of one batch."""
        both = pc.and_(pc.is_valid(left), pc.is_valid(right))
        a = left.filter(both).to_numpy(zero_copy_only=False).astype(np.float64)
        b = right.filter(both).to_numpy(zero_copy_only=False).astype(np.float64)
        self.count += len(a)
        self._left.add(a)
        self._right.add(b)
        add_products(self._left_squares, a, a)
        add_products(self._right_squares, b, b)
        add_products(self._products, a, b)

    @property
    def value(self) -> float:
        """The correlation; nan when a column does not vary."""
        n = self.count
        if n == 0:
            return math.nan
        left, right = self._left.exact, self._right.exact
        spread = (n * self._left_squares.exact - left * left) * (n * self._right_squares.exact - right * right)
        return _rounded(n * self._products.exact - left * right) / _root(spread) if spread > 0 else math.nan


def entropy(counts: dict[int, int]) -> float:
    """The entropy, in nats, of values of which `counts[k]` occur k times each."""
    rows = sum(times * values for times, values in counts.items())
    return (
        -math.fsum(values * (times / rows) * math.log(times / rows) for times, values in sorted(counts.items())) + 0.0
    )


def _rounded(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _root(square: Fraction) -> float:
    return math.sqrt(max(_rounded(square), 0.0))
