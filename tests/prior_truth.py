"""The prior of a small model by hand: moments of the response row by row, and a runner that draws without Stan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from panels import dense_design, stan_rows

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign
from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode
from dsam_assets.scales import FloatArray

STATISTICS = ("lp__", "energy__", "divergent__", "treedepth__", "accept_stat__", "n_leapfrog__", "stepsize__")


def response_moments(design: LinearDesign | HierarchicalDesign) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each row's response under unbounded normal priors and half-normal standard deviations.

    With independent parameters the variance is Σ x² sd² + Σ z² E τ² + E σ² on Stan's scale, and E τ² of a half-normal
    is its scale squared.
    """
    by_name = {row.name: row for row in design.parameters}
    X, _ = stan_rows(design)  # type: ignore[arg-type]
    rows = [by_name[term] for term in design.matrix.terms]
    mean = X @ np.array([row.scaled_mean for row in rows])
    variance = X**2 @ np.array([row.scaled_sd**2 for row in rows]) + by_name["noise_sd"].scaled_sd ** 2
    if isinstance(design, HierarchicalDesign):
        Z, columns = dense_design(design)
        squared = [by_name[design.groups[i].sd_names[effect]].scaled_sd ** 2 for i, _, effect in columns]
        variance = variance + Z**2 @ np.array(squared)
    scaling = design.scaling
    return mean * scaling.y_spread + scaling.y_center + design.matrix.offset, variance * scaling.y_spread**2


@dataclass
class PriorRunner:
    """Draws the prior of a data block without bounds on coefficients, and remembers programs and blocks."""

    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        self.calls.append((program, data))
        rng = np.random.default_rng([settings.seed, 0, 99])  # [seed, 0] would be the deviations' stream
        shape = (settings.chains, settings.sampling)
        parameters = {"coef": rng.normal(data["prior_mean"], data["prior_sd"], size=(*shape, data["K"]))}
        if "T" in data:
            sds = np.abs(rng.normal(0.0, data["sd_spread"], size=(*shape, data["T"] + 1)))
            parameters |= {"group_sd": sds[..., :-1], "noise_sd": sds[..., -1]}
        else:
            parameters["noise_sd"] = np.abs(rng.normal(0.0, data["noise_spread"], size=shape))
        statistics = {name: np.zeros(shape) for name in STATISTICS}
        return StanDraws(parameters, statistics, np.ones(shape[0]), np.ones((shape[0], 1)), "0.0.0", 0.0)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        raise NotImplementedError("a prior is drawn, not climbed")
