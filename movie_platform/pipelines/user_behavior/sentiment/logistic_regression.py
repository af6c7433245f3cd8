"""Logistic regression over sparse features: a few lines of numpy instead of a library of the size of this platform.

Sums are numpy's own and not BLAS', whose order depends on the number of processors.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_REMEMBERED = 8
_ENOUGH_DECREASE = 1e-4
_SMALLEST_STEP = 1e-8


class SparseRows:
    """Rows of a sparse matrix: in row `rows[i]` and column `columns[i]` stands `values[i]`."""

    def __init__(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], values: Vector, count: int) -> None:
        self._rows, self._columns, self._values, self._count = rows, columns, values, count

    def times(self, weights: Vector) -> Vector:
        return np.bincount(self._rows, weights[self._columns] * self._values, self._count).astype(
            np.float64, copy=False
        )

    def transposed_times(self, residuals: Vector, columns: int) -> Vector:
        return np.bincount(self._columns, residuals[self._rows] * self._values, columns).astype(np.float64)


def fit(features: SparseRows, positive: npt.NDArray[np.bool_], columns: int, penalty: float) -> tuple[Vector, float]:
    """Weights and intercept that make the observed classes most likely, large weights held down by the penalty."""
    sign = np.where(positive, 1.0, -1.0)

    def loss(point: Vector) -> tuple[float, Vector]:
        weights, intercept = point[:-1], point[-1]
        margins = sign * (features.times(weights) + intercept)
        residuals = -sign / (1 + np.exp(np.minimum(margins, 500.0)))
        gradient = features.transposed_times(residuals, columns) + penalty * weights
        value = np.logaddexp(0, -margins).sum() + penalty / 2 * _product(weights, weights)
        return float(value), np.append(gradient, residuals.sum())

    found = minimum(loss, np.zeros(columns + 1))
    return found[:-1], float(found[-1])


def minimum(
    function: Callable[[Vector], tuple[float, Vector]], start: Vector, *, steps: int = 100, enough: float = 1e-6
) -> Vector:
    """The minimum of a convex function that also gives its gradient, by L-BFGS from `start`."""
    point = start
    value, gradient = function(point)
    moves: list[tuple[Vector, Vector]] = []
    for _ in range(steps):
        direction = _direction(gradient, moves)
        length, slope = 1.0, _product(gradient, direction)
        while True:
            next_point = point - length * direction
            next_value, next_gradient = function(next_point)
            if next_value <= value - _ENOUGH_DECREASE * length * slope or length < _SMALLEST_STEP:
                break
            length /= 2
        if next_value >= value:
            return point
        move, change = next_point - point, next_gradient - gradient
        if _product(move, change) > 0:
            moves = [*moves[1 - _REMEMBERED :], (move, change)]
        improved = value - next_value
        point, value, gradient = next_point, next_value, next_gradient
        if improved < enough * max(1.0, abs(value)):
            break
    return point


def _direction(gradient: Vector, moves: Sequence[tuple[Vector, Vector]]) -> Vector:
    """The gradient as the remembered moves say that the function curves (the two-loop recursion)."""
    direction = gradient.copy()
    factors = []
    for move, change in reversed(moves):
        factor = _product(move, direction) / _product(change, move)
        factors.append(factor)
        direction -= factor * change
    if moves:
        move, change = moves[-1]
        direction *= _product(move, change) / _product(change, change)
    else:
        direction /= max(1.0, float(np.abs(gradient).sum()))
    for (move, change), factor in zip(moves, reversed(factors), strict=True):
        direction += move * (factor - _product(change, direction) / _product(change, move))
    return direction


def _product(one: Vector, other: Vector) -> float:
    return float((one * other).sum())
