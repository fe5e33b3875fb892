"""Densities of a whole design at many points at once, with group deviations integrated out, in NumPy.

A point is (coefficients, `noise_sd`, group standard deviations) on the scale that Stan sees, in the order of the
design's parameters; an array of points is (S, P). `fit.log_posterior` has the same density at one point with its
derivatives; here are its value, and what is needed to integrate further parts of it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import Block, BlockStatistics
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.design.sufficient import SufficientStatistics
from dsam_assets.scales import FloatArray

LOG_2PI = float(np.log(2 * np.pi))
# Numbers in one batch of small matrices, 64 MB.
BLOCK_CELLS = 8_000_000


def log_prior(parameters: Sequence[Parameter], points: FloatArray) -> FloatArray:
    """Log prior density up to the constants of truncation, shape (S,); −inf beyond the bounds."""
    total = np.zeros(len(points))
    for row, x in zip(parameters, points.T, strict=True):
        inside = (x >= row.scaled_lower) & (x <= row.scaled_upper)
        if row.family == "lognormal_ms":
            location, spread = lognormal_location_spread(row.scaled_mean, row.scaled_sd)
            log = np.log(np.where(x > 0, x, 1.0))
            value, inside = -0.5 * ((log - location) / spread) ** 2 - log - np.log(spread), inside & (x > 0)
        else:
            value = -0.5 * ((x - row.scaled_mean) / row.scaled_sd) ** 2 - np.log(row.scaled_sd)
        total += np.where(inside, value - 0.5 * LOG_2PI, -np.inf)
    return total


def log_likelihood(design: ModelDesign, points: FloatArray) -> FloatArray:
    """Log likelihood of all rows of a design with group deviations integrated out, shape (S,), Stan's scale."""
    statistics = design.statistics
    K = len(statistics.z)
    coef, noise = points[:, :K], points[:, K]
    blocks = statistics.blocks if isinstance(statistics, BlockStatistics) else ()
    total = _plain(statistics, statistics.rows - sum(len(block.y) for block in blocks), coef, noise)
    if isinstance(design, HierarchicalDesign):
        first_sd = first_sd_of(design)
        for block in blocks:
            tau = points[:, K + 1 + first_sd[block.deviations.term] + block.deviations.effect]
            total = total + _spread(block, coef, tau, noise)
    return total


def _plain(
    statistics: SufficientStatistics | BlockStatistics, rows: int, coef: FloatArray, noise: FloatArray
) -> FloatArray:
    left = statistics.z - coef @ statistics.R.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        square = (np.einsum("sk,sk->s", left, left) + statistics.rss) / noise**2
        return np.asarray(-0.5 * square - rows * (np.log(noise) + 0.5 * LOG_2PI))


def _spread(block: Block, coef: FloatArray, tau: FloatArray, noise: FloatArray) -> FloatArray:
    """Rows that feel deviations: a normal with covariance σ² I + F diag(τ²) F' per point."""
    result = np.empty(len(coef))
    for part, covariance in _covariances(block, tau, noise):
        result[part] = _normal(block.y - coef[part] @ block.X.T, covariance)
    return result


def _covariances(block: Block, tau: FloatArray, noise: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """σ² I + F diag(τ²) F' (…, r, r) by batches of points."""
    r = len(block.y)
    step = max(1, BLOCK_CELLS // max(r * r, block.F.size))
    for start in range(0, len(tau), step):
        part = slice(start, start + step)
        spread = block.F * tau[part, np.newaxis, :]
        covariance = spread @ spread.transpose(0, 2, 1)
        covariance[:, np.arange(r), np.arange(r)] += noise[part, np.newaxis] ** 2
        yield part, covariance


def _normal(left: FloatArray, covariance: FloatArray) -> FloatArray:
    """Log densities (S,) of rows of `left` (S, r); −inf where a covariance (S, r, r) cannot be factored."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        if len(left) == 1:
            return np.array([-np.inf])
        return np.concatenate([_normal(left[k : k + 1], covariance[k : k + 1]) for k in range(len(left))])
    white = np.linalg.solve(root, left[..., np.newaxis])[..., 0]
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(-0.5 * (white**2).sum(axis=1) - log_root - 0.5 * left.shape[1] * LOG_2PI)


def information(design: ModelDesign, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """X'V⁻¹X (S, K, K) and X'V⁻¹y (S, K) of all rows of a design, V their covariance at each point."""
    statistics = design.statistics
    K = len(statistics.z)
    scale = 1 / points[:, K] ** 2
    precision = scale[:, np.newaxis, np.newaxis] * (statistics.R.T @ statistics.R)
    target = scale[:, np.newaxis] * (statistics.R.T @ statistics.z)
    if isinstance(design, HierarchicalDesign):
        first_sd = first_sd_of(design)
        for block in design.statistics.blocks:
            rows = np.column_stack([block.X, block.y])
            tau = points[:, K + 1 + first_sd[block.deviations.term] + block.deviations.effect]
            for part, covariance in _covariances(block, tau, points[:, K]):
                solved = np.linalg.solve(covariance, np.broadcast_to(rows, (len(covariance), *rows.shape)))
                both = block.X.T @ solved
                precision[part] += both[:, :, :K]
                target[part] += both[:, :, K]
    return precision, target


def deviation_regression(
    block: Block, tau: FloatArray, noise: FloatArray, loads: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """How loads'u follows the block's rows: weights w (S, r) with mean w'(y − X b), and the variance (S,).

    With S = I + T½ F'F T½ / σ², as in `group_effects`, w' = loads' T½ S⁻¹ T½ F' / σ², and the variance is
    loads' T½ S⁻¹ T½ loads.
    """
    q, cross = tau.shape[1], block.F.T @ block.F
    weights, variance = np.empty((len(tau), len(block.y))), np.empty(len(tau))
    step = max(1, BLOCK_CELLS // q**2)
    for start in range(0, len(tau), step):
        part = slice(start, start + step)
        ratio = tau[part] / noise[part, np.newaxis]
        S = ratio[:, :, np.newaxis] * cross * ratio[:, np.newaxis, :]
        S[:, np.arange(q), np.arange(q)] += 1.0
        weighted = tau[part] * loads
        solved = np.linalg.solve(S, weighted[..., np.newaxis])[..., 0]
        weights[part] = (solved * ratio / noise[part, np.newaxis]) @ block.F.T
        variance[part] = np.einsum("sq,sq->s", solved, weighted)
    return weights, variance


def first_sd_of(design: HierarchicalDesign) -> NDArray[np.intp]:
    """How many group standard deviations come before those of each group term."""
    return np.cumsum([0, *(len(group.terms) for group in design.groups)])
