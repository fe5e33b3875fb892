"""A stand-in for Stan that draws from the conjugate posterior of the linear program in milliseconds.

Given the residual standard deviation, the coefficients of a linear model with normal priors are normal with precision
R'R/σ² + diag(1/sd²); σ² itself is drawn from its scaled inverse chi-squared distribution at the least-squares fit.
Bounds are kept by reflection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsam_assets.fit.runner import McmcSettings, StanDraws
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
    lower = np.where(np.isfinite(data["lower_bound"]), data["lower_bound"], 0.0)
    return np.where(np.isfinite(data["lower_bound"]), lower + np.abs(coef - lower), coef), noise


@dataclass
class FakeRunner:
    """A `StanRunner`; remembers what it was asked.

    Attributes:
        stuck: the first chain never moves.
        calls: program, data and settings of every call.
    """

    stuck: bool = False
    calls: list[tuple[str, Mapping[str, Any], McmcSettings]] = field(default_factory=list)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        self.calls.append((program, data, settings))
        rng = np.random.default_rng(settings.seed)
        shape = (settings.chains, settings.sampling // settings.thin)
        coef, noise = conjugate_draws(data, shape[0] * shape[1], rng)
        coef, noise = coef.reshape(*shape, -1), noise.reshape(shape)
        if self.stuck:
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
