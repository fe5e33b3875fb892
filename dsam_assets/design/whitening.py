"""Where the sampler moves: coordinates in which the coefficients' posterior is nearly a standard normal.

Given the standard deviations, the coefficients of a Gaussian model have the density exp(−½ |g − H b|²) within their
bounds, with the rows of H and g those of the likelihood, divided by the residual sd, and of the priors. Let the QR
decomposition of H, unbounded coefficients u first and bounded ones c last, have the triangle T and the turned target q:

    u given c  is  T_uu⁻¹ (q_u − T_uc c) + T_uu⁻¹ η,  η ~ normal(0, I),
    c alone    has the density  exp(−½ |q_c − T_cc c|²)  within its bounds.

A bounded coefficient is c = soft(v), the identity far from the bound (stan/functions/whitening.stanfunctions), softened
over its sd given the others. v gets the mode and the curvature of its own density, which is nearly normal whether the
bounds bite or not (Laplace's approximation). The standard deviations are unknown, so these are plausible ones: that
costs a few steps of the sampler, never exactness, since the Stan programs use the maps with their Jacobians. Nothing is
squared, so the coordinates stay sound at any condition number that the triangle itself survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

MOST_STRETCH = 50.0
NOISE_ROUNDS = 20
NEWTON_STEPS = 100
LONGEST_STEP = 10.0  # softnesses
SHORTEST_STEP = 1e-8
SETTLED = 1e-10


@dataclass(frozen=True)
class Rows:
    """Rows of a least-squares problem: the log density of coefficients b is −½ |`target` − `factor` b|².

    Attributes:
        factor: shape (M, K).
        target: shape (M,).
    """

    factor: FloatArray
    target: FloatArray

    def divided(self, sd: float) -> Rows:
        """The same rows with residuals of this sd."""
        return Rows(self.factor / sd, self.target / sd)


@dataclass(frozen=True)
class Whitening:
    """The maps from coordinates to coefficients, with C bounded and K − C unbounded coefficients.

    Attributes:
        bounded, unbounded: positions among the K coefficients, shapes (C,) and (K − C,).
        bounded_center, bounded_spread: v = center + spread · (first C coordinates), shapes (C,) and (C, C).
        softness: distance from a bound at which the bend begins, shape (C,).
        unbounded_center, unbounded_slope, unbounded_spread: center + slope · (bounded coefficients) + spread · (other
            coordinates), shapes (K − C,), (K − C, C) and (K − C, K − C).
    """

    bounded: NDArray[np.intp]
    unbounded: NDArray[np.intp]
    bounded_center: FloatArray
    bounded_spread: FloatArray
    softness: FloatArray
    unbounded_center: FloatArray
    unbounded_slope: FloatArray
    unbounded_spread: FloatArray

    def beside_noise(self, rows: int) -> Whitening:
        """Coordinates with about the posterior sd of log(residual sd), 1 / √(2 rows), and not with 1.

        The sampler's first steps are of one size for all parameters: were the residual sd the sharpest by far, warming
        up would take ten times as many of them. Beyond `MOST_STRETCH` starting points would be too far away.
        """
        stretch = float(np.clip(np.sqrt(2.0 * rows), 1.0, MOST_STRETCH))
        return replace(
            self, bounded_spread=stretch * self.bounded_spread, unbounded_spread=stretch * self.unbounded_spread
        )


def stacked(parts: Sequence[Rows]) -> Rows:
    """All rows of several problems."""
    return Rows(np.vstack([part.factor for part in parts]), np.concatenate([part.target for part in parts]))


def prior_rows(mean: FloatArray, sd: FloatArray) -> Rows:
    """Independent normal priors, shape (K,) each."""
    return Rows(np.diag(1 / sd), mean / sd)


def whiten(rows: Rows, lower: FloatArray, upper: FloatArray) -> Whitening:
    """Coordinates for coefficients with this density within these bounds.

    Args:
        rows: likelihood and priors; the latter see to full column rank.
        lower, upper: the bounds, shape (K,) each, infinite where there is none.
    """
    has_bound = np.isfinite(lower) | np.isfinite(upper)
    bounded, unbounded = np.flatnonzero(has_bound), np.flatnonzero(~has_bound)
    free = unbounded.size
    T, q = triangle(Rows(rows.factor[:, np.r_[unbounded, bounded]], rows.target))
    inner = T[:free, :free]
    own = Rows(T[free:, free:], q[free:])
    bounds = SoftBounds(lower[bounded], upper[bounded], _softness(own, (upper - lower)[bounded]))
    center, spread = _laplace(own, bounds)
    return Whitening(
        bounded=bounded,
        unbounded=unbounded,
        bounded_center=center,
        bounded_spread=spread,
        softness=bounds.softness,
        unbounded_center=np.linalg.solve(inner, q[:free]),
        unbounded_slope=-np.linalg.solve(inner, T[:free, free:]),
        unbounded_spread=np.linalg.inv(inner),
    )


def triangle(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Triangle T (K, K) and q (K,) with |target − factor b|² = |q − T b|² + constant.

    A diagonal that vanishes next to its column, from rows that do not tell the coefficients apart in double precision,
    is held above zero.

    Raises:
        DesignError: a value is not finite.
    """
    if not (np.isfinite(rows.factor).all() and np.isfinite(rows.target).all()):
        raise DesignError(
            "Predictors, response or priors are not finite.",
            where="the design on the scale that Stan sees",
            fix="Look for columns with infinite or huge values.",
        )
    Q, T = np.linalg.qr(rows.factor)
    least = np.finfo(float).eps * np.linalg.norm(T, axis=0)
    places = np.arange(len(T))
    T[places, places] = np.where(np.abs(np.diag(T)) < least, least, np.diag(T))
    return T, Q.T @ rows.target


def plausible_noise(likelihood: Rows, priors: Rows, rows: int, rss: float) -> float:
    """A residual sd that goes with the data: the EM algorithm for its maximum, coefficients integrated out.

    Args:
        likelihood: R and z of the sufficient statistics, not divided by anything.
        priors: of the coefficients, bounds left aside.
        rows: number of observations.
        rss: what the statistics leave of |y|².
    """
    start = (rss + float(likelihood.target @ likelihood.target)) / max(rows, 1)
    variance = start if start > 0 else 1.0
    for _ in range(NOISE_ROUNDS):
        sd = float(np.sqrt(variance))
        T, q = triangle(stacked([likelihood.divided(sd), priors]))
        left = likelihood.target - likelihood.factor @ np.linalg.solve(T, q)
        unsure = np.linalg.solve(T.T, likelihood.factor.T)
        square = rss + float(left @ left) + float((unsure**2).sum())
        variance = max(square / max(rows, 1), np.finfo(float).eps * variance)
    return float(np.sqrt(variance))


@dataclass(frozen=True)
class SoftBounds:
    """The map from v to bounded coefficients, as in stan/functions/whitening.stanfunctions; shape (C,) each."""

    lower: FloatArray
    upper: FloatArray
    softness: FloatArray

    def start(self, own: Rows) -> FloatArray:
        """v near the least-squares solution within the bounds, and a softness away from them or in the middle."""
        from scipy.optimize import lsq_linear

        solution = lsq_linear(own.factor, own.target, (self.lower, self.upper), method="bvls").x
        low, high = self.lower + self.softness, self.upper - self.softness
        with np.errstate(invalid="ignore"):
            middle = (self.lower + self.upper) / 2
        return np.where(low < high, np.clip(solution, low, high), middle)

    def value(self, v: FloatArray) -> FloatArray:
        """Coefficients at v."""
        s = self.softness
        with np.errstate(invalid="ignore"):
            above = self.lower + s * np.logaddexp(0, (v - self.lower) / s)
            below = self.upper - s * np.logaddexp(0, (self.upper - v) / s)
            both = above - s * np.logaddexp(0, (v - self.upper) / s)
        return np.where(np.isinf(self.upper), above, np.where(np.isinf(self.lower), below, both))

    def log_slope(self, v: FloatArray) -> FloatArray:
        """Log of the slopes, but for a constant where there are two bounds."""
        s = self.softness
        with np.errstate(over="ignore"):
            return -np.logaddexp(0, (self.lower - v) / s) - np.logaddexp(0, (v - self.upper) / s)

    def shares(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """inv_logit of the distances (v − lower) / s and (v − upper) / s."""
        from scipy.special import expit

        return expit((v - self.lower) / self.softness), expit((v - self.upper) / self.softness)


def _softness(own: Rows, width: FloatArray) -> FloatArray:
    """The sd of each coefficient given the others, and at most the room that it has."""
    return np.minimum(1 / np.linalg.norm(own.factor, axis=0), width)


def _laplace(own: Rows, bounds: SoftBounds) -> tuple[FloatArray, FloatArray]:
    """Mode of v and a factor of its inverse curvature there, by damped Newton steps."""
    if not bounds.lower.size:
        return np.zeros(0), np.zeros((0, 0))
    v = bounds.start(own)
    for _ in range(NEWTON_STEPS):
        gradient, root = _curvature(own, bounds, v)
        step = np.linalg.solve(root, np.linalg.solve(root.T, gradient))
        step = step / max(1.0, float(np.max(np.abs(step) / bounds.softness)) / LONGEST_STEP)
        length = _damping(own, bounds, v, step)
        v = v - length * step
        if length == 0 or gradient @ step < SETTLED:
            break
    return v, np.linalg.inv(_curvature(own, bounds, v)[1])


def _cost(own: Rows, bounds: SoftBounds, v: FloatArray) -> float:
    left = own.target - own.factor @ bounds.value(v)
    return float(0.5 * left @ left - bounds.log_slope(v).sum())


def _curvature(own: Rows, bounds: SoftBounds, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient of the cost, and a triangle whose square is its Hessian without the parts that may be negative."""
    low, high = bounds.shares(v)
    slope, s = low - high, bounds.softness
    pull = own.factor.T @ (own.factor @ bounds.value(v) - own.target)
    bend = (low * (1 - low) - high * (1 - high)) / s
    extra = np.maximum(pull * bend, 0) + (low * (1 - low) + high * (1 - high)) / s**2
    root = np.linalg.qr(np.vstack([own.factor * slope, np.diag(np.sqrt(extra))]), mode="r")
    return slope * pull - ((1 - low) - high) / s, root


def _damping(own: Rows, bounds: SoftBounds, v: FloatArray, step: FloatArray) -> float:
    """The largest of 1, ½, ¼, … that lowers the cost; 0 where none does."""
    length, before = 1.0, _cost(own, bounds, v)
    while length >= SHORTEST_STEP and not _cost(own, bounds, v - length * step) < before:
        length /= 2
    return length if length >= SHORTEST_STEP else 0.0
