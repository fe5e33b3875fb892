"""Whether ranks are uniform: simultaneous bands for their empirical distribution.

Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32:32. With n ranks in 0 … L, the number at most z is
binomial(n, (z + 1) / (L + 1)) if they are uniform. The statistic γ is the smallest two-sided binomial tail over all z;
its own distribution under uniformity, from simulation, gives the p-value and the band that holds all z at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from dsam_assets.scales import FloatArray

SIMULATIONS = 50_000


@dataclass(frozen=True)
class Band:
    """ECDF values (L,) at ranks 0 … L − 1 that uniform ranks stay within, all at once."""

    at: FloatArray
    low: FloatArray
    high: FloatArray


def p_value(ranks: FloatArray, highest: int) -> float:
    """Probability of an ECDF at least this far from uniform; ranks (n,) in 0 … highest."""
    counts = np.bincount(ranks, minlength=highest + 1)
    null = _null(len(ranks), highest)
    return float((1 + np.sum(null <= _gamma(counts[None], len(ranks), highest)[0])) / (len(null) + 1))


def band(size: int, highest: int, level: float) -> Band:
    """The simultaneous band of a level, for `size` ranks in 0 … highest."""
    gamma = np.quantile(_null(size, highest), 1 - level)
    at = np.arange(1, highest + 1) / (highest + 1)
    low, high = (stats.binom.ppf(tail, size, at) / size for tail in (gamma / 2, 1 - gamma / 2))
    return Band(at, low, high)


@cache
def _tails(size: int, highest: int) -> FloatArray:
    """Two-sided tail of each number of ranks at most z, shape (L, n + 1)."""
    at = np.arange(1, highest + 1)[:, None] / (highest + 1)
    count = np.arange(size + 1)
    below, above = stats.binom.cdf(count, size, at), stats.binom.sf(count - 1, size, at)
    return np.asarray(2 * np.minimum(below, above))


def _gamma(counts: FloatArray, size: int, highest: int) -> FloatArray:
    """Smallest tail over z; counts (S, L + 1)."""
    cumulative = np.cumsum(counts, axis=1)[:, :-1]
    return np.asarray(_tails(size, highest)[np.arange(highest), cumulative].min(axis=1))


@cache
def _null(size: int, highest: int) -> FloatArray:
    rng = np.random.default_rng(2022)
    counts = rng.multinomial(size, np.full(highest + 1, 1 / (highest + 1)), size=SIMULATIONS)
    return _gamma(counts, size, highest)
