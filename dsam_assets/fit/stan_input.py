"""Data blocks of the Stan programs: the only place that knows Stan's variable names."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.design.scaling import NOISE_SD
from dsam_assets.scales import FloatArray

LINEAR_PROGRAM = "linear"
COEF = "coef"
NOISE = "noise_sd"

PositivePriors = Literal["centered", "noncentered"]


def linear_input(
    design: LinearDesign, *, positive_priors: PositivePriors = "centered", prior_only: bool = False
) -> dict[str, Any]:
    """The data block of stan/linear.stan."""
    coefficients = [row for row in design.parameters if row.name != NOISE_SD]
    noise = next(row for row in design.parameters if row.name == NOISE_SD)
    statistics = design.statistics
    return {
        "N": statistics.rows,
        "K": len(coefficients),
        "R": statistics.R,
        "z": statistics.z,
        "rss": statistics.rss,
        "prior_mean": _column(coefficients, "scaled_mean"),
        "prior_sd": _column(coefficients, "scaled_sd"),
        "lower_bound": _column(coefficients, "scaled_lower"),
        "upper_bound": _column(coefficients, "scaled_upper"),
        **_noise_input(noise, positive_priors),
        "prior_only": int(prior_only),
    }


def _column(rows: list[Parameter], field: str) -> FloatArray:
    return np.array([getattr(row, field) for row in rows], dtype=float)


def _noise_input(noise: Parameter, positive_priors: PositivePriors) -> dict[str, Any]:
    lognormal = noise.family == "lognormal_ms"
    location, spread = (
        lognormal_location_spread(noise.scaled_mean, noise.scaled_sd)
        if lognormal
        else (noise.scaled_mean, noise.scaled_sd)
    )
    return {
        "noise_family": int(lognormal),
        "noise_location": location,
        "noise_spread": spread,
        "noise_lower": noise.scaled_lower,
        "noise_upper": noise.scaled_upper,
        "noise_noncentered": int(lognormal and positive_priors == "noncentered"),
    }
