"""Counts, shares and examples as failure reasons state them."""

from collections.abc import Mapping, Sequence
from typing import Any

from movie_platform.quality.presentation import shown


def count_of_rows(rows: int) -> str:
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def does_or_do(rows: int) -> str:
    return "does" if rows == 1 else "do"


def percentage(share: float) -> str:
    """A share in per cent that is never rounded up to all or down to none."""
    percent = share * 100
    if 0 < share < 1:
        digits = 1
        while digits < 8 and round(percent, digits) in (0.0, 100.0):
            digits += 1
        return f"{percent:.{digits}f} %"
    return f"{percent:.0f} %"


def spelled_number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def shown_examples(examples: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    shown_rows = [
        f"row {row + 1}: {', '.join(shown(value) for value in values.values())}"
        for row, values in examples[:3]
        if values
    ]
    return f", for example {'; '.join(shown_rows)}" if shown_rows else ""
