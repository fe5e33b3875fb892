"""Modes from scipy: of linear models row by row in data units, of hierarchical ones from the dense normal density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from overrides import Bound, Prior
from panels import dense_log_density
from scipy import optimize, stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.scales import FloatArray

Bounds = Sequence[tuple[float, float]]


def rowwise_density(matrix: ModelMatrix, priors: Sequence[Prior], point: FloatArray) -> float:
    """Log density of all rows and of the priors at coefficients and noise sd; priors in the order of the point."""
    mean = matrix.values @ point[:-1] + matrix.offset
    total = float(stats.norm.logpdf(matrix.response, mean, point[-1]).sum())
    return total + sum(_prior_density(prior, float(x)) for prior, x in zip(priors, point, strict=True))


def _prior_density(prior: Prior, x: float) -> float:
    if prior.family == "normal":
        return float(stats.norm.logpdf(x, prior.mean, prior.sd))
    spread = np.sqrt(np.log1p((prior.sd / prior.mean) ** 2))
    return float(stats.lognorm.logpdf(x, spread, scale=prior.mean / np.exp(spread**2 / 2)))


def rowwise_mode(matrix: ModelMatrix, priors: Sequence[Prior], boundaries: Sequence[Bound] = ()) -> FloatArray:
    """Coefficients and noise sd (K + 1,) at the mode within the bounds."""
    start, unit = _guess(matrix, priors)
    bound_of = {row.parameter: (row.lower, row.upper) for row in boundaries}
    bounds = [bound_of.get(prior.parameter, (-np.inf, np.inf)) for prior in priors]
    bounds[-1] = (max(bounds[-1][0], 1e-9 * unit[-1]), bounds[-1][1])
    return highest(lambda point: rowwise_density(matrix, priors, point), start, unit, bounds)


def _guess(matrix: ModelMatrix, priors: Sequence[Prior]) -> tuple[FloatArray, FloatArray]:
    """Ridge solution and residual sd at the sd of the least-squares residuals, and about their standard deviations."""
    X, y = matrix.values, matrix.response - matrix.offset
    sigma = float(np.std(y - X @ np.linalg.lstsq(X, y)[0]))
    mean, sd = np.array([(prior.mean, prior.sd) for prior in priors[:-1]]).T
    covariance = np.linalg.inv(X.T @ X / sigma**2 + np.diag(sd**-2))
    coef = covariance @ (X.T @ y / sigma**2 + mean / sd**2)
    return np.append(coef, sigma), np.append(np.sqrt(np.diag(covariance)), sigma / np.sqrt(2 * len(y)))


def dense_density(design: HierarchicalDesign, point: FloatArray) -> float:
    """Log density of all rows at once and of normal priors at (coefficients, noise sd, group sds) on Stan's scale."""
    K = len(design.matrix.terms)
    prior = sum(
        -0.5 * ((x - row.scaled_mean) / row.scaled_sd) ** 2 for x, row in zip(point, design.parameters, strict=True)
    )
    return dense_log_density(design, point[:K], point[K + 1 :], float(point[K])) + float(prior)


def dense_mode(design: HierarchicalDesign) -> FloatArray:
    """The mode of `dense_density` within the bounds."""
    K, size = len(design.matrix.terms), len(design.parameters)
    bounds = [(row.scaled_lower, row.scaled_upper) for row in design.parameters]
    bounds[K] = (0.05, bounds[K][1])
    start = np.concatenate([np.zeros(K), np.full(size - K, 0.5)])
    return highest(lambda point: dense_density(design, point), start, np.full(size, 0.1), bounds)


def highest(density: Any, start: FloatArray, unit: FloatArray, bounds: Bounds) -> FloatArray:
    """The point of the highest density within the bounds; `unit` (P,) is about a standard deviation of each."""
    inside = [
        ((low - at) / step, (high - at) / step) for (low, high), at, step in zip(bounds, start, unit, strict=True)
    ]
    low, high = np.array(inside).T
    at = np.clip(np.zeros(len(start)), low, high)
    for _ in range(3):
        found = optimize.minimize(
            lambda x: -density(start + unit * x), at, bounds=inside, method="L-BFGS-B", jac="3-point",
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000, "maxfun": 500_000},
        )  # fmt: skip
        at = np.clip(found.x, low, high)
    return np.asarray(start + unit * at)


def curvature(density: Any, point: FloatArray, unit: FloatArray) -> FloatArray:
    """Hessian of a log density by central differences of size `unit`."""
    steps = np.diag(unit)
    size = len(point)
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            corners = [(a, b, density(point + a * steps[i] + b * steps[j])) for a in (1, -1) for b in (1, -1)]
            hessian[i, j] = sum(a * b * value for a, b, value in corners) / (4 * unit[i] * unit[j])
    return hessian
