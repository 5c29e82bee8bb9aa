"""Medians, percentiles, and figures as people read them."""

import math
from collections.abc import Sequence
from statistics import median as _median


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return float(_median(values))


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed: one that was measured, never a mean of two."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def figure(value: float) -> str:
    """Three digits that count, without an exponent: 0.0123, 1.23, 12.3, 1,234."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}"
