"""A stand-in for Stan: draws from the conjugate posterior of the linear program, its prior and its mode, fast.

Given the residual standard deviation, the coefficients of a linear model with normal priors are normal with precision
R'R/σ² + diag(1/sd²); σ² itself is drawn from its scaled inverse chi-squared distribution at the least-squares fit.
Bounds are kept by reflection. The mode is found by turns: given the residual standard deviation it is a bounded ridge
solution, given the coefficients it is the root of one equation in the residual standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import brentq, lsq_linear

from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode
from dsam_assets.scales import FloatArray


def conjugate_draws(data: Mapping[str, Any], count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Coefficients (count, K) and residual standard deviations (count,)."""
    factor, target, size = data["R"], data["z"], data["K"]
    degrees = data["N"] - size
    noise = np.sqrt(data["rss"] / rng.chisquare(degrees, size=count))
    weight = 1 / np.asarray(data["prior_sd"]) ** 2
    coef = np.empty((count, size))
    for draw, sigma in enumerate(noise):
        precision = factor.T @ factor / sigma**2 + np.diag(weight)
        mean = np.linalg.solve(precision, factor.T @ target / sigma**2 + weight * data["prior_mean"])
        coef[draw] = mean + np.linalg.solve(np.linalg.cholesky(precision).T, rng.normal(size=size))
    return reflected(data, coef), noise


def prior_draws(data: Mapping[str, Any], count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Coefficients (count, K) and residual standard deviations (count,) of normal priors."""
    coef = rng.normal(data["prior_mean"], data["prior_sd"], size=(count, data["K"]))
    return reflected(data, coef), np.abs(rng.normal(data["noise_location"], data["noise_spread"], size=count))


def reflected(data: Mapping[str, Any], coef: FloatArray) -> FloatArray:
    """Coefficients below a lower bound, moved as far above it."""
    bounded = np.isfinite(data["lower_bound"])
    lower = np.where(bounded, data["lower_bound"], 0.0)
    return np.where(bounded, lower + np.abs(coef - lower), coef)


def joint_mode(data: Mapping[str, Any]) -> tuple[FloatArray, float]:
    """Coefficients (K,) and residual standard deviation at the joint mode of the linear program."""
    sigma = float(np.sqrt((data["rss"] + 1e-12) / data["N"]))
    for _ in range(500):
        coef = ridge_mode(data, sigma)
        before, sigma = sigma, noise_mode(data, float(np.sum((data["z"] - data["R"] @ coef) ** 2) + data["rss"]))
        if abs(sigma - before) <= 1e-13 * sigma:
            return ridge_mode(data, sigma), sigma
    raise RuntimeError("the turns do not end at a mode")


def ridge_mode(data: Mapping[str, Any], sigma: float) -> FloatArray:
    """Coefficients (K,) at the mode given sigma: least squares of the statistics and the priors, within the bounds."""
    rows = np.vstack([data["R"] / sigma, np.diag(1 / np.asarray(data["prior_sd"]))])
    target = np.concatenate([data["z"] / sigma, data["prior_mean"] / data["prior_sd"]])
    bounds = (data["lower_bound"], data["upper_bound"])
    return np.asarray(lsq_linear(rows, target, bounds, method="bvls", tol=1e-15).x)


def noise_mode(data: Mapping[str, Any], square: float) -> float:
    """Sigma at the mode given the sum of squared residuals: its conditional density has one peak."""

    def slope(log: float) -> float:
        """Derivative of the log density by log sigma, without a Jacobian."""
        sigma, location, spread = np.exp(log), data["noise_location"], data["noise_spread"]
        likelihood = square / sigma**2 - data["N"]
        if data["noise_family"] == 1:
            return float(likelihood - 1 - (log - location) / spread**2)
        return float(likelihood - sigma * (sigma - location) / spread**2)

    peak = np.exp(brentq(slope, -60.0, 60.0, xtol=1e-14))
    return float(np.clip(peak, data["noise_lower"], data["noise_upper"]))


def log_density(data: Mapping[str, Any], coef: FloatArray, sigma: float) -> float:
    """Log posterior up to a constant."""
    square = np.sum((data["z"] - data["R"] @ coef) ** 2) + data["rss"]
    likelihood = -0.5 * square / sigma**2 - data["N"] * np.log(sigma)
    lognormal, at = data["noise_family"] == 1, np.log(sigma) if data["noise_family"] == 1 else sigma
    noise = -0.5 * ((at - data["noise_location"]) / data["noise_spread"]) ** 2 - lognormal * np.log(sigma)
    return float(likelihood + noise - 0.5 * np.sum(((coef - data["prior_mean"]) / data["prior_sd"]) ** 2))


@dataclass
class FakeRunner:
    """A `StanRunner`; remembers what it was asked.

    Attributes:
        stuck: the first chain never moves.
        converges: whether the optimiser says that it converged.
        calls: program, data and settings of every call.
    """

    stuck: bool = False
    converges: bool = True
    calls: list[tuple[str, Mapping[str, Any], Any]] = field(default_factory=list)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        self.calls.append((program, data, settings))
        rng = np.random.default_rng(settings.seed)
        shape = (settings.chains, settings.sampling // settings.thin)
        drawn = prior_draws if data["prior_only"] else conjugate_draws
        coef, noise = drawn(data, shape[0] * shape[1], rng)
        coef, noise = coef.reshape(*shape, -1), noise.reshape(shape)
        if self.stuck and not data["prior_only"]:
            coef[0], noise[0] = coef[0, 0], noise[0, 0]
        statistics = {
            "lp__": rng.normal(size=shape),
            "energy__": rng.normal(size=shape),
            "divergent__": np.zeros(shape),
            "treedepth__": np.full(shape, 3.0),
            "accept_stat__": np.full(shape, 0.9),
            "n_leapfrog__": np.full(shape, 7.0),
            "stepsize__": np.full(shape, 0.5),
        }
        return StanDraws(
            parameters={"coef": coef, "noise_sd": noise},
            sampler=statistics,
            step_size=np.full(shape[0], 0.5),
            inv_metric=np.ones((shape[0], data["K"] + 1)),
            stan_version="0.0.0",
            seconds=0.0,
        )

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        """The mode of the linear program, whatever the start."""
        self.calls.append((program, data, settings))
        if program != "linear":
            raise NotImplementedError(f"the stand-in has no mode of {program}")
        coef, sigma = joint_mode(data)
        return StanMode(
            parameters={"coef": coef, "noise_sd": np.array(sigma)},
            log_posterior=log_density(data, coef, sigma),
            converged=self.converges,
            reason="Convergence detected: closed form" if self.converges else "Maximum number of iterations hit",
            iterations=1,
            stan_version="0.0.0",
        )
