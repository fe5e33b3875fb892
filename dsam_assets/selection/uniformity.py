"""Whether values in [0, 1] are uniform: simultaneous bands of their empirical distribution function.

Säilynoja, Bürkner and Vehtari (2022), "Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison", Statistics and Computing 32:32. The ECDF of n values is looked at in the
points z_i = i/K. One count is binomial, so a pointwise two-sided tail probability belongs to each; a band of *equal*
tail probabilities γ is simultaneous at the level 1 − α when γ is such that all counts are inside with probability
1 − α. That probability is computed exactly. The paper's recursion has a binomial step from each count to each later
one; the counts are also those of a Poisson process given that it ends at n, and then each step is a convolution with
one and the same Poisson distribution, which keeps 20,000 values within a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dsam_assets.scales import FloatArray

MOST_POINTS = 500
_STEPS = 40
_SMALLEST = 1e-13
# A tail probability that was reached is outside a band of this much more: equal numbers must not differ by rounding.
_ABOVE = 1 + 1e-9
_NEGLIGIBLE = 1e-18

type Counts = NDArray[np.int64]


@dataclass(frozen=True)
class EcdfBand:
    """A simultaneous band of the ECDF of n uniform values.

    Attributes:
        points: where the ECDF is looked at, i/K for i = 1 … K − 1.
        lower, upper: the band's limits there, as shares of the values; both limits are inside.
        level: the probability that was asked for.
        coverage: the probability that uniform values stay inside, at least `level`: counts come in whole numbers.
    """

    points: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float
    coverage: float


def grid_size(size: int) -> int:
    """K: as many points as values, at most 500."""
    return max(2, min(size, MOST_POINTS))


def ecdf(values: FloatArray, cells: int) -> FloatArray:
    """Share of the values at or below i/K for i = 1 … K − 1."""
    return np.asarray(_counts(values, cells) / values.size)


def simultaneous_band(size: int, level: float, cells: int | None = None) -> EcdfBand:
    """The band that the ECDF of `size` uniform values stays in with at least the probability `level`.

    Args:
        size: number of values, n ≥ 1.
        level: between 0 and 1.
        cells: K, the number of equal steps; by default `grid_size(size)`.
    """
    cells = grid_size(size) if cells is None else cells
    lower, upper = _limits(size, cells, _equal_tail(size, cells, level))
    coverage = containment(size, lower, upper)
    return EcdfBand(np.arange(1, cells) / cells, lower / size, upper / size, level, coverage)


def uniformity_p_value(values: FloatArray, cells: int | None = None) -> float:
    """Probability that the ECDF of so many uniform values leaves as narrow a band as this one does, or a wider one.

    It is at most α exactly when the ECDF leaves the simultaneous band of level 1 − α.
    """
    from scipy.stats import binom

    size = values.size
    cells = grid_size(size) if cells is None else cells
    z, counts = np.arange(1, cells) / cells, _counts(values, cells)
    tails = np.minimum(binom.cdf(counts, size, z), binom.cdf(size - counts, size, 1 - z))
    return 1 - containment(size, *_limits(size, cells, min(1.0, 2 * float(tails.min())) * _ABOVE))


def containment(size: int, lower: Counts, upper: Counts) -> float:
    """P(lower_i ≤ number of values at or below i/K ≤ upper_i for all i < K) for `size` independent uniform values."""
    from scipy.special import gammaln

    rate = size / (len(lower) + 1)
    most = int(rate + 10 * np.sqrt(rate) + 40)
    jumps = np.arange(most + 1)
    step = np.exp(jumps * np.log(rate) - rate - gammaln(jumps + 1))
    state, first = np.ones(1), 0
    for low, high in zip([*lower.tolist(), size], [*upper.tolist(), size], strict=True):
        if high < max(low, first):
            return 0.0
        reached = np.convolve(state, step[: high - first + 1])[: high - first + 1]
        state, first = reached[max(low - first, 0) :], max(low, first)
        if not state.max() > _NEGLIGIBLE:
            return 0.0
    arrived = np.exp(size * np.log(size) - size - gammaln(size + 1))
    return float(min(1.0, state[0] / arrived))


@lru_cache(maxsize=64)
def _equal_tail(size: int, cells: int, level: float) -> float:
    """The largest γ whose band holds with at least the probability `level`, by bisection on its logarithm."""
    low, high = np.log(_SMALLEST), 0.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        enough = containment(size, *_limits(size, cells, float(np.exp(middle)))) >= level
        low, high = (middle, high) if enough else (low, middle)
        if high - low < 1e-4:
            break
    return float(np.exp(low))


def _limits(size: int, cells: int, tail: float) -> tuple[Counts, Counts]:
    """The counts whose two-sided tail probability is at least `tail`, as (lowest, highest) in each point."""
    from scipy.stats import binom

    lowest = np.asarray(binom.ppf(min(tail / 2, 1.0), size, np.arange(1, cells) / cells)).astype(np.int64)
    return lowest, size - lowest[::-1]


def _counts(values: FloatArray, cells: int) -> Counts:
    counts: Counts = np.searchsorted(np.sort(values), np.arange(1, cells) / cells, side="right").astype(np.int64)
    return counts
