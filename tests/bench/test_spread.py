"""Medians, percentiles and figures."""

import pytest

from tests.bench.spread import figure, median, p95


def test_the_median_is_the_middle_value() -> None:
    """One slow round moves the median by one place, not by its length."""
    assert median([3.0, 1.0, 900.0]) == 3.0


def test_the_95th_percentile_is_a_value_that_was_measured() -> None:
    """Of a hundred, the 95th; of a few, the largest."""
    assert p95([float(n) for n in range(1, 101)]) == 95.0
    assert p95([3.0, 1.0, 2.0]) == 3.0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (9.999, "10.00"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12_345.6, "12,346"),
        (float("inf"), "–"),
    ],
)
def test_a_figure_has_three_digits_that_count(value: float, shown: str) -> None:
    """No exponent, no digits that say nothing, thousands apart."""
    assert figure(value) == shown
