"""Pareto-smoothed importance sampling, for many rows at once.

Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling", JMLR 25(72). The largest
importance ratios of each row are replaced by the expected order statistics of a generalised Pareto distribution fitted
to them; its shape k says whether the smoothed estimate can be trusted.
"""

from __future__ import annotations

import numpy as np

from dsam_assets.scales import FloatArray

MIN_TAIL = 5
# Zhang and Stephens (2009), section 3: number of grid points and scale of the prior on the grid.
_GRID_BASE = 30
_GRID_SCALE = 3.0
# Weakly informative prior on k of the PSIS paper (appendix): worth ten observations at k = 0.5.
_PRIOR_WEIGHT = 10.0
_PRIOR_K = 0.5


def tail_length(n_draws: int, r_eff: float = 1.0) -> int:
    """Number of largest ratios to smooth: min(S/5, 3·sqrt(S/r_eff)), rounded down as ArviZ does (R's loo rounds up)."""
    return int(min(n_draws / 5, 3 * np.sqrt(n_draws / r_eff)))


def psis(log_ratios: FloatArray, tail: int) -> tuple[FloatArray, FloatArray]:
    """Smooth and normalise importance ratios.

    Args:
        log_ratios: log importance ratios, shape (rows, draws).
        tail: how many of the largest ratios to smooth, see `tail_length`.

    Returns:
        Log weights (rows, draws), each row summing to 1 on the natural scale, and Pareto k (rows,).
        k is inf where no generalised Pareto fits (fewer than five tail draws, or a tail of ties): the raw ratios are
        kept and must not be trusted. Rows with a ratio that is not finite have NaN in both.
    """
    usable = np.isfinite(log_ratios).all(axis=1)
    weights = np.where(usable[:, np.newaxis], log_ratios, 0.0)
    weights -= weights.max(axis=1, keepdims=True)
    k = _smooth(weights, tail) if tail >= MIN_TAIL else np.full(len(weights), np.inf)
    weights -= logsumexp(weights)[:, np.newaxis]
    weights[~usable] = np.nan
    return weights, np.where(usable, k, np.nan)


def _smooth(weights: FloatArray, tail: int) -> FloatArray:
    """Replace each row's largest `tail` log weights (maximum 0) in place; return k per row."""
    first = weights.shape[1] - tail
    order = np.argpartition(weights, [first - 1, first], axis=1)
    threshold = np.exp(np.take_along_axis(weights, order[:, first - 1 : first], axis=1))
    index = order[:, first:]
    values = np.take_along_axis(weights, index, axis=1)
    rank = np.argsort(values, axis=1)
    index, values = np.take_along_axis(index, rank, axis=1), np.take_along_axis(values, rank, axis=1)
    k, sigma = gpd_fit(np.exp(values) - threshold)
    fitted = np.isfinite(k)
    quantiles = gpd_quantiles((np.arange(tail) + 0.5) / tail, k[fitted], sigma[fitted])
    # Order statistics beyond the largest raw ratio (log 0) would let the fit invent evidence.
    values[fitted] = np.minimum(np.log(threshold[fitted] + quantiles), 0.0)
    np.put_along_axis(weights, index, values, axis=1)
    return k


def gpd_fit(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit a generalised Pareto distribution to each row of sorted excesses.

    Empirical-Bayes estimate of Zhang and Stephens (2009, Technometrics 51:316), k shrunk towards 0.5.

    Args:
        excess: values over the threshold, shape (rows, n), ascending, not negative.

    Returns:
        Shape k and scale σ, shape (rows,); k = inf and σ = NaN where the lower quartile does not exceed the minimum
        (ties) or the fit degenerates.
    """
    n = excess.shape[1]
    quartile = excess[:, int(n / 4 + 0.5) - 1]
    fits = quartile > excess[:, 0]
    k, sigma = np.full(len(excess), np.inf), np.full(len(excess), np.nan)
    if not fits.any():
        return k, sigma
    x = excess[fits]
    with np.errstate(all="ignore"):  # a degenerate row ends as NaN and is caught below
        b = _posterior_mean_b(x, quartile[fits])
        raw = np.log1p(-b[:, np.newaxis] * x).mean(axis=1)
        shape, scale = (n * raw + _PRIOR_WEIGHT * _PRIOR_K) / (n + _PRIOR_WEIGHT), -raw / b
    good = np.isfinite(shape) & (scale > 0)
    k[fits], sigma[fits] = np.where(good, shape, np.inf), np.where(good, scale, np.nan)
    return k, sigma


def _posterior_mean_b(x: FloatArray, quartile: FloatArray) -> FloatArray:
    """Posterior mean of b = −k/σ over Zhang and Stephens' grid, shape (rows,)."""
    n = x.shape[1]
    points = _GRID_BASE + int(np.sqrt(n))
    grid = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    b = grid / (_GRID_SCALE * quartile[:, np.newaxis]) + 1 / x[:, -1:]
    k = np.log1p(-b[:, :, np.newaxis] * x[:, np.newaxis, :]).mean(axis=2)
    profile = n * (np.log(-b / k) - k - 1)
    weight = np.exp(profile - logsumexp(profile)[:, np.newaxis])
    return np.asarray((b * weight).sum(axis=1) / weight.sum(axis=1), dtype=np.float64)


def gpd_quantiles(probability: FloatArray, k: FloatArray, sigma: FloatArray) -> FloatArray:
    """Quantiles of generalised Pareto distributions, shape (rows, probabilities); the exponential where k = 0."""
    tail = np.log1p(-probability)
    safe = np.where(k == 0, 1.0, k)[:, np.newaxis]
    stretch = np.where(k[:, np.newaxis] == 0, -tail, np.expm1(-safe * tail) / safe)
    return np.asarray(sigma[:, np.newaxis] * stretch, dtype=np.float64)


def logsumexp(values: FloatArray) -> FloatArray:
    """log Σ exp over the last axis, without overflow."""
    top = values.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.asarray(np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0], dtype=np.float64)
