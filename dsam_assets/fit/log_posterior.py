"""The log posterior as a function of the parameters that the user sees, with its exact gradient and Hessian.

A second implementation of the density of the Stan programs, in NumPy and without transformed parameters: what the shape
of the posterior around a mode is read from. The point is (b, σ, τ) on the scale that Stan sees: coefficients, residual
standard deviation, group standard deviations. Group deviations are integrated out: rows y = X b + e have covariance
V = Σ_k v_k A_k with v = (σ², τ²), and with a = V⁻¹e (Searle, Casella & McCulloch, Variance Components, ch. 6)

    ∂L/∂b = X'a,  ∂L/∂v_k = ½ (a'A_k a − tr V⁻¹A_k),  ∂²L/∂b∂b' = −X'V⁻¹X,  ∂²L/∂b∂v_k = −X'V⁻¹A_k a,
    ∂²L/∂v_k∂v_l = ½ tr V⁻¹A_k V⁻¹A_l − a'A_k V⁻¹A_l a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import BlockStatistics
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.design.sufficient import SufficientStatistics
from dsam_assets.scales import FloatArray

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Expansion:
    """Value, gradient (P,) and Hessian (P, P) of a function at a point."""

    value: float
    gradient: FloatArray
    hessian: FloatArray

    def __add__(self, other: Expansion) -> Expansion:
        return Expansion(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)


@dataclass(frozen=True)
class SpreadRows:
    """Rows that feel group deviations: `F` (r, q), `X` (r, K), `y` (r,), and which τ each of the q deviations has."""

    F: FloatArray
    X: FloatArray
    y: FloatArray
    sd_index: NDArray[np.intp]


@dataclass(frozen=True)
class PlainRows:
    """N rows with independent residuals, through their statistics: `R` (K, K), `z` (K,) and `rss`."""

    rows: int
    R: FloatArray
    z: FloatArray
    rss: float


@dataclass(frozen=True)
class LogPosterior:
    """Log likelihood plus log priors, the latter without the constants of their truncation to the bounds.

    Attributes:
        parameters: coefficients (K), `noise_sd`, then group standard deviations (T): the order of the point.
        plain: the rows that feel no group deviation.
        spread: the others, by block.
    """

    parameters: tuple[Parameter, ...]
    plain: PlainRows
    spread: tuple[SpreadRows, ...] = ()

    @property
    def coefficients(self) -> int:
        """K, which is also the position of `noise_sd`."""
        return len(self.plain.z)

    @property
    def rows(self) -> int:
        """Number of rows behind the statistics."""
        return self.plain.rows + sum(len(block.y) for block in self.spread)

    def expand(self, point: FloatArray) -> Expansion:
        """Value, gradient and Hessian at a point (P,) with a positive `noise_sd`."""
        coef, sds = point[: self.coefficients], point[self.coefficients :]
        likelihood = _plain_expansion(self.plain, coef, sds)
        for block in self.spread:
            likelihood = likelihood + _spread_expansion(block, coef, sds)
        return _in_sds(likelihood, sds) + _prior_expansion(self.parameters, point)

    def residual_square(self, point: FloatArray) -> float:
        """Sum of squared residuals over all rows, group deviations at their conditional means.

        The residuals of rows with covariance V are σ² V⁻¹ (y − X b).
        """
        coef, sds = point[: self.coefficients], point[self.coefficients :]
        left = self.plain.z - self.plain.R @ coef
        total = float(left @ left) + self.plain.rss
        for block in self.spread:
            inside = sds[0] ** 2 * np.linalg.solve(_covariance(block, sds), block.y - block.X @ coef)
            total += float(inside @ inside)
        return total


def log_posterior(
    parameters: Sequence[Parameter],
    statistics: SufficientStatistics | BlockStatistics,
    effects: Sequence[int] = (),
) -> LogPosterior:
    """The log posterior of a design.

    Args:
        parameters: the design's: coefficients, `noise_sd`, then group standard deviations.
        statistics: the design's.
        effects: how many terms vary, per group term.
    """
    blocks = statistics.blocks if isinstance(statistics, BlockStatistics) else ()
    first_sd = np.cumsum([0, *effects])
    spread = tuple(
        SpreadRows(block.F, block.X, block.y, first_sd[block.deviations.term] + block.deviations.effect)
        for block in blocks
    )
    rows = statistics.rows - sum(len(block.y) for block in spread)
    return LogPosterior(tuple(parameters), PlainRows(rows, statistics.R, statistics.z, statistics.rss), spread)


def _plain_expansion(data: PlainRows, coef: FloatArray, sds: FloatArray) -> Expansion:
    """By coefficients and variances; A = I for the residual variance, and the groups' have no part in it."""
    left, v, K = data.z - data.R @ coef, sds[0] ** 2, len(coef)
    square = float(left @ left) + data.rss
    gradient, hessian = np.zeros(K + len(sds)), np.zeros((K + len(sds), K + len(sds)))
    gradient[:K] = data.R.T @ left / v
    gradient[K] = 0.5 * (square / v - data.rows) / v
    hessian[:K, :K] = -data.R.T @ data.R / v
    hessian[:K, K] = hessian[K, :K] = -gradient[:K] / v
    hessian[K, K] = (0.5 * data.rows - square / v) / v**2
    return Expansion(-0.5 * (square / v + data.rows * (np.log(v) + LOG_2PI)), gradient, hessian)


def _spread_expansion(data: SpreadRows, coef: FloatArray, sds: FloatArray) -> Expansion:
    """By coefficients and variances. Each A_k is a sum of f f' over some columns f of [I F], so that its traces and
    forms are sums over parts of G = [I F]' V⁻¹ [I F] and c = [I F]' V⁻¹ e."""
    left, (r, q) = data.y - data.X @ coef, data.F.shape
    V = _covariance(data, sds)
    columns = np.column_stack([np.eye(r), data.F])
    solved = np.linalg.solve(V, np.column_stack([columns, data.X, left]))
    a, VX = solved[:, -1], solved[:, r + q : -1]
    G, c, XVf = columns.T @ solved[:, : r + q], columns.T @ a, VX.T @ columns
    member = np.zeros((r + q, len(sds)))
    member[:r, 0] = 1.0
    member[np.arange(r, r + q), 1 + data.sd_index] = 1.0
    cross = -(XVf * c) @ member
    value = -0.5 * (float(left @ a) + float(np.linalg.slogdet(V)[1]) + r * LOG_2PI)
    gradient = np.concatenate([data.X.T @ a, 0.5 * member.T @ (c**2 - np.diag(G))])
    variances = member.T @ (0.5 * G**2 - G * np.outer(c, c)) @ member
    return Expansion(value, gradient, np.block([[-data.X.T @ VX, cross], [cross.T, variances]]))


def _covariance(data: SpreadRows, sds: FloatArray) -> FloatArray:
    spread = data.F * sds[1 + data.sd_index]
    covariance: FloatArray = spread @ spread.T + sds[0] ** 2 * np.eye(len(data.y))
    return covariance


def _in_sds(likelihood: Expansion, sds: FloatArray) -> Expansion:
    """From derivatives by variances to those by standard deviations: v = s², dv/ds = 2s, d²v/ds² = 2."""
    size = len(likelihood.gradient)
    chain = np.concatenate([np.ones(size - len(sds)), 2 * sds])
    bend = np.concatenate([np.zeros(size - len(sds)), 2 * likelihood.gradient[-len(sds) :]])
    hessian = likelihood.hessian * np.outer(chain, chain) + np.diag(bend)
    return Expansion(likelihood.value, likelihood.gradient * chain, hessian)


def _prior_expansion(parameters: Sequence[Parameter], point: FloatArray) -> Expansion:
    each = [_prior(row, float(x)) for row, x in zip(parameters, point, strict=True)]
    value, slope, bend = (np.array(part) for part in zip(*each, strict=True))
    return Expansion(float(value.sum()), slope, np.diag(bend))


def _prior(row: Parameter, x: float) -> tuple[float, float, float]:
    """Log density of the prior on Stan's scale with its first two derivatives."""
    if row.family == "normal":
        z = (x - row.scaled_mean) / row.scaled_sd
        return (
            -0.5 * (z**2 + LOG_2PI) - float(np.log(row.scaled_sd)),
            -z / row.scaled_sd,
            -1 / row.scaled_sd**2,
        )
    location, spread = lognormal_location_spread(row.scaled_mean, row.scaled_sd)
    log = float(np.log(x))
    z = (log - location) / spread
    return (
        -0.5 * (z**2 + LOG_2PI) - float(np.log(spread)) - log,
        -(1 + z / spread) / x,
        (1 + z / spread - 1 / spread**2) / x**2,
    )
