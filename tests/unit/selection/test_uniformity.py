"""Simultaneous bands against enumeration of all counts, and by simulation."""

from __future__ import annotations

import itertools
import time
from math import factorial, prod

import numpy as np
import pytest
from scipy import stats

from dsam_assets.selection.uniformity import (
    containment,
    ecdf,
    grid_size,
    simultaneous_band,
    uniformity_p_value,
)


def enumerated(size: int, lower: list[int], upper: list[int]) -> float:
    """P(all counts within their limits): the multinomial probabilities of all ways to fill the cells, added up."""
    cells = len(lower) + 1
    total = 0.0
    for first in itertools.product(range(size + 1), repeat=cells - 1):
        counts = np.cumsum(first)
        if counts[-1] <= size and all(lower <= counts) and all(counts <= upper):
            filled = [*first, size - sum(first)]
            total += factorial(size) / prod(factorial(each) for each in filled) / cells**size
    return total


@pytest.mark.parametrize(
    ("size", "lower", "upper"),
    [
        (5, [0, 1, 2], [3, 4, 5]),
        (7, [1, 1, 3, 4], [3, 5, 6, 7]),
        (4, [0, 0], [4, 4]),
        (3, [0, 2, 2], [1, 2, 3]),
        (6, [2, 2, 5], [2, 6, 6]),
        (5, [3, 0], [5, 2]),
    ],
)
def test_containment_is_the_sum_over_all_counts(size: int, lower: list[int], upper: list[int]) -> None:
    expected = enumerated(size, lower, upper)
    assert containment(size, np.array(lower), np.array(upper)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("size", "cells"), [(20, None), (60, None), (150, None), (156, 10), (2000, None)])
def test_uniform_values_stay_inside_as_often_as_the_band_says(size: int, cells: int | None) -> None:
    band = simultaneous_band(size, 0.95, cells)
    replicates = 4000 if size < 1000 else 800
    rng = np.random.default_rng(size)
    found = np.array([ecdf(rng.uniform(size=size), len(band.points) + 1) for _ in range(replicates)])
    inside = ((found > band.lower - 1e-9) & (found < band.upper + 1e-9)).all(axis=1).mean()
    assert 0.95 <= band.coverage < 0.957
    assert abs(inside - band.coverage) < 4 * np.sqrt(0.95 * 0.05 / replicates)


def test_tails_are_equal_at_every_point() -> None:
    """No point of the band is wider than another: each limit is the same quantile of its binomial distribution."""
    band = simultaneous_band(5000, 0.95)
    below = stats.binom.cdf(np.round(band.lower * 5000), 5000, band.points)
    above = stats.binom.sf(np.round(band.upper * 5000) - 1, 5000, band.points)
    middle = slice(50, -50)  # near the ends counts are few and jump
    np.testing.assert_allclose(below[middle], np.median(below), rtol=0.2)
    np.testing.assert_allclose(above[middle], np.median(below), rtol=0.2)
    np.testing.assert_allclose(band.upper, 1 - band.lower[::-1], atol=1e-12)


@pytest.mark.parametrize("size", [20, 100])
def test_p_values_keep_their_level(size: int) -> None:
    rng = np.random.default_rng(7)
    found = np.array([uniformity_p_value(rng.uniform(size=size)) for _ in range(6000)])
    for level in (0.01, 0.05, 0.2, 0.5):
        assert (found <= level).mean() < level + 4 * np.sqrt(level / 6000)
        assert (found <= level).mean() > 0.75 * level


@pytest.mark.parametrize("slope", [0.0, 0.35, 0.8])
def test_p_value_and_band_agree(slope: float) -> None:
    rng = np.random.default_rng(3)
    band, outside = simultaneous_band(80, 0.95), []
    for _ in range(200):
        values = rng.uniform(size=80) ** (1 + slope)
        share = ecdf(values, grid_size(80))
        leaves = bool(((share < band.lower - 1e-9) | (share > band.upper + 1e-9)).any())
        assert leaves == (uniformity_p_value(values) <= 1 - band.level)
        outside.append(leaves)
    low, high = {0.0: (0, 0.12), 0.35: (0.2, 0.9), 0.8: (0.9, 1.0)}[slope]
    assert low <= np.mean(outside) <= high


def test_extremes() -> None:
    assert uniformity_p_value(np.zeros(30)) < 1e-12
    assert uniformity_p_value(np.full(30, 0.5)) < 1e-6
    assert uniformity_p_value((np.arange(30) + 0.5) / 30) > 0.99
    assert 0 < uniformity_p_value(np.array([0.3])) <= 1


def test_twenty_thousand_values_take_seconds_at_most() -> None:
    start = time.perf_counter()
    band = simultaneous_band(20_000, 0.95)
    uniformity_p_value(np.random.default_rng(1).uniform(size=20_000))
    assert time.perf_counter() - start < 5
    assert np.max(band.upper - band.points) < 0.013
