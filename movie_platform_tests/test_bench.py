"""The table of speed says which of its ratios became worse."""

import pytest

from bench.table import Measured, Row, Took, always, cells

ROW = Row("work", always("work"), "anchor", always("anchor"), goal=2.0)
BEFORE = {"wall": 1.0, "processor": 1.0}


def measured(wall: float, processor: float) -> Measured:
    return Measured(ROW, [Took(wall, processor, 0.1)] * 3, [Took(1.0, 1.0, 0.1)] * 3)


@pytest.mark.parametrize(
    ("wall", "processor", "remark"),
    [
        (1.1, 1.1, ""),
        (1.5, 1.0, ""),
        (1.0, 1.5, ""),
        (1.2, 1.2, "REGRESSION"),
        (2.5, 1.0, "above its goal"),
    ],
)
def test_a_regression_shows_in_wall_time_and_in_processor_time(wall: float, processor: float, remark: str) -> None:
    found = measured(wall, processor)
    assert cells(found, BEFORE)[-1] == remark
    assert found.is_worse_than(BEFORE) == (remark == "REGRESSION")
    assert not found.is_worse_than(None)


def test_a_ratio_is_that_of_the_medians_and_the_spread_that_of_the_rounds() -> None:
    found = Measured(ROW, [Took(wall, wall, 0.1) for wall in (1, 2, 9)], [Took(wall, wall, 0.1) for wall in (1, 1, 3)])
    assert found.wall == found.processor == 2
    assert found.spread == (1, 3)
