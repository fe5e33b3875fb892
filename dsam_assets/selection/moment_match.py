"""Leave-one-out for influential rows by moment matching: the draws are moved to where the other rows want them.

Paananen, Piironen, Bürkner and Vehtari (2021), "Implicitly adaptive importance sampling", Statistics and Computing
31:16. Draws x of the full posterior p(x) are mapped by an affine T whose mean, then also marginal scales, then also
covariance match those of the importance-weighted draws, as long as that lowers Pareto k. T(x) has the density
p(T⁻¹(x)) / |T|, so the weights of the leave-one-out posterior p₋ᵢ stay exact. At the end one half of the draws is
mapped back (the paper's split transformation): the proposal is then the mixture ½ p(x) + ½ p(T⁻¹(x)) / |T|, which also
covers where the row itself is likely, as its predictive density needs.

All of it happens on a scale without bounds, with group deviations integrated out; see `left_out`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dsam_assets.scales import FloatArray
from dsam_assets.selection.left_out import LeftOutRow
from dsam_assets.selection.psis import logsumexp, psis
from dsam_assets.selection.unconstrained import Bounds, bounds_of

MOST_ROUNDS = 30
# Moving goes on to the end of the band of good k: half of the draws go back afterwards, which may raise it a little.
_GOOD_K = 0.5
# So far below the largest log weight a weight is nothing.
_NOTHING = 700.0


@dataclass(frozen=True)
class Affine:
    """The map x → center + matrix (x − origin)."""

    origin: FloatArray
    center: FloatArray
    matrix: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """Points (S, P) mapped."""
        return np.asarray(self.center + (points - self.origin) @ self.matrix.T)

    def inverse(self, points: FloatArray) -> FloatArray:
        """Points (S, P) mapped back."""
        return np.asarray(self.origin + np.linalg.solve(self.matrix, (points - self.center).T).T)

    @property
    def log_determinant(self) -> float:
        """log |T|."""
        return float(np.linalg.slogdet(self.matrix)[1])

    def after(self, first: Affine) -> Affine:
        """This map after another one."""
        return Affine(first.origin, self(first.center[np.newaxis])[0], self.matrix @ first.matrix)


@dataclass(frozen=True)
class Weighted:
    """Draws with their weights for the leave-one-out posterior.

    Attributes:
        points: on the scale without bounds, shape (S, P).
        log_weights: normalised, shape (S,).
        log_predictive, cdf: density and distribution function of the row given the others and each draw, shape (S,).
        pareto_k: of the weights. Weights times predictive density, whose average the estimate is, need no k: they are
            constant for draws where they came from, and at most twice that for the mixture.
    """

    points: FloatArray
    log_weights: FloatArray
    log_predictive: FloatArray
    cdf: FloatArray
    pareto_k: float

    @property
    def elpd(self) -> float:
        """log p(y_i | y₋ᵢ)."""
        return float(logsumexp(self.log_weights + self.log_predictive))

    @property
    def pit(self) -> float:
        """P(new y_i ≤ y_i | y₋ᵢ)."""
        return float(np.clip(np.exp(self.log_weights) @ self.cdf, 0.0, 1.0))


@dataclass(frozen=True)
class Target:
    """Densities of one left-out row at points without bounds."""

    row: LeftOutRow
    bounds: Bounds
    tail: int

    def densities(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(log p₋ᵢ up to a constant, log predictive density, predictive distribution function), shape (S,) each."""
        points, jacobian = self.bounds.bounded(free)
        density, cdf = self.row.predictive(points)
        return self.row.log_density(points) + jacobian, density, cdf

    def log_posterior(self, free: FloatArray) -> FloatArray:
        """The density that the draws are from: p ∝ p₋ᵢ times the predictive density of the row."""
        others, density, _ = self.densities(free)
        return others + density

    def weigh(self, free: FloatArray, log_proposal: FloatArray) -> Weighted:
        """Weights of draws from a proposal, whose log density is known up to a constant."""
        others, density, cdf = self.densities(free)
        log_weights, k = _smoothed(others - log_proposal, self.tail)
        return Weighted(free, log_weights, density, cdf, k)


def _smoothed(log_ratios: FloatArray, tail: int) -> tuple[FloatArray, float]:
    """Log weights (S,) and Pareto k, infinite where nothing can be said."""
    top = log_ratios.max()
    if not np.isfinite(top):
        return np.full(log_ratios.shape, np.nan), np.inf
    # A draw that the target excludes weighs nothing; a logarithm of −inf would spoil the others.
    log_weights, k = psis(np.maximum(log_ratios, top - _NOTHING)[np.newaxis], tail)
    return log_weights[0], float(k[0]) if k[0] < np.inf else np.inf


def moment_match(row: LeftOutRow, points: FloatArray, *, tail: int, good_k: float) -> Weighted:
    """The leave-one-out posterior of a row from draws of the full posterior.

    Args:
        row: the model without the row.
        points: draws of the full posterior on Stan's scale, shape (S, P).
        tail: how many of the largest weights are smoothed, see `psis.tail_length`.
        good_k: nothing is moved where Pareto k is not above this.

    Returns:
        The draws as they were where that is good enough already, or where no map helps: look at `pareto_k`.
    """
    target = Target(row, bounds_of(row.design.parameters), tail)
    start = target.bounds.free(points)
    log_posterior = target.log_posterior(start)
    best, total = target.weigh(start, log_posterior), None
    goal = good_k if best.pareto_k <= good_k else min(good_k, _GOOD_K)
    for _ in range(MOST_ROUNDS):
        found = None if best.pareto_k <= goal else _improved(target, best, log_posterior)
        if found is None:
            break
        best, step = found
        total = step if total is None else step.after(total)
    return best if total is None else _split(target, start, log_posterior, total)


def _improved(target: Target, best: Weighted, log_posterior: FloatArray) -> tuple[Weighted, Affine] | None:
    """The first of the three maps that lowers Pareto k; its determinant is a constant that the weights do not need."""
    for step in _steps(best):
        moved = target.weigh(step(best.points), log_posterior)
        if moved.pareto_k < best.pareto_k:
            return moved, step
    return None


def _steps(draws: Weighted) -> Iterator[Affine]:
    """Maps that match the weighted mean; and the marginal standard deviations; and the covariance."""
    weights, points = np.exp(draws.log_weights), draws.points
    if not np.isfinite(weights).all():
        return
    origin, center = points.mean(axis=0), weights @ points
    yield Affine(origin, center, np.eye(len(origin)))
    plain = np.cov(points, rowvar=False, ddof=0)
    weighted = ((points - center) * weights[:, np.newaxis]).T @ (points - center)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(np.diag(weighted) / np.diag(plain))
    if np.isfinite(scale).all() and (scale > 0).all():
        yield Affine(origin, center, np.diag(scale))
    try:
        mapping = np.linalg.cholesky(weighted) @ np.linalg.inv(np.linalg.cholesky(plain))
    except np.linalg.LinAlgError:  # a few draws carry all the weight: there is no covariance to match
        return
    yield Affine(origin, center, mapping)


def _split(target: Target, start: FloatArray, log_posterior: FloatArray, total: Affine) -> Weighted:
    """Every other draw mapped by T, weighed against the mixture of both halves."""
    moved = start.copy()
    moved[::2] = total(start[::2])
    here, back = log_posterior.copy(), log_posterior.copy()
    here[::2] = target.log_posterior(moved[::2])
    back[1::2] = target.log_posterior(total.inverse(start[1::2]))
    return target.weigh(moved, np.logaddexp(here, back - total.log_determinant))
